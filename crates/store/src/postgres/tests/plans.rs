//! How the database executes the store's statements: the plans actually used, as logged.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use hookyard_core::id::{BatchId, DatasetId, EndpointId, RequestId, Seq, SourceId};
use hookyard_core::model::{Mode, NewDelivery, ReplayScope};
use jiff::Timestamp;
use serde_json::Value;

use super::*;
use crate::contract::{
    ORDER_CREATE, PROJECT, WS, at, claim, delivered, endpoint, event, new_source, publish,
};
use crate::postgres::partitions;
use crate::{
    AttemptQuery, BatchChange, BatchQuery, EventQuery, Expiry, HeadLimit, Keep, Lease, Retention,
    RowLimit, RowQuery, SpanLimit, Surplus,
};

/// Partitions with rows, and the rows in each.
const PARTS: i64 = 8;
const IN_EACH: i64 = 3_000;
const PART: i64 = 1 << 20;
const QUARTER_MS: i64 = 6 * 3_600_000;

/// A server that logs the plan of every statement with the actual work.
struct Observed {
    server: Postgres,
    log: tempfile::TempDir,
    read: usize,
    faults: Vec<String>,
}

impl Observed {
    fn start() -> Self {
        let log = tempfile::tempdir().unwrap();
        // The server may run as another user.
        let all = std::os::unix::fs::PermissionsExt::from_mode(0o777);
        std::fs::set_permissions(log.path(), all).unwrap();
        let directory = format!("log_directory='{}'", log.path().display());
        let settings = [
            "fsync=off",
            "full_page_writes=off",
            "autovacuum=off",
            "shared_buffers=64MB",
            "logging_collector=on",
            "log_destination=jsonlog",
            "log_filename=plans",
            "log_file_mode=0644",
            &directory,
            "session_preload_libraries=auto_explain",
            "auto_explain.log_min_duration=0",
            "auto_explain.log_analyze=on",
            "auto_explain.log_timing=off",
            "auto_explain.log_format=json",
        ];
        let server = Postgres::start(&settings).expect("no PostgreSQL");
        Self { server, log, read: 0, faults: Vec::new() }
    }

    async fn sql(&self, database: &str, statements: &str) {
        let database = Database::new(&self.server.url(database)).unwrap();
        database.get().await.unwrap().batch(statements).await.unwrap();
        database.close();
    }

    /// The plans of the statements since the last call that use a partitioned table. The log is written in
    /// order, so everything before a mark in the log is present.
    async fn plans(&mut self, database: &str) -> Vec<Plan> {
        let mark = format!("mark {}", self.read);
        self.sql(database, &format!("DO $$ BEGIN RAISE LOG '{mark}'; END $$")).await;
        let path = self.log.path().join("plans.json");
        let text = loop {
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            let new = &text[self.read..];
            if new.contains(&format!("\"message\":\"{mark}\"")) && new.ends_with('\n') {
                self.read = text.len();
                break new.to_owned();
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        };
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let plan = |line: Value| {
            let message = line["message"].as_str()?;
            let plan = message.split_once("plan:\n")?.1;
            Plan::read(&serde_json::from_str(plan).unwrap())
        };
        lines.filter_map(plan).collect()
    }
}

/// The work of a statement.
#[derive(Debug)]
struct Plan {
    query: String,
    /// The partitions read by the statement, by table.
    looked_into: BTreeMap<String, BTreeSet<String>>,
    /// Partitions read from end to end, or by more than half.
    scanned: Vec<String>,
}

impl Plan {
    /// `None` when the plan is about no partitioned table.
    fn read(plan: &Value) -> Option<Self> {
        let query = plan["Query Text"].as_str().unwrap().to_owned();
        let mut plan_read = Self { query, looked_into: BTreeMap::new(), scanned: Vec::new() };
        plan_read.walk(&plan["Plan"]);
        (!plan_read.looked_into.is_empty()).then_some(plan_read)
    }

    fn walk(&mut self, node: &Value) {
        let kind = node["Node Type"].as_str().unwrap();
        let name = node["Relation Name"].as_str().or(node["Index Name"].as_str());
        let table = name.and_then(|name| {
            let table = name.split('_').next().unwrap_or_default();
            let known = ["journal", "attempts", "rows"].contains(&table);
            // The table has a row for each workspace and partition, and is no partition.
            (known && !name.starts_with("journal_shares")).then(|| table.to_owned())
        });
        if let (Some(name), Some(table)) = (node["Relation Name"].as_str(), table)
            && node["Actual Loops"].as_f64().unwrap_or_default() > 0.0
            && kind != "ModifyTable"
        {
            self.looked_into.entry(table).or_default().insert(name.to_owned());
            let number = |name: &str| node[name].as_f64().unwrap_or_default();
            let read = (number("Actual Rows")
                + number("Rows Removed by Filter")
                + number("Rows Removed by Index Recheck"))
                * number("Actual Loops");
            if kind == "Seq Scan" || read > IN_EACH as f64 / 2.0 {
                self.scanned.push(name.to_owned());
            }
        }
        for below in node["Plans"].as_array().into_iter().flatten() {
            self.walk(below);
        }
    }
}

/// The contents of the tables.
struct Filled {
    store: SharedStore,
    endpoint: EndpointId,
    lease: Lease,
    source: SourceId,
    dataset: DatasetId,
}

/// A store with rows in many partitions.
async fn filled(observed: &Observed, database: &str, mode: &str) -> Filled {
    observed.sql("postgres", &format!("CREATE DATABASE {database}")).await;
    observed
        .sql("postgres", &format!("ALTER DATABASE {database} SET plan_cache_mode = {mode}"))
        .await;
    let url = Secret::new(observed.server.url(database));
    let store = PostgresStore::open(Options { url, ..options(database) }).await.unwrap();
    let store: SharedStore = Arc::new(store);
    for (id, name) in [(WS, "DEMO"), (contract::OTHER_WS, "OTHER")] {
        store.create_workspace(contract::new_workspace(id, name)).await.unwrap();
    }
    let (endpoint, other) = (endpoint(&store).await.id, endpoint(&store).await.id);
    let source = store.create_source(new_source(Mode::Combine, "key"), at(0)).await.unwrap();
    let begin = at(0).as_millisecond() / QUARTER_MS * QUARTER_MS;
    let db = Database::new(&observed.server.url(database)).unwrap();
    observed
        .sql(
            database,
            &format!("UPDATE sequencer SET seq = {0}; SELECT setval('row_ids', {0})", PARTS * PART),
        )
        .await;
    let moments: Vec<_> = (0..PARTS)
        .map(|part| Timestamp::from_millisecond(begin + part * QUARTER_MS).unwrap())
        .collect();
    partitions::make(db.get().await.unwrap(), &moments).await.unwrap();
    db.close();
    // Events of ten types, a hundred endpoints' attempts, and the rows of ten datasets.
    let fill = format!(
        "INSERT INTO journal SELECT p * {PART} + n, 1, 15 + n % 10, {begin} + p * {QUARTER_MS} + n, \
           (p * {PART} + n) * 7919, 'id-' || p || '-' || n, '/shop', '', \
           json_build_object('order_id', n, 'text', repeat('x', 300))::text, '{{}}' \
         FROM generate_series(0::int8, {PARTS} - 1) p, generate_series(1::int8, {IN_EACH}) n; \
         INSERT INTO attempts (endpoint_id, started_ms, duration_ms, queue_delay_ms, status, \
           success, advance, parked, failures, refusals, revision, request_id, seqs, entries, \
           event_types, order_ids, url, request_headers, response_headers) \
         SELECT CASE WHEN n % 50 = 0 THEN {endpoint} ELSE {other} + n % 100 END, \
           {begin} + p * {QUARTER_MS} + n * 1000, 1, 1, 200, true, 1, false, 0, 0, 1, \
           'damaged', '{{1}}', '{{}}', '{{22}}', '[]', 'https://x.test/h', '[]', '[]' \
         FROM generate_series(0::int8, {PARTS} - 1) p, generate_series(1::int8, {IN_EACH}) n; \
         UPDATE attempts SET request_id = {request}; \
         INSERT INTO rows SELECT p * {PART} + n + 100, \
           CASE WHEN n % 10 = 0 THEN (SELECT version_id FROM datasets LIMIT 1) ELSE -n % 10 END, \
           {begin} + p * {QUARTER_MS} + n, n % 100 = 0, repeat('1', 300) \
         FROM generate_series(0::int8, {PARTS} - 1) p, generate_series(1::int8, {IN_EACH}) n; \
         UPDATE datasets SET rows = {PARTS} * {IN_EACH} / 10, bytes = 1 << 30; \
         ANALYZE",
        request = format_args!("'{}'", RequestId::new(&SystemEntropy, at(0))),
    );
    observed.sql(database, &fill).await;
    observed.sql(database, &weights::weigh_again()[2]).await;
    let lease = claim(&store, endpoint).await;
    Filled { store, endpoint, lease, source: source.id, dataset: source.dataset }
}

/// Checks the statements since the last call: none reads a partition as a whole, and each looks into at most
/// so many partitions of a table. Faults are collected, so that one run tells all.
async fn assert_plans(observed: &mut Observed, database: &str, what: &str, most: usize) {
    let plans = observed.plans(database).await;
    if plans.is_empty() {
        observed.faults.push(format!("{what}: no plan was logged"));
    }
    for Plan { query, looked_into, scanned } in plans {
        if !scanned.is_empty() {
            observed.faults.push(format!("{what} reads {scanned:?} as a whole: {query}"));
        }
        for (table, parts) in looked_into.iter().filter(|(_, parts)| parts.len() > most) {
            let count = parts.len();
            observed
                .faults
                .push(format!("{what} looks into {count} of {table}: {parts:?}: {query}"));
        }
    }
}

async fn observe(mode: &str) {
    let database = mode;
    let mut observed = Observed::start();
    let filled = filled(&observed, database, mode).await;
    observed.plans(database).await;
    publishing(&mut observed, database, &filled).await;
    reading_events(&mut observed, database, &filled).await;
    the_log(&mut observed, database, &filled).await;
    rows(&mut observed, database, &filled).await;
    expiring(&mut observed, database, &filled).await;
    assert!(observed.faults.is_empty(), "{}", observed.faults.join("\n\n"));
}

/// Publishing, reading a queue and settling.
async fn publishing(observed: &mut Observed, database: &str, filled: &Filled) {
    let Filled { store, endpoint, lease, .. } = filled;
    let receipts = publish(store, 0..50, *endpoint).await;
    // For duplicates: the newest partitions with events of the workspace.
    assert_plans(observed, database, "publish", 8).await;
    store.append(WS, vec![event(7, &[*endpoint])], at(0)).await.unwrap();
    assert_plans(observed, database, "a duplicate", 8).await;
    let limit = HeadLimit { events: 20, bytes: 1 << 20 };
    let head = store.head(lease, limit).await.unwrap();
    assert_eq!(head.entries.len(), 20);
    assert_plans(observed, database, "head", 1).await;
    store.window(lease, 10, limit).await.unwrap();
    assert_plans(observed, database, "window", 1).await;
    let seqs: Vec<Seq> = receipts[..20].iter().map(|new| new.seq).collect();
    store.settle(lease, delivered(&seqs, at(0))).await.unwrap();
    // Inserts look into nothing.
    assert!(observed.plans(database).await.is_empty());
}

async fn reading_events(observed: &mut Observed, database: &str, filled: &Filled) {
    let Filled { store, endpoint, .. } = filled;
    let page = |event_type| EventQuery {
        event_type,
        after: None,
        before: None,
        newest_first: true,
        limit: 40,
    };
    for event_type in [None, Some(ORDER_CREATE)] {
        let oldest = || EventQuery { newest_first: false, ..page(event_type) };
        for query in
            [page(event_type), oldest(), EventQuery { after: Some(Seq(3 << 20)), ..oldest() }]
        {
            // One step into the index of each partition that the page may reach.
            let most = if query.after.is_some() { 8 } else { 11 };
            assert_eq!(store.events(WS, query).await.unwrap().entries.len(), 40);
            assert_plans(observed, database, "events", most).await;
        }
    }
    let seqs = [Seq(7), Seq((2 << 20) + 7)];
    assert_eq!(store.events_by_seq(WS, &seqs).await.unwrap().len(), 2);
    assert_plans(observed, database, "events by number", 2).await;
    assert!(store.event(WS, "event-3", None).await.unwrap().is_some());
    assert_plans(observed, database, "an event by id", 11).await;
    let scope = ReplayScope {
        event_types: vec![ORDER_CREATE],
        from: Some(at(0)),
        until: None,
        rule: None,
        missed_only: false,
    };
    let span = store.replay_span(WS, *endpoint, &scope).await.unwrap();
    assert!(span.total > 0);
    assert_plans(observed, database, "a replay's span", 11).await;
    let limit = SpanLimit { examined: 100, wanted: 100 };
    let slice = store.examine(WS, *endpoint, &scope, span, None, limit).await.unwrap();
    assert_eq!(slice.wanted.len(), 100);
    assert_plans(observed, database, "a replay's slice", 11).await;
    store.reflow(WS, *endpoint, ORDER_CREATE, None, at(1)).await.unwrap();
    assert_plans(observed, database, "a reflow", 11).await;
}

async fn the_log(observed: &mut Observed, database: &str, filled: &Filled) {
    let Filled { store, endpoint, .. } = filled;
    let page = AttemptQuery { limit: 20, ..AttemptQuery::default() };
    assert_eq!(store.attempts(WS, *endpoint, page.clone()).await.unwrap().entries.len(), 20);
    // The newest partitions are empty: today's partition, and partitions made ahead.
    assert_plans(observed, database, "the newest attempts", 4).await;
    let start = at(0).as_millisecond() / QUARTER_MS * QUARTER_MS;
    let moment = |part: i64| Some(Timestamp::from_millisecond(start + part * QUARTER_MS).unwrap());
    let within = AttemptQuery { from: moment(2), until: moment(3), ..page.clone() };
    assert_eq!(store.attempts(WS, *endpoint, within).await.unwrap().entries.len(), 20);
    assert_plans(observed, database, "attempts of some time", 2).await;
    let id = RequestId::new(&SystemEntropy, at(0));
    assert!(store.attempt(WS, *endpoint, &id).await.unwrap().is_none());
    assert_plans(observed, database, "an attempt by its id", 1).await;
}

async fn rows(observed: &mut Observed, database: &str, filled: &Filled) {
    let Filled { store, endpoint, source, dataset, .. } = filled;
    let cell = Some(Bytes::from("1"));
    let event = Some(event(9_000, &[*endpoint]));
    let new = NewDelivery { source: *source, cell, event, repeat: None, request: None };
    store.accept(new, at(1)).await.unwrap();
    // For duplicates of the event.
    assert_plans(observed, database, "accept", 8).await;
    let limit = RowLimit { rows: 50, bytes: 1 << 20 };
    let newest = RowQuery { newest_first: true, ..RowQuery::default() };
    let on = RowQuery { after: Some(BatchId(5 << 20)), ..RowQuery::default() };
    for (query, most) in [(RowQuery::default(), 1), (newest, 4), (on, 1)] {
        let page = store.rows_after(WS, PROJECT, *dataset, query, limit).await.unwrap();
        assert_eq!(page.rows.len(), 50);
        assert_plans(observed, database, "a page of rows", most).await;
    }
    let since = RowQuery { from: Some(at(0)), ..RowQuery::default() };
    store.rows_after(WS, PROJECT, *dataset, since, limit).await.unwrap();
    assert_plans(observed, database, "rows since a moment", 11).await;
    let page = store.rows_at(WS, PROJECT, *dataset, 600, limit).await.unwrap();
    assert_eq!(page.rows.len(), 50);
    assert_plans(observed, database, "rows at an offset", 11).await;
    let query = BatchQuery {
        state: None,
        after: None,
        from: None,
        until: None,
        newest_first: false,
        offset: 0,
        limit: 30,
    };
    let batches = store.batches(WS, PROJECT, *dataset, query).await.unwrap();
    assert_plans(observed, database, "batches", 1).await;
    let change = vec![(batches[3].id, BatchChange::Suspend)];
    store.change_batches(WS, PROJECT, *dataset, change, at(1)).await.unwrap();
    assert_plans(observed, database, "a change of a batch", 1).await;
}

async fn expiring(observed: &mut Observed, database: &str, filled: &Filled) {
    let Filled { store, .. } = filled;
    let all = Keep { age: Some(jiff::SignedDuration::from_hours(5)), bytes: None };
    let keep = Retention { journal: all, attempts: all, ..Retention::default() };
    let expiry = store.expiry(keep, at(86_400)).await.unwrap();
    assert!(expiry.journal.below > 0 && expiry.attempts.below > 0);
    assert_plans(observed, database, "what is to go", 11).await;
    // The reflow has queued events of the first partition, so the partition goes row by row.
    let done = store.expire(expiry).await.unwrap();
    assert!(done.events > 0);
    assert_plans(observed, database, "a slice of events", 1).await;
    let mut rest = Expiry { journal: Surplus::default(), ..expiry };
    rest.attempts.from = 0;
    let done = store.expire(rest).await.unwrap();
    assert!(done.attempts > 0);
    // One step into the index of each partition for the oldest attempt.
    assert_plans(observed, database, "attempts that go", 11).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plans_that_are_kept_look_into_few_partitions() {
    observe("force_generic_plan").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plans_for_one_use_look_into_few_partitions() {
    observe("force_custom_plan").await;
}

/// Before the database has statistics of a partition, all its indexes look alike. A publish that searched by
/// another index than the index of ids read all earlier events for each event.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn repeats_are_found_by_their_hash_before_there_are_statistics() {
    let (mut observed, database) = (Observed::start(), "unknown");
    observed.sql("postgres", &format!("CREATE DATABASE {database}")).await;
    let url = Secret::new(observed.server.url(database));
    let store = PostgresStore::open(Options { url, ..options(database) }).await.unwrap();
    let store: SharedStore = Arc::new(store);
    store.create_workspace(contract::new_workspace(WS, "DEMO")).await.unwrap();
    let count = IN_EACH.unsigned_abs();
    for from in [0, count] {
        observed.plans(database).await;
        let events = (from..from + count).map(|number| event(number, &[])).collect();
        store.append(WS, events, at(0)).await.unwrap();
    }
    assert_plans(&mut observed, database, "a large publish", 8).await;
    assert!(observed.faults.is_empty(), "{}", observed.faults.join("\n\n"));
}
