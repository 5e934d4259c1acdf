//! The backend for many nodes: one PostgreSQL database, shared by all nodes.
//!
//! The database is the only truth; a node keeps no state that must be written down. The simultaneous wishes
//! of many callers go to the database in one statement ([`batches`]): publishes ([`journal`]), settlements
//! ([`settle`]) and receives ([`datasets`]), each in one round trip for a whole batch, whatever the fan-out.
//! An endpoint's new entries are one row for each transaction ([`queue`]), not one for each event. The
//! ownership of endpoints is in [`nodes`].

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use async_trait::async_trait;
use hookyard_core::clock::Clock;
use hookyard_core::entropy::Entropy;
use hookyard_core::model::Secret;
use tokio::sync::Notify;

use crate::places::Places;
use crate::standing::Standing;
use crate::vault::Vault;
use crate::{Ready, Store, StoreError, Tenure};

mod address;
mod applications;
pub(crate) mod arriving;
mod attempts;
mod audit;
mod batches;
mod catalog;
mod check;
mod columns;
mod credentials;
mod customers;
mod database;
mod dataset_rows;
mod datasets;
mod dead_letters;
mod discard;
mod event_types;
mod folders;
mod freshness;
mod gaps;
mod jobs;
mod journal;
mod journal_rows;
mod limits;
mod migrate;
mod nodes;
mod oauth;
pub(crate) mod partitions;
mod projects;
mod queue;
mod queue_rows;
mod receiving;
mod rekey;
mod replays;
mod requeue;
mod retention;
mod settle;
mod sources;
mod span;
mod tenants;
#[cfg(test)]
pub(crate) mod tests;
mod tls;
mod trash;
mod upkeep;
mod versions;
mod weights;

use batches::Batches;
use columns::Columns;
use database::{Conn, Database};

/// How long a batch may take. Afterwards callers are told to try again; a batch takes milliseconds, so the
/// database is then not well.
const BATCH_MAX: Duration = Duration::from_secs(10);

/// How long a node owns its endpoints without renewing: the time to replace a killed node. Short enough that
/// receivers hardly notice, long enough for a database that restarts.
pub const LEASE_DEFAULT: Duration = Duration::from_secs(10);

/// Rows of a number that a check of the database's health writes: 72 KiB. A publish of some tens of kilobytes
/// must have room when the answer is yes. At most one check a second makes the rows a trickle.
const PROBE_ROWS: u32 = 2_048;

/// The sealed text that shows a wrong encryption key.
const PROOF: &str = "hookyard";

/// The place for sealing the proof.
const PROOF_PLACE: &str = "installation";

/// How to open a store.
#[derive(Clone)]
pub struct Options {
    /// Where the database is: `postgres://user:password@host:port/name`.
    pub url: Secret,
    /// The installation's encryption key; the same on every node.
    pub key: [u8; 32],
    /// Where nonces come from.
    pub entropy: Arc<dyn Entropy>,
    /// The clock that measures the time until the lease's end, the same as the engine's.
    pub clock: Arc<dyn Clock>,
    /// How long this node owns its endpoints without renewing.
    pub lease: Duration,
}

/// The store shared by many nodes.
#[derive(Debug)]
pub struct PostgresStore {
    db: Arc<Database>,
    vault: Arc<Vault>,
    entropy: Arc<dyn Entropy>,
    node: i64,
    ready: Arc<Ready>,
    replays: Arc<Ready>,
    /// How often another process may have taken something away from a credential.
    credentials: Arc<AtomicU64>,
    appends: Batches<journal::Appending>,
    settles: Batches<settle::Settling>,
    receives: Batches<datasets::Receiving>,
    fresh: Batches<freshness::Freshness>,
    places: Places,
    /// The number of its newest events among which a workspace finds repeats.
    share: Arc<journal::Share>,
    tenure: Tenure,
    standing: Standing,
    tasks: upkeep::Tasks,
}

impl PostgresStore {
    /// Connects, migrates the database to the newest format and becomes one of the nodes.
    pub async fn open(options: Options) -> Result<Self, StoreError> {
        let Options { clock, lease, .. } = options.clone();
        let mut store = Self::beside(options).await?;
        let upkeep = upkeep::Upkeep {
            db: Arc::clone(&store.db),
            clock,
            node: store.node,
            lease,
            tenure: store.tenure.clone(),
            ready: Arc::clone(&store.ready),
            replays: Arc::clone(&store.replays),
            credentials: Arc::clone(&store.credentials),
            share: Arc::clone(&store.share),
            missed: Notify::new(),
            standing: store.standing.clone(),
        };
        store.tasks = upkeep.start().await?;
        // A move or a change of the key that began meanwhile has found this node, or is found here.
        if let Err(error) = store.fit().await {
            nodes::leave(&store.db.get().await?, store.node).await?;
            return Err(error);
        }
        Ok(store)
    }

    /// Whether this process may work on the database as found.
    async fn fit(&self) -> Result<(), StoreError> {
        arriving::refuse_unfinished(&self.db.get().await?).await?;
        prove(self.db.begin().await?, &self.vault, &*self.entropy).await
    }

    /// The same for a process without deliveries, so neither a node nor a listener for work.
    pub async fn beside(options: Options) -> Result<Self, StoreError> {
        let Options { url, key, entropy, .. } = options;
        let db = Arc::new(Database::new(url.expose())?);
        migrate::migrate(db.get().await?).await?;
        partitions::make(db.get().await?, &[]).await?;
        arriving::refuse_unfinished(&db.get().await?).await?;
        let vault = Arc::new(Vault::new(&key));
        prove(db.begin().await?, &vault, &*entropy).await?;
        let node = db.get().await?.one("SELECT nextval('node_ids')", &[]).await?.get_as(0)?;
        let (ready, replays) = (Arc::<Ready>::default(), Arc::<Ready>::default());
        let share = Arc::<journal::Share>::default();
        let appending =
            journal::Appending { node, ready: Arc::clone(&ready), share: Arc::clone(&share) };
        let receiving =
            datasets::Receiving { node, ready: Arc::clone(&ready), share: Arc::clone(&share) };
        let settling = settle::Settling { node, replays: Arc::clone(&replays) };
        Ok(Self {
            appends: Batches::start(Arc::clone(&db), appending),
            settles: Batches::start(Arc::clone(&db), settling),
            receives: Batches::start(Arc::clone(&db), receiving),
            fresh: Batches::start(Arc::clone(&db), freshness::Freshness),
            places: Places::default(),
            db,
            vault,
            entropy,
            node,
            ready,
            replays,
            credentials: Arc::default(),
            share,
            tenure: Tenure::over(),
            standing: Standing::default(),
            tasks: upkeep::Tasks::default(),
        })
    }
}

#[async_trait]
impl Store for PostgresStore {
    async fn health(&self) -> Result<(), StoreError> {
        self.standing.refuse_failed()?;
        // A new file must take room from the disk. A replaced row need not, since the row finds its old place
        // again on an otherwise full disk. Nobody else ever sees the table, so the check waits for no lock,
        // such as a backup's.
        let table = format!(
            "CREATE TABLE probe_{} AS SELECT number FROM generate_series(1, {PROBE_ROWS}) AS number",
            self.node
        );
        let tx = self.db.get().await?.within(BATCH_MAX).begin().await?;
        tx.batch(&table).await?;
        tx.roll_back().await?;
        // A harmless write, and a commit.
        let sql = "UPDATE installation SET id = 1 WHERE id = 1";
        self.db.get().await?.within(BATCH_MAX).execute(sql, &[]).await.map(drop)
    }

    async fn failed(&self) -> String {
        self.standing.failed().await
    }

    async fn close(&self) -> Result<(), StoreError> {
        self.tasks.stop();
        let conn = self.db.get().await?.within(BATCH_MAX);
        nodes::leave(&conn, self.node).await?;
        drop(conn);
        self.db.close();
        Ok(())
    }
}

/// Whether the key is the key of the sealed secrets in the database. The first node to come decides on the
/// key.
async fn prove(tx: Conn, vault: &Vault, entropy: &dyn Entropy) -> Result<(), StoreError> {
    let row = tx.one("SELECT key_proof FROM installation FOR UPDATE", &[]).await?;
    match row.get_as::<Option<&[u8]>>(0)? {
        Some(sealed) => vault.open(PROOF_PLACE, sealed).map(drop).map_err(|_| {
            StoreError::internal(
                "the encryption key is not the one that this database's secrets were sealed with: \
                 every node needs the same key",
            )
        })?,
        None => {
            let sealed = vault.seal(entropy, PROOF_PLACE, &Secret::new(PROOF))?;
            tx.execute("UPDATE installation SET key_proof = $1", &[&sealed]).await?;
        }
    }
    tx.commit().await
}
