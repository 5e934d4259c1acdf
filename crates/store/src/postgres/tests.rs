use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{LazyLock, Mutex};

use hookyard_core::entropy::SystemEntropy;
use hookyard_testkit::Postgres;
use tokio::sync::OnceCell;

use super::*;
use crate::SharedStore;
use crate::contract::{self, Fixture};

mod growth;
mod plans;

/// One server for all tests of the process. What is on its disk need not survive it.
static SERVER: LazyLock<Postgres> = LazyLock::new(|| {
    let settings = ["fsync=off", "full_page_writes=off", "autovacuum=off", "shared_buffers=64MB"];
    Postgres::start(&settings).expect("no PostgreSQL")
});

/// So long that no lease ends by itself while a test runs.
const LEASE: Duration = Duration::from_secs(600);

static TEMPLATE: OnceCell<()> = OnceCell::const_new();
static DATABASES: AtomicU32 = AtomicU32::new(0);

pub(crate) fn options(database: &str) -> Options {
    let url = Secret::new(SERVER.url(database));
    Options { url, key: [7; 32], entropy: Arc::new(SystemEntropy), lease: LEASE }
}

pub(crate) async fn sql(database: &str, statement: &str) {
    let database = Database::new(&SERVER.url(database)).unwrap();
    database.get().await.unwrap().batch(statement).await.unwrap();
    database.close();
}

/// The number that a query answers.
async fn number(database: &str, query: &str) -> i64 {
    let database = Database::new(&SERVER.url(database)).unwrap();
    let number = database.get().await.unwrap().one(query, &[]).await.unwrap().get_as(0).unwrap();
    database.close();
    number
}

/// A database of its own, a copy of one that is migrated already.
pub(crate) struct Place {
    pub(crate) name: String,
    /// The store that was opened last; it crashes when another is opened.
    last: Mutex<Option<Arc<PostgresStore>>>,
}

impl Place {
    pub(crate) async fn new() -> Self {
        TEMPLATE.get_or_init(prepare).await;
        let name = format!("test_{}", DATABASES.fetch_add(1, Ordering::Relaxed));
        sql("postgres", &format!("CREATE DATABASE {name} TEMPLATE migrated")).await;
        Self { name, last: Mutex::new(None) }
    }

    pub(crate) async fn open(&self) -> Arc<PostgresStore> {
        let last = self.last.lock().unwrap().take();
        if let Some(last) = last {
            // As if it had been killed a lease ago.
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

async fn prepare() {
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
}

contract::suite!(Place::new().await);
