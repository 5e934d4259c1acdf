use bytes::Bytes;
use hookyard_core::id::{DatasetId, Seq, SourceId};
use hookyard_core::model::{Mode, NewAttempt};
use jiff::{SignedDuration, Timestamp};

use super::*;
use crate::contract::{
    PROJECT, WS, at, claim, deliver, delivered, endpoint, event, failed, ids, new_source, publish,
    queued,
};
use crate::postgres::partitions::{self, ATTEMPTS, JOURNAL, Part, ROWS};
use crate::{AttemptQuery, BatchChange, EventQuery, Expired, Keep, Retention, RowLimit, RowQuery};

/// The least width of a partition by number.
const PART: i64 = 1 << 20;

async fn parts(place: &Place, kind: partitions::Kind) -> Vec<Part> {
    let database = Database::new(&SERVER.url(&place.name)).unwrap();
    let parts = partitions::list(&database.get().await.unwrap(), kind).await.unwrap();
    database.close();
    parts
}

async fn firsts(place: &Place, kind: partitions::Kind) -> Vec<i64> {
    parts(place, kind).await.iter().map(|part| part.first / PART).collect()
}

/// The next event gets the number after the border of a partition.
async fn go_on_in(place: &Place, part: i64) {
    sql(&place.name, &format!("UPDATE sequencer SET seq = {}", part * PART)).await;
}

/// Appends events at a second in a batch, for nobody.
async fn append(store: &SharedStore, numbers: std::ops::Range<u64>, second: i64) -> Vec<Seq> {
    let events = numbers.map(|number| event(number, &[])).collect();
    store.append(WS, events, at(second)).await.unwrap().iter().map(|new| new.seq).collect()
}

async fn kept(store: &SharedStore) -> Vec<String> {
    let all = EventQuery {
        event_type: None,
        after: None,
        before: None,
        newest_first: false,
        limit: 100_000,
    };
    let events = store.events(WS, all).await.unwrap().entries;
    events.iter().map(|event| event.id.clone()).collect()
}

fn days(days: i64) -> Keep {
    Keep { age: Some(SignedDuration::from_hours(24 * days)), bytes: None }
}

fn seconds(seconds: i64) -> Keep {
    Keep { age: Some(SignedDuration::from_secs(seconds)), bytes: None }
}

fn journal(keep: Keep) -> Retention {
    Retention { journal: keep, ..Retention::default() }
}

fn log(keep: Keep) -> Retention {
    Retention { attempts: keep, ..Retention::default() }
}

/// Runs a sweep. Returns the deleted events and attempts, and the number of steps.
async fn sweep(store: &SharedStore, keep: Retention, now: Timestamp) -> (u64, u64, u32) {
    let mut rest = Some(store.expiry(keep, now).await.unwrap());
    let (mut events, mut attempts, mut steps) = (0, 0, 0);
    while let Some(expiry) = rest {
        let done: Expired = store.expire(expiry).await.unwrap();
        events += done.events;
        attempts += done.attempts;
        steps += u32::from(done.events + done.attempts > 0);
        rest = done.rest;
    }
    (events, attempts, steps)
}

/// Retention's counts equal the actual rows.
async fn assert_counted(place: &Place) {
    let weighed = |weight: &str, table: &str| {
        format!("SELECT coalesce(sum({weight} + 64), 0)::int8 FROM {table}")
    };
    let journal = weighed(weights::JOURNAL_WEIGHT, "journal");
    let attempts = weighed(attempts::WEIGHT, "attempts");
    for (kind, there) in [(JOURNAL, journal), (ATTEMPTS, attempts)] {
        let sum = |column| {
            format!(
                "SELECT coalesce(sum({column}), 0)::int8 FROM retained WHERE kind = {}",
                kind.id
            )
        };
        let there = number(&place.name, &there).await;
        assert_eq!(number(&place.name, &sum("bytes")).await, there, "bytes of {}", kind.table);
        let count = format!("SELECT count(*) FROM {}", kind.table);
        let count = number(&place.name, &count).await;
        assert_eq!(number(&place.name, &sum("items")).await, count, "items of {}", kind.table);
    }
    let said = "SELECT workspace_id, first, bytes, items FROM journal_shares WHERE items <> 0";
    let there = format!(
        "SELECT j.workspace_id, p.first, sum({} + 64)::int8, count(*) FROM partitions p \
         JOIN journal j ON j.seq >= p.first AND j.seq < p.until WHERE p.kind = 0 \
         GROUP BY j.workspace_id, p.first",
        weights::JOURNAL_WEIGHT
    );
    let differing =
        format!("SELECT count(*) FROM (({said} EXCEPT {there}) UNION ({there} EXCEPT {said})) d");
    assert_eq!(number(&place.name, &differing).await, 0, "shares of workspaces");
}

async fn disk(place: &Place, table: &str) -> i64 {
    let sql = format!(
        "SELECT sum(pg_total_relation_size(inhrelid))::int8 FROM pg_inherits \
         WHERE inhparent = '{table}'::regclass"
    );
    number(&place.name, &sql).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn partitions_are_made_ahead_by_many_nodes_at_once() {
    let place = Place::new().await;
    let _store = contract::open(&place).await;
    assert_eq!(firsts(&place, JOURNAL).await, [0, 1, 2]);
    assert_eq!(firsts(&place, ROWS).await, [0, 1, 2]);
    let attempts = parts(&place, ATTEMPTS).await;
    assert_eq!(attempts.len(), 3);
    assert!(attempts.iter().all(|part| !part.closed));
    // The first node makes the partitions, and the others find them made.
    let database = Database::new(&SERVER.url(&place.name)).unwrap();
    for jump in [2, 6, 7] {
        go_on_in(&place, jump).await;
        let make =
            async || partitions::make(database.get().await.unwrap(), &[at(0)]).await.unwrap();
        tokio::join!(make(), make(), make(), make());
        let expected: Vec<_> = (0..=jump + 2).collect();
        assert_eq!(firsts(&place, JOURNAL).await, expected);
    }
    database.close();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_that_no_partition_was_made_for_are_kept() {
    let place = Place::new().await;
    let store = contract::open(&place).await;
    let id = endpoint(&store).await.id;
    let source = store.create_source(new_source(Mode::Combine, "key"), at(0)).await.unwrap();
    // The nodes were late by more than the partitions made ahead.
    go_on_in(&place, 40).await;
    let seqs: Vec<_> = publish(&store, 0..3, id).await.iter().map(|new| new.seq).collect();
    assert_eq!(seqs[0].0.cast_signed(), 40 * PART + 1);
    let lease = claim(&store, id).await;
    assert_eq!(queued(&store, &lease).await, ids(0..3));
    sql(&place.name, &format!("SELECT setval('row_ids', {})", 20 * PART)).await;
    store.receive(source.id, Bytes::from("1"), at(1)).await.unwrap();
    sql(&place.name, &format!("SELECT setval('row_ids', {})", 90 * PART)).await;
    let rows = vec![(seqs[0], Bytes::from("2"))];
    assert_eq!(store.land(WS, source.dataset, id, rows, at(2)).await.unwrap(), 1);
    assert_eq!(cells(&store, source.dataset, RowQuery::default()).await, ["1", "2"]);
    // Attempts of a wrong clock.
    for second in [-50_000_000, 0, 900_000_000] {
        let lease = claim(&store, id).await;
        store.settle(&lease, failed(&seqs[..1], at(second), 1)).await.unwrap();
    }
    let all = AttemptQuery { limit: 10, ..AttemptQuery::default() };
    assert_eq!(store.attempts(WS, id, all).await.unwrap().entries.len(), 3);
    assert_counted(&place).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_partition_is_dropped_but_for_what_is_pinned() {
    let place = Place::new().await;
    let store = contract::open(&place).await;
    let id = endpoint(&store).await.id;
    let old: Vec<_> = append(&store, 0..3_000, 0).await;
    let pinned = publish(&store, 3_000..3_003, id).await;
    let lease = claim(&store, id).await;
    let parked = NewAttempt { advance: 1, park: true, ..failed(&[pinned[0].seq], at(0), 1) };
    store.settle(&lease, parked).await.unwrap();
    for part in 1..4 {
        go_on_in(&place, part).await;
        append(&store, 4_000 + part.unsigned_abs() * 10..4_003 + part.unsigned_abs() * 10, 1_000)
            .await;
    }
    let before = disk(&place, "journal").await;
    let table = "SELECT oid::int8 FROM pg_class WHERE relname = 'journal_0'";
    let first = number(&place.name, table).await;
    // All three thousand in one step.
    assert_eq!(sweep(&store, journal(seconds(500)), at(1_010)).await, (3_000, 0, 1));
    assert_ne!(number(&place.name, table).await, first, "another table is in its place");
    assert!(disk(&place, "journal").await < before / 2, "the space came back");
    let left = "SELECT count(*) FROM pg_class WHERE relname ~ '_(gone|kept)$'";
    assert_eq!(number(&place.name, left).await, 0);
    assert_counted(&place).await;
    assert!(store.events_by_seq(WS, &old[..5]).await.unwrap().is_empty());
    let late = (1..4).flat_map(|part| 4_000 + part * 10..4_003 + part * 10);
    assert_eq!(kept(&store).await, ids((3_000..3_003).chain(late)));
    assert_eq!(queued(&store, &lease).await, ids(3_001..3_003));
    // Nothing is copied again for the remaining events.
    let second = number(&place.name, table).await;
    assert_eq!(sweep(&store, journal(seconds(500)), at(1_010)).await, (0, 0, 0));
    assert_eq!(number(&place.name, table).await, second);
    // Once delivered or dropped, the events go, and with the last event the partition.
    deliver(&store, &lease, 2).await;
    assert_eq!(sweep(&store, journal(seconds(500)), at(1_010)).await.0, 2);
    assert_eq!(firsts(&place, JOURNAL).await[0], 0);
    let letters = Retention { dead_letters: seconds(10), ..journal(seconds(500)) };
    assert_eq!(sweep(&store, letters, at(1_010)).await.0, 1);
    assert_eq!(firsts(&place, JOURNAL).await[0], 1);
    assert_counted(&place).await;
    let store: SharedStore = place.open().await;
    assert_eq!(store.queue_states(WS, &[id]).await.unwrap()[0].pending, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_partition_that_is_mostly_pinned_goes_row_by_row() {
    let place = Place::new().await;
    let store = contract::open(&place).await;
    let id = endpoint(&store).await.id;
    append(&store, 0..100, 0).await;
    publish(&store, 100..150, id).await;
    go_on_in(&place, 1).await;
    append(&store, 200..201, 1_000).await;
    let table = "SELECT oid::int8 FROM pg_class WHERE relname = 'journal_0'";
    let first = number(&place.name, table).await;
    assert_eq!(sweep(&store, journal(seconds(500)), at(1_010)).await.0, 100);
    assert_eq!(number(&place.name, table).await, first);
    assert_eq!(queued(&store, &claim(&store, id).await).await, ids(100..150));
    assert_counted(&place).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_closed_partition_waits_until_all_of_it_may_go() {
    let place = Place::new().await;
    let store = contract::open(&place).await;
    for second in 0..10_i64 {
        let number = second.unsigned_abs() * 10;
        append(&store, number..number + 10, second).await;
    }
    go_on_in(&place, 1).await;
    append(&store, 100..110, 100).await;
    // Ten seconds are little beside a thousand, and much beside twenty.
    assert_eq!(sweep(&store, journal(seconds(1_000)), at(1_005)).await, (0, 0, 0));
    assert_eq!(kept(&store).await, ids(0..110));
    assert_eq!(sweep(&store, journal(seconds(1_000)), at(1_050)).await, (100, 0, 1));
    assert_eq!(kept(&store).await, ids(100..110));
    // The partition still being written goes row by row.
    append(&store, 110..120, 2_000).await;
    assert_eq!(sweep(&store, journal(seconds(1_000)), at(2_000)).await, (10, 0, 1));
    assert_eq!(kept(&store).await, ids(110..120));
    // By size: the first partition of four goes once the total is too much.
    for part in 2..6 {
        go_on_in(&place, part).await;
        let number = part.unsigned_abs() * 100;
        append(&store, number..number + 10, 2_000).await;
    }
    let bytes = |place| async move {
        let parts = parts(place, JOURNAL).await;
        parts.iter().map(|part| part.bytes).sum::<u64>()
    };
    let (all, each) = (bytes(&place).await, parts(&place, JOURNAL).await[1].bytes);
    let keep = |bytes| journal(Keep { age: None, bytes: Some(bytes) });
    assert_eq!(sweep(&store, keep(all - each), at(2_000)).await, (10, 0, 1));
    assert_eq!(sweep(&store, keep(all - each), at(2_000)).await, (0, 0, 0));
    assert_eq!(bytes(&place).await, all - each);
    assert_counted(&place).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_in_the_way_delays_the_drop_and_no_publisher() {
    let place = Place::new().await;
    let store = contract::open(&place).await;
    append(&store, 0..100, 0).await;
    go_on_in(&place, 1).await;
    append(&store, 100..101, 1_000).await;
    let database = Database::new(&SERVER.url(&place.name)).unwrap();
    let reader = database.begin().await.unwrap();
    reader.query("SELECT count(*) FROM journal", &[]).await.unwrap();
    let publish = async {
        for number in 200..220 {
            append(&store, number..number + 1, 1_000).await;
        }
    };
    let sweep_now = || sweep(&store, journal(seconds(500)), at(1_010));
    let both = async { tokio::join!(sweep_now(), publish) };
    let both = tokio::time::timeout(Duration::from_secs(5), both).await;
    let (swept, ()) = both.expect("publishers wait for the reader");
    assert_eq!(swept.0, 0, "it waits for the reader");
    assert_eq!(kept(&store).await.len(), 121);
    reader.commit().await.unwrap();
    assert_eq!(sweep_now().await, (100, 0, 1));
    database.close();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_that_sweep_at_once_are_one() {
    let place = Place::new().await;
    let one = contract::open(&place).await;
    let other = PostgresStore::open(options(&place.name)).await.unwrap();
    let other: SharedStore = Arc::new(other);
    let mut left = Vec::new();
    for part in 0..5 {
        go_on_in(&place, part).await;
        let number = part.unsigned_abs() * 100;
        append(&one, number..number + 50, part * 100).await;
        left.push(number..number + 50);
    }
    for (round, now) in [(1, 630), (2, 730), (3, 830)] {
        let keep = journal(seconds(600));
        let (a, b) = tokio::join!(sweep(&one, keep, at(now)), sweep(&other, keep, at(now)));
        // A sweep that finds the other node's sweep at work leaves the rest to the other, or to the next
        // sweep.
        let again = sweep(&one, keep, at(now)).await;
        assert_eq!(a.0 + b.0 + again.0, 50, "in round {round}");
        assert_eq!(kept(&other).await, ids(left[round..].iter().cloned().flatten()));
    }
    assert_counted(&place).await;
    other.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attempts_go_by_the_day() {
    let place = Place::new().await;
    let store = contract::open(&place).await;
    let id = endpoint(&store).await.id;
    let seqs: Vec<_> = publish(&store, 0..60, id).await.iter().map(|new| new.seq).collect();
    let lease = claim(&store, id).await;
    // Three a day for twenty days.
    let start = |n: i64| at(n * 8 * 3_600);
    for (n, seq) in (0..).zip(&seqs) {
        store.settle(&lease, delivered(&[*seq], start(n))).await.unwrap();
    }
    let listed = async |query: AttemptQuery| {
        let found = store.attempts(WS, id, query).await.unwrap().entries;
        found.iter().map(|attempt| attempt.record.events[0]).collect::<Vec<_>>()
    };
    let all = AttemptQuery { limit: 100, ..AttemptQuery::default() };
    let newest_first: Vec<_> = seqs.iter().rev().copied().collect();
    assert_eq!(listed(all.clone()).await, newest_first);
    let some = AttemptQuery { offset: 10, limit: 5, ..all.clone() };
    assert_eq!(listed(some).await, newest_first[10..15]);
    let some = AttemptQuery { from: Some(start(3)), until: Some(start(5)), ..all.clone() };
    assert_eq!(listed(some).await, [seqs[5], seqs[4], seqs[3]]);
    // A partition of attempts is a quarter of a day, so nothing goes row by row.
    let before = parts(&place, ATTEMPTS).await.len();
    let (_, gone, steps) = sweep(&store, log(days(10)), start(60)).await;
    assert!((29..=30).contains(&gone) && u64::from(steps) == gone, "{gone} in {steps} steps");
    assert!(parts(&place, ATTEMPTS).await.len() <= before - 29);
    assert_eq!(listed(all).await, newest_first[..60 - usize::try_from(gone).unwrap()]);
    assert_counted(&place).await;
}

async fn cells(store: &SharedStore, dataset: DatasetId, query: RowQuery) -> Vec<String> {
    let mut query = query;
    let mut cells = Vec::new();
    loop {
        let limit = RowLimit { rows: 3, bytes: u64::MAX };
        let page = store.rows_after(WS, PROJECT, dataset, query, limit).await.unwrap();
        cells.extend(page.rows.iter().map(|row| String::from_utf8_lossy(&row.cell).into_owned()));
        match page.next {
            Some(next) => query.after = Some(next),
            None => return cells,
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_stay_readable_in_order_over_partitions() {
    let place = Place::new().await;
    let store = contract::open(&place).await;
    let mut sources: Vec<(SourceId, DatasetId)> = Vec::new();
    for key in ["a", "b"] {
        let source = store.create_source(new_source(Mode::Combine, key), at(0)).await.unwrap();
        sources.push((source.id, source.dataset));
    }
    let (source, dataset) = sources[0];
    let mut batches = Vec::new();
    for n in 0..20_i64 {
        if n % 4 == 0 {
            sql(&place.name, &format!("SELECT setval('row_ids', {})", n * PART / 2 + 50)).await;
        }
        let cell = Bytes::from(n.to_string());
        batches.push(store.receive(source, cell, at(n * 60)).await.unwrap().batch);
        store.receive(sources[1].0, Bytes::from("0"), at(n * 60)).await.unwrap();
    }
    let texts = |numbers: std::ops::Range<i64>| numbers.map(|n| n.to_string()).collect::<Vec<_>>();
    let all = RowQuery::default();
    assert_eq!(cells(&store, dataset, all).await, texts(0..20));
    let backwards: Vec<_> = texts(0..20).into_iter().rev().collect();
    assert_eq!(cells(&store, dataset, RowQuery { newest_first: true, ..all }).await, backwards);
    let some = RowQuery { from: Some(at(5 * 60)), until: Some(at(11 * 60)), ..all };
    assert_eq!(cells(&store, dataset, some).await, texts(5..11));
    let limit = RowLimit { rows: 2, bytes: u64::MAX };
    let page = store.rows_at(WS, PROJECT, dataset, 14, limit).await.unwrap();
    assert_eq!(page.rows.iter().map(|row| &row.cell[..]).collect::<Vec<_>>(), [b"14", b"15"]);
    // No retention is of rows: a sweep leaves rows, and drops only empty partitions.
    sweep(&store, journal(seconds(1)), at(1_000_000)).await;
    assert_eq!(cells(&store, dataset, all).await, texts(0..20));
    let before = firsts(&place, ROWS).await;
    sweep(&store, journal(seconds(1)), at(1_000_000)).await;
    assert_eq!(firsts(&place, ROWS).await, before);
    store.delete_dataset(WS, PROJECT, sources[1].1).await.unwrap();
    let delete = batches[..4].iter().map(|batch| (*batch, BatchChange::Delete)).collect();
    store.change_batches(WS, PROJECT, dataset, delete, at(2_000)).await.unwrap();
    for _ in 0..3 {
        sweep(&store, journal(seconds(1)), at(1_000_000)).await;
    }
    let after = firsts(&place, ROWS).await;
    assert!(!after.contains(&0) && after.contains(&2), "{before:?} became {after:?}");
    assert_eq!(cells(&store, dataset, all).await, texts(4..20));
    let store: SharedStore = place.open().await;
    assert_eq!(cells(&store, dataset, all).await, texts(4..20));
}
