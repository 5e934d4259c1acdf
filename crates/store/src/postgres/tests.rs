use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{LazyLock, Mutex};

use hookyard_core::clock::SystemClock;
use hookyard_core::entropy::SystemEntropy;
use hookyard_core::model::{EndpointSettings, Mode};
use hookyard_testkit::Postgres;
use tokio::sync::OnceCell;

use super::*;
use crate::check::Report;
use crate::contract::{self, Fixture};
use crate::{
    CatalogStore, CredentialChange, CredentialQuery, CredentialStore, QueueStore, SharedStore,
    SourceStore, TenantStore,
};

mod growth;
mod health;
mod plans;
mod shares;

/// A single server for all tests of the process, or of several processes.
static SERVER: LazyLock<Postgres> = LazyLock::new(|| Postgres::shared().expect("no PostgreSQL"));

/// So long that no lease ends by itself while a test runs.
const LEASE: Duration = Duration::from_secs(600);

static TEMPLATE: OnceCell<()> = OnceCell::const_new();
static DATABASES: AtomicU32 = AtomicU32::new(0);

/// A name that no database has yet.
fn new_name() -> String {
    format!("test_{}_{}", std::process::id(), DATABASES.fetch_add(1, Ordering::Relaxed))
}

pub(crate) fn options(database: &str) -> Options {
    let url = Secret::new(SERVER.url(database));
    let (clock, entropy) = (Arc::new(SystemClock::new()), Arc::new(SystemEntropy));
    Options { url, key: [7; 32], entropy, clock, lease: LEASE }
}

pub(crate) async fn sql(database: &str, statement: &str) {
    let database = Database::new(&SERVER.url(database)).unwrap();
    database.get().await.unwrap().batch(statement).await.unwrap();
    database.close();
}

/// The number that a query returns.
async fn number(database: &str, query: &str) -> i64 {
    let database = Database::new(&SERVER.url(database)).unwrap();
    let number = database.get().await.unwrap().one(query, &[]).await.unwrap().get_as(0).unwrap();
    database.close();
    number
}

/// A separate database, copied from a migrated database.
pub(crate) struct Place {
    pub(crate) name: String,
    /// The store opened last; the store crashes when another is opened.
    last: Mutex<Option<Arc<PostgresStore>>>,
}

impl Place {
    pub(crate) async fn new() -> Self {
        TEMPLATE.get_or_init(prepare).await;
        let name = new_name();
        sql("postgres", &format!("CREATE DATABASE {name} TEMPLATE migrated")).await;
        Self { name, last: Mutex::new(None) }
    }

    pub(crate) async fn open(&self) -> Arc<PostgresStore> {
        let last = self.last.lock().unwrap().take();
        if let Some(last) = last {
            // As if the process had been killed a lease ago.
            last.tasks.stop();
            let node = last.node;
            sql(&self.name, &format!("UPDATE nodes SET until = '-infinity' WHERE id = {node}"))
                .await;
        }
        let store = Arc::new(PostgresStore::open(options(&self.name)).await.unwrap());
        *self.last.lock().unwrap() = Some(Arc::clone(&store));
        store
    }
}

/// Makes the template, unless another process made the template on the same server.
async fn prepare() {
    let database = Database::new(&SERVER.url("postgres")).unwrap();
    let conn = database.get().await.unwrap();
    conn.batch("SELECT pg_advisory_lock(1)").await.unwrap();
    let complete =
        "SELECT count(*) > 0 FROM pg_database WHERE datname = 'migrated' AND NOT datallowconn";
    if !conn.one(complete, &[]).await.unwrap().get_as::<bool>(0).unwrap() {
        make_template().await;
    }
    conn.batch("SELECT pg_advisory_unlock(1)").await.unwrap();
    drop(conn);
    database.close();
}

async fn make_template() {
    // A process that ended too early may have left a part.
    sql("postgres", "DROP DATABASE IF EXISTS migrated WITH (FORCE)").await;
    sql("postgres", "CREATE DATABASE migrated").await;
    let store = PostgresStore::open(options("migrated")).await.unwrap();
    store.close().await.unwrap();
    drop(store);
    let gone = "SELECT count(*) = 0 FROM pg_stat_activity WHERE datname = 'migrated'";
    let database = Database::new(&SERVER.url("postgres")).unwrap();
    let conn = database.get().await.unwrap();
    while !conn.one(gone, &[]).await.unwrap().get_as::<bool>(0).unwrap() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    sql("postgres", "ALTER DATABASE migrated WITH ALLOW_CONNECTIONS false").await;
}

#[async_trait]
impl Fixture for Place {
    async fn open(&self) -> SharedStore {
        Place::open(self).await
    }

    async fn check(&self) -> Option<Report> {
        Some(checked(&self.name, [7; 32]).await)
    }

    async fn tamper(&self, statement: &str) {
        sql(&self.name, statement).await;
    }
}

/// What a check says of a database.
async fn checked(database: &str, key: [u8; 32]) -> Report {
    let url = Secret::new(SERVER.url(database));
    PostgresStore::check(&url, &key, &mut |_, _| Ok(())).await.unwrap()
}

contract::suite!(Place::new().await);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stores_of_earlier_formats_are_read_back_and_go_on() {
    read_back_and_go_on(include_bytes!("fixtures/format-2.sql.zst")).await;
    read_back_and_go_on(include_bytes!("fixtures/format-6.sql.zst")).await;
}

async fn read_back_and_go_on(packed: &[u8]) {
    let name = new_name();
    sql("postgres", &format!("CREATE DATABASE {name}")).await;
    let dump = contract::earlier::unpacked(packed);
    // Without the lines for `psql`, and the search path, which the connection keeps.
    let kept = |line: &&str| !line.starts_with('\\') && !line.contains("'search_path'");
    let dump: Vec<_> = str::from_utf8(&dump).unwrap().lines().filter(kept).collect();
    sql(&name, &dump.join("\n")).await;
    let options = Options { key: [0x5e; 32], ..options(&name) };
    let store = Arc::new(PostgresStore::open(options).await.unwrap());
    contract::earlier::is_read_back_and_goes_on(store).await;
    let report = checked(&name, [0x5e; 32]).await;
    assert!(report.is_whole(), "{report:#?}");
}

/// Waits until so many nodes have renewed and listen; no node renews again while a test runs.
async fn attended(store: &PostgresStore, nodes: i64) {
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
               AND state = 'idle' AND query LIKE 'INSERT INTO nodes%'";
    let conn = store.db.get().await.unwrap();
    while conn.one(sql, &[]).await.unwrap().get_as::<i64>(0).unwrap() < nodes {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_is_replaced_when_its_moment_has_passed_and_it_is_not_being_renewed() {
    let place = Place::new().await;
    let store = contract::open(&place).await;
    let id = contract::endpoint(&store).await.id;
    let first = place.last.lock().unwrap().clone().unwrap();
    let second = PostgresStore::open(options(&place.name)).await.unwrap();
    attended(&second, 2).await;
    let lease = first.claim(id).await.unwrap().unwrap();
    assert_eq!(second.claim(id).await.unwrap(), None);

    // The node's moment has passed, and the renewal is under way.
    let late = format!("UPDATE nodes SET until = '-infinity' WHERE id = {}", first.node);
    sql(&place.name, &late).await;
    let renewal = second.db.begin().await.unwrap();
    renewal.execute(nodes::RENEW, &[&first.node, &600_000_i64]).await.unwrap();
    assert_eq!(second.claim(id).await.unwrap(), None);
    let conn = second.db.get().await.unwrap();
    assert!(nodes::free_the_dead(&conn).await.unwrap().is_empty());
    assert!(first.head(&lease, contract::ALL).await.is_ok());

    // The renewal fails.
    renewal.batch("ROLLBACK").await.unwrap();
    let other = second.claim(id).await.unwrap().unwrap();
    assert!(other.epoch > lease.epoch);
    assert!(matches!(first.head(&lease, contract::ALL).await, Err(StoreError::LeaseLost)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_dead_node_had_is_freed_and_what_one_gave_back_is_offered() {
    let place = Place::new().await;
    let store = contract::open(&place).await;
    let id = contract::endpoint(&store).await.id;
    let first = place.last.lock().unwrap().clone().unwrap();
    let second = PostgresStore::open(options(&place.name)).await.unwrap();
    attended(&second, 2).await;
    let lease = first.claim(id).await.unwrap().unwrap();
    sql(&place.name, "UPDATE nodes SET until = '-infinity'").await;
    let conn = second.db.get().await.unwrap();
    assert_eq!(nodes::free_the_dead(&conn).await.unwrap(), [id]);
    nodes::forget_the_dead(&conn).await.unwrap();
    assert!(conn.query("SELECT FROM nodes", &[]).await.unwrap().is_empty());
    assert!(first.release(lease).await.is_ok(), "it has nothing to give back");

    second.claim(id).await.unwrap().unwrap();
    first.ready().take();
    second.close().await.unwrap();
    let heard = tokio::time::timeout(BATCH_MAX, first.ready().next()).await;
    assert_eq!(heard.unwrap(), [id]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_beside_the_nodes_is_none() {
    let place = Place::new().await;
    contract::open(&place).await;
    let beside = PostgresStore::beside(options(&place.name)).await.unwrap();
    assert_eq!(beside.workspaces().await.unwrap().len(), 2);
    let sql = "SELECT FROM nodes WHERE id = $1";
    assert!(beside.db.get().await.unwrap().opt(sql, &[&beside.node]).await.unwrap().is_none());
    assert_eq!(beside.tenure().left(&SystemClock::new()), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_that_was_sealed_opens_with_the_new_key_and_only_with_it() {
    let place = Place::new().await;
    let store = contract::open(&place).await;
    let mut settings = EndpointSettings::to_url("https://x.test/h");
    settings.basic_password = Some(Secret::new("a-canary"));
    store.create_endpoint(contract::WS, settings, Vec::new(), contract::at(0)).await.unwrap();
    let source = contract::new_source(Mode::Combine, "key-1");
    let source = store.create_source(source, contract::at(0)).await.unwrap();
    let endpoints = store.endpoints(contract::WS).await.unwrap();
    let (old, new) = (options(&place.name), Options { key: [8; 32], ..options(&place.name) });
    let rotate = |from: [u8; 32]| {
        let url = old.url.clone();
        async move { PostgresStore::rotate_key(&url, &from, &[8; 32], &SystemEntropy).await }
    };
    assert!(matches!(rotate(old.key).await, Err(StoreError::Conflict(_))), "a node is alive");
    store.close().await.unwrap();

    assert!(rotate([9; 32]).await.is_err(), "neither key opens it");
    assert_eq!(rotate(old.key).await.unwrap(), 3);
    assert_eq!(rotate(old.key).await.unwrap(), 3, "again, after a crash");
    assert!(PostgresStore::open(old.clone()).await.is_err());
    let after = PostgresStore::open(new).await.unwrap();
    assert_eq!(after.endpoints(contract::WS).await.unwrap(), endpoints);
    assert_eq!(after.source_by_key("key-1").await.unwrap(), Some(source));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_nodes_hear_of_what_was_taken_from_a_credential() {
    let place = Place::new().await;
    contract::open(&place).await;
    let first = place.last.lock().unwrap().clone().unwrap();
    let second = PostgresStore::open(options(&place.name)).await.unwrap();
    attended(&second, 2).await;
    let found = first.credentials(contract::WS, CredentialQuery { limit: 1, ..Default::default() });
    let id = found.await.unwrap()[0].id;
    // A command is no node, and says so too.
    let command = PostgresStore::beside(options(&place.name)).await.unwrap();
    let disabled = CredentialChange { disabled: Some(true), ..CredentialChange::default() };
    let before = (first.credentials_changed(), second.credentials_changed());
    command.change_credential(contract::WS, id, disabled).await.unwrap();
    while first.credentials_changed() == before.0 || second.credentials_changed() == before.1 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
