//! What the store's statements cost in a real PostgreSQL.
//!
//! The server is a private one with `fsync` on and its usual settings but for a larger cache. What
//! something costs is the processor time of the server's processes, as the kernel notes it: neither this
//! program counts, nor what else the machine does meanwhile. WAL and table sizes are the server's.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hookyard_core::catalogue;
use hookyard_core::clock::SystemClock;
use hookyard_core::entropy::SystemEntropy;
use hookyard_core::id::{EndpointId, EventTypeId, ProjectId, RequestId, Seq, WorkspaceId};
use hookyard_core::model::{
    EndpointSettings, Header, Mode, NewAttempt, NewEvent, NewSource, Outcome, Previous, Project,
    Secret, SourceOptions, Subscription, Workspace,
};
use hookyard_store::postgres::{LEASE_DEFAULT, Options, PostgresStore};
use hookyard_store::{HeadLimit, NewWorkspace, SharedStore};
use hookyard_testkit::Postgres;
use jiff::Timestamp;
use tokio_postgres::{Client, NoTls};

type Failure = Box<dyn std::error::Error>;

const WS: WorkspaceId = WorkspaceId(1);
const PROJECT: ProjectId = ProjectId(1);
const ORDER_CREATE: EventTypeId = EventTypeId(22);

/// Endpoints that exist; a tenth of them is subscribed to each event where the fan-out is ten.
const ENDPOINTS: usize = 100;

/// Published object's size, as in the benchmark: some 0.9 KB with its envelope.
const OBJECT: usize = 850;

/// Measures and prints.
pub(crate) fn run() -> Result<(), Failure> {
    let settings = ["shared_buffers=256MB", "max_wal_size=4GB"];
    let server = Postgres::start(&settings)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(measure(&server))
}

struct Bench {
    store: SharedStore,
    client: Client,
    endpoints: Vec<EndpointId>,
    published: u64,
}

async fn measure(server: &Postgres) -> Result<(), Failure> {
    let mut bench = Bench::open(server).await?;
    // So that plans are made for tables that have something, as they are in the long run.
    bench.publish(500, 1, 20).await?;
    bench.client.batch_execute("ANALYZE").await?;
    println!("what: at a time | ms of processor a batch | WAL bytes each");
    for (batch, fan_out, rounds) in [
        (1, 0, 300),
        (100, 0, 60),
        (500, 0, 20),
        (1, 1, 300),
        (100, 1, 60),
        (500, 1, 20),
        (500, 10, 20),
    ] {
        let cost = bench.begin().await?;
        bench.publish(batch, fan_out, rounds).await?;
        let (ms, wal) = bench.since(&cost).await?;
        let (ms, wal) = (ms / rounds as f64, wal / (batch * rounds) as f64);
        println!("publish, fan-out {fan_out:>2}: {batch:>4} | {ms:>7.2} | {wal:>6.0}");
    }
    for (attempts, events, rounds) in [(1, 1, 200), (1, 100, 100), (50, 1, 20), (50, 20, 20)] {
        bench.settling(attempts, events, rounds).await?;
    }
    for (deliveries, rounds) in [(1, 200), (100, 20)] {
        bench.receiving(deliveries, rounds).await?;
    }
    bench.sizes().await
}

/// What was spent when something began.
struct Spent {
    wal: String,
    nanoseconds: u64,
}

impl Bench {
    async fn open(server: &Postgres) -> Result<Self, Failure> {
        let url = server.url("postgres");
        let (client, connection) = tokio_postgres::connect(&url, NoTls).await?;
        tokio::spawn(connection);
        let options = Options {
            url: Secret::new(url),
            key: [7; 32],
            entropy: Arc::new(SystemEntropy),
            clock: Arc::new(SystemClock::new()),
            lease: LEASE_DEFAULT,
        };
        let store: SharedStore = Arc::new(PostgresStore::open(options).await?);
        let named = |name: &str| name.to_owned();
        let workspace = NewWorkspace {
            workspace: Workspace { id: WS, merchant: named("DEMO"), name: named("DEMO") },
            project: Project { id: PROJECT, name: named("Project") },
            catalogue: catalogue::initial().clone(),
            credentials: Vec::new(),
        };
        store.create_workspace(workspace).await?;
        let mut endpoints = Vec::new();
        for _ in 0..ENDPOINTS {
            let settings = EndpointSettings::to_url("https://x.test/h");
            let subscription = Subscription {
                event_type: ORDER_CREATE,
                active: true,
                expansion: None,
                comments: None,
                rule: None,
            };
            let made = store.create_endpoint(WS, settings, vec![subscription], moment(0)).await?;
            endpoints.push(made.id);
        }
        Ok(Self { store, client, endpoints, published: 0 })
    }

    /// Publishes batches; each is one call, so one statement.
    async fn publish(
        &mut self,
        batch: usize,
        fan_out: usize,
        rounds: usize,
    ) -> Result<(), Failure> {
        for _ in 0..rounds {
            let mut events = Vec::with_capacity(batch);
            for _ in 0..batch {
                self.published += 1;
                events.push(event(self.published, &self.endpoints, fan_out));
            }
            self.store.append(WS, events, moment(self.published)).await?;
        }
        Ok(())
    }

    /// Settles bundles of as many endpoints at a time.
    async fn settling(
        &mut self,
        attempts: usize,
        events: usize,
        rounds: usize,
    ) -> Result<(), Failure> {
        let endpoints = self.endpoints[..attempts].to_vec();
        // Everything in every queue.
        self.publish(100, ENDPOINTS, (events * rounds).div_ceil(100) + 1).await?;
        let mut leases = Vec::new();
        for endpoint in endpoints {
            leases.push(self.store.claim(endpoint).await?.ok_or("an endpoint is taken")?);
        }
        let spent = self.begin().await?;
        for _ in 0..rounds {
            let mut under_way = tokio::task::JoinSet::new();
            for lease in leases.clone() {
                let (store, n) = (Arc::clone(&self.store), self.published);
                under_way.spawn(async move {
                    let limit = HeadLimit { events, bytes: 1 << 20 };
                    let head = store.head(&lease, limit).await?;
                    let seqs: Vec<Seq> = head.entries.iter().map(|e| e.event.seq).collect();
                    store.settle(&lease, attempt(seqs, n)).await.map(drop)
                });
            }
            while let Some(done) = under_way.join_next().await {
                done??;
            }
        }
        let (ms, wal) = self.since(&spent).await?;
        let (ms, wal) = (ms / rounds as f64, wal / (attempts * rounds) as f64);
        println!("head and settle, {events:>3} events: {attempts:>3} | {ms:>7.2} | {wal:>6.0}");
        Ok(())
    }

    async fn receiving(&mut self, deliveries: usize, rounds: usize) -> Result<(), Failure> {
        let new = NewSource {
            workspace: WS,
            project: PROJECT,
            name: format!("Source {deliveries}"),
            mode: Mode::Combine,
            origins: "*".to_owned(),
            secret: None,
            key: format!("key-{deliveries}"),
            folder: None,
            options: SourceOptions::default(),
            previous: Previous::default(),
        };
        let source = self.store.create_source(new, moment(0)).await?.id;
        let spent = self.begin().await?;
        for _ in 0..rounds {
            let mut under_way = tokio::task::JoinSet::new();
            for _ in 0..deliveries {
                let store = Arc::clone(&self.store);
                let cell = Bytes::from(object(7));
                under_way
                    .spawn(async move { store.receive(source, cell, moment(1)).await.map(drop) });
            }
            while let Some(done) = under_way.join_next().await {
                done??;
            }
        }
        let (ms, wal) = self.since(&spent).await?;
        let (ms, wal) = (ms / rounds as f64, wal / (deliveries * rounds) as f64);
        println!("receive: {deliveries:>3} | {ms:>7.2} | {wal:>6.0}");
        Ok(())
    }

    /// Bytes on disk of a row of each table, with its indexes.
    async fn sizes(&self) -> Result<(), Failure> {
        println!("bytes of a row on disk: table | heap and TOAST | indexes | rows");
        for table in ["journal", "attempts", "rows"] {
            let sql = format!(
                "SELECT sum(pg_table_size(inhrelid))::float8, sum(pg_indexes_size(inhrelid))::float8, \
                 (SELECT count(*) FROM {table})::float8 FROM pg_inherits i \
                 JOIN pg_class c ON c.oid = i.inhrelid \
                 WHERE inhparent = '{table}'::regclass AND c.relkind = 'r'"
            );
            let row = self.client.query_one(&sql, &[]).await?;
            let (heap, indexes, rows): (f64, f64, f64) = (row.get(0), row.get(1), row.get(2));
            println!("{table:>9} | {:>6.0} | {:>6.0} | {rows}", heap / rows, indexes / rows);
        }
        Ok(())
    }

    async fn begin(&self) -> Result<Spent, Failure> {
        let sql = "SELECT pg_current_wal_insert_lsn()::text";
        let wal = self.client.query_one(sql, &[]).await?.get(0);
        Ok(Spent { wal, nanoseconds: self.nanoseconds().await? })
    }

    /// Milliseconds of processor time, and bytes of WAL.
    async fn since(&self, begin: &Spent) -> Result<(f64, f64), Failure> {
        let nanoseconds = self.nanoseconds().await?.saturating_sub(begin.nanoseconds);
        let sql = format!("SELECT (pg_current_wal_insert_lsn() - '{}'::pg_lsn)::float8", begin.wal);
        Ok((nanoseconds as f64 / 1e6, self.client.query_one(&sql, &[]).await?.get(0)))
    }

    /// The processor time of all of the server's processes but the one that is asked, and autovacuum.
    async fn nanoseconds(&self) -> Result<u64, Failure> {
        let sql = "SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type <> 'autovacuum worker'";
        let mut sum = 0;
        for row in self.client.query(sql, &[]).await? {
            let pid: i32 = row.get(0);
            // One that ended meanwhile is none of the store's.
            let spent =
                std::fs::read_to_string(format!("/proc/{pid}/schedstat")).unwrap_or_default();
            let own = spent.split_whitespace().next().and_then(|text| text.parse::<u64>().ok());
            sum += own.unwrap_or_default();
        }
        Ok(sum)
    }
}

/// Some second of a day in 2026.
fn moment(second: u64) -> Timestamp {
    let second = i64::try_from(second % 86_400).unwrap_or_default();
    Timestamp::from_second(1_780_000_000 + second).unwrap_or_default()
}

/// An order with text that is not all the same, so that it is not compressed to nothing.
fn object(number: u64) -> String {
    let mut text = format!(r#"{{"order_id":"DEMO-{number}","text":""#);
    let mut state = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    while text.len() < OBJECT {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        text.push_str(&format!("{:x} ", state & 0xFFFF));
    }
    text.push_str("\"}");
    text
}

fn event(number: u64, endpoints: &[EndpointId], fan_out: usize) -> NewEvent {
    let begin = usize::try_from(number).unwrap_or_default();
    NewEvent {
        event_type: ORDER_CREATE,
        id: format!("5f0c9d9e-0000-4000-8000-{number:012}"),
        source: "/shop".to_owned(),
        attributes: String::new(),
        object: Bytes::from(object(number)),
        matched: (0..fan_out).map(|n| endpoints[(begin + n) % endpoints.len()]).collect(),
        matched_at: u64::MAX,
    }
}

fn attempt(events: Vec<Seq>, second: u64) -> NewAttempt {
    let header =
        |name: &str, value: &str| Header { name: name.to_owned(), value: value.to_owned() };
    NewAttempt {
        request_id: RequestId::new(&SystemEntropy, moment(second)),
        revision: 1,
        started_at: moment(second),
        duration: Duration::from_millis(12),
        queue_delay: Duration::from_millis(34),
        advance: u32::try_from(events.len()).unwrap_or_default(),
        events,
        entries: Vec::new(),
        event_types: vec![ORDER_CREATE],
        order_ids: vec!["DEMO-1".to_owned()],
        park: false,
        refusals: 0,
        retry_at: None,
        failures: 0,
        url: "https://receiver.example.com/webhooks/orders".to_owned(),
        request_headers: vec![
            header("content-type", "application/json"),
            header("webhook-id", "msg_2KWPBgLlAfxdpx2AI54pPJ85f4W"),
            header("webhook-timestamp", "1780000000"),
            header("webhook-signature", "v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4="),
        ],
        outcome: Outcome {
            status: Some(200),
            response_headers: vec![
                header("content-type", "application/json"),
                header("date", "Thu, 28 May 2026 20:26:40 GMT"),
                header("content-length", "15"),
            ],
            response: Some(r#"{"status":"ok"}"#.to_owned()),
            error: None,
        },
    }
}
