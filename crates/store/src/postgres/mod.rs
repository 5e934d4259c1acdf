//! The backend for many nodes: one PostgreSQL database that all of them share.
//!
//! The database is the only truth; a node keeps nothing that it would have to write down. What many
//! callers want at the same time goes there in one statement ([`batches`]): publishes ([`journal`]),
//! settlements ([`settle`]) and receives ([`datasets`]), each in one round trip for a whole batch,
//! whatever its fan-out. An endpoint's new entries are one row for each transaction ([`queue`]), not
//! one for each event. Who works on which endpoint is in [`nodes`].

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use hookyard_core::entropy::Entropy;
use hookyard_core::model::Secret;

use crate::places::Places;
use crate::vault::Vault;
use crate::{Ready, Store, StoreError};

mod applications;
pub(crate) mod arriving;
mod attempts;
mod audit;
mod batches;
mod catalog;
mod columns;
mod credentials;
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
mod limits;
mod migrate;
mod nodes;
mod oauth;
mod partitions;
mod queue;
mod receiving;
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
mod versions;

use batches::Batches;
use columns::Columns;
use database::{Conn, Database};

/// How long one batch may take. Callers are told to try again after that; a batch takes milliseconds,
/// so the database is then not well.
const BATCH_MAX: Duration = Duration::from_secs(10);

/// How long a node owns its endpoints without renewing: a node that is killed is replaced in this
/// time. Short enough that receivers hardly notice, long enough for a database that restarts.
pub const LEASE_DEFAULT: Duration = Duration::from_secs(10);

/// What is sealed to tell a wrong encryption key.
const PROOF: &str = "hookyard";

/// How to open a store.
#[derive(Clone)]
pub struct Options {
    /// Where the database is: `postgres://user:password@host:port/name`.
    pub url: Secret,
    /// The installation's encryption key; the same on every node.
    pub key: [u8; 32],
    /// Where nonces come from.
    pub entropy: Arc<dyn Entropy>,
    /// How long this node owns its endpoints without renewing.
    pub lease: Duration,
}

/// The store that many nodes share.
#[derive(Debug)]
pub struct PostgresStore {
    db: Arc<Database>,
    vault: Arc<Vault>,
    entropy: Arc<dyn Entropy>,
    node: i64,
    ready: Arc<Ready>,
    replays: Arc<Ready>,
    appends: Batches<journal::Appending>,
    settles: Batches<settle::Settling>,
    receives: Batches<datasets::Receiving>,
    fresh: Batches<freshness::Freshness>,
    places: Places,
    tasks: nodes::Tasks,
}

impl PostgresStore {
    /// Connects, brings the database to the newest format and becomes one of its nodes.
    pub async fn open(options: Options) -> Result<Self, StoreError> {
        let Options { url, key, entropy, lease } = options;
        let db = Arc::new(Database::new(url.expose())?);
        migrate::migrate(db.get().await?).await?;
        partitions::make(db.get().await?, &[]).await?;
        arriving::refuse_unfinished(&db.get().await?).await?;
        let vault = Arc::new(Vault::new(&key));
        prove(db.begin().await?, &vault, &*entropy).await?;
        let node = db.get().await?.one("SELECT nextval('node_ids')", &[]).await?.get_as(0)?;
        let (ready, replays) = (Arc::<Ready>::default(), Arc::<Ready>::default());
        let upkeep = nodes::Upkeep {
            db: Arc::clone(&db),
            node,
            lease,
            ready: Arc::clone(&ready),
            replays: Arc::clone(&replays),
        };
        let tasks = upkeep.start().await?;
        // A move that began meanwhile has found this node, or is found here.
        let conn = db.get().await?;
        if let Err(error) = arriving::refuse_unfinished(&conn).await {
            nodes::leave(&conn, node).await?;
            return Err(error);
        }
        drop(conn);
        let appending = journal::Appending { node, ready: Arc::clone(&ready) };
        let receiving = datasets::Receiving { node, ready: Arc::clone(&ready) };
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
            tasks,
        })
    }
}

#[async_trait]
impl Store for PostgresStore {
    async fn health(&self) -> Result<(), StoreError> {
        // Something harmless that is written and committed.
        let sql = "UPDATE installation SET id = 1 WHERE id = 1";
        self.db.get().await?.within(BATCH_MAX).execute(sql, &[]).await.map(drop)
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

/// Whether the key is the one that the secrets in the database were sealed with. The first node to
/// come decides which one that is.
async fn prove(tx: Conn, vault: &Vault, entropy: &dyn Entropy) -> Result<(), StoreError> {
    let row = tx.one("SELECT key_proof FROM installation FOR UPDATE", &[]).await?;
    match row.get_as::<Option<&[u8]>>(0)? {
        Some(sealed) => vault.open("installation", sealed).map(drop).map_err(|_| {
            StoreError::internal(
                "the encryption key is not the one that this database's secrets were sealed with: \
                 every node needs the same key",
            )
        })?,
        None => {
            let sealed = vault.seal(entropy, "installation", &Secret::new(PROOF))?;
            tx.execute("UPDATE installation SET key_proof = $1", &[&sealed]).await?;
        }
    }
    tx.commit().await
}
