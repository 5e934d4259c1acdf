//! Connections.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use deadpool_postgres::{Hook, HookError, Manager, ManagerConfig, Object, Pool, RecyclingMethod};
use deadpool_postgres::{PoolError, Runtime, Timeouts};
use tokio::time::timeout;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Config, Connection, Row, Socket};

use super::address::{Address, CONNECT_MAX};
use super::columns::Param;
use super::tls::{MakeTls, Stream};
use crate::StoreError;

/// Connections of one node: three are for the batches, the others for reads and management. Few enough that
/// ten nodes fit the server's usual hundred. Workspaces have no shares of the connections: reads take turns
/// in the order of coming, and each read is a page of a few megabytes at most.
const CONNECTIONS: usize = 9;

/// How long one statement may take: a page of history is read in well under a second.
const STATEMENT_MAX: Duration = Duration::from_secs(30);

/// The settings of every new connection. Plans made for small tables must not be compiled. A commit must be
/// on disk at the answer, whatever the server's default. Neither a transaction of a silent node nor a
/// statement without a waiting caller may hold locks for longer than publishers wait. No statement may read a
/// large table from end to end: a full scan is the cheapest plan for a partition that was empty when
/// analysed, and the plan would be kept while the partition fills.
const SESSION: &str = "SET jit = off; SET enable_seqscan = off; \
     SET default_transaction_isolation = 'read committed'; \
     SET idle_in_transaction_session_timeout = '5s'; \
     SET client_connection_check_interval = '2s'; \
     SELECT set_config('synchronous_commit', 'on', false) \
         WHERE current_setting('synchronous_commit') = 'off'";

/// The way to the database.
#[derive(Clone)]
pub(super) struct Database {
    pool: Pool,
    config: Config,
    tls: MakeTls,
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Database(..)")
    }
}

impl Database {
    /// Reads the URL; nothing is connected yet.
    pub(super) fn new(url: &str) -> Result<Self, StoreError> {
        let Address { config, roots } = Address::read(url)?;
        let tls = MakeTls::new(roots.as_deref())?;
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = Manager::from_config(config.clone(), tls.clone(), recycling);
        let pool = Pool::builder(manager)
            .max_size(CONNECTIONS)
            .timeouts(Timeouts {
                wait: Some(CONNECT_MAX),
                create: Some(CONNECT_MAX),
                recycle: Some(CONNECT_MAX),
            })
            .runtime(Runtime::Tokio1)
            .post_create(Hook::async_fn(|client, _| {
                Box::pin(
                    async move { client.batch_execute(SESSION).await.map_err(HookError::Backend) },
                )
            }))
            .build()
            .map_err(|error| StoreError::Internal(error.into()))?;
        Ok(Self { pool, config, tls })
    }

    /// A separate connection for the caller.
    pub(super) async fn get(&self) -> Result<Conn, StoreError> {
        let object = self.pool.get().await.map_err(unavailable)?;
        Ok(Conn { object: Some(object), patience: STATEMENT_MAX, torn: AtomicBool::new(false) })
    }

    /// A connection with a transaction.
    pub(super) async fn begin(&self) -> Result<Conn, StoreError> {
        self.get().await?.begin().await
    }

    /// A connection with a read-only transaction whose statements all see the same moment.
    pub(super) async fn snapshot(&self) -> Result<Conn, StoreError> {
        self.get().await?.begin_as("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY").await
    }

    /// A connection beside the pool, with the half that must be polled to move data.
    pub(super) async fn connect(
        &self,
    ) -> Result<(tokio_postgres::Client, Connection<Socket, Stream<Socket>>), StoreError> {
        self.config.connect(self.tls.clone()).await.map_err(|error| failed(&error))
    }

    /// Drops unused connections.
    pub(super) fn forget_idle(&self) {
        self.pool.retain(|_, _| false);
    }

    /// Lets go of all connections; later calls fail.
    pub(super) fn close(&self) {
        self.pool.close();
    }
}

/// A connection that belongs to the holder until dropped.
///
/// A connection dropped within a transaction, or while a statement runs, is closed, and the server rolls
/// back: so a departing caller leaves nothing half done.
pub(super) struct Conn {
    object: Option<Object>,
    patience: Duration,
    /// Whether the connection may be in the middle of something.
    torn: AtomicBool,
}

impl Conn {
    /// Allows each statement only so long.
    pub(super) fn within(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Runs a statement for its rows.
    pub(super) async fn query(
        &self,
        sql: &str,
        values: &[Param<'_>],
    ) -> Result<Vec<Row>, StoreError> {
        self.guarded(async |client: &Object| {
            let statement = client.prepare_cached(sql).await?;
            client.query(&statement, values).await
        })
        .await
    }

    /// Runs a statement with at most one row as the result.
    pub(super) async fn opt(
        &self,
        sql: &str,
        values: &[Param<'_>],
    ) -> Result<Option<Row>, StoreError> {
        Ok(self.query(sql, values).await?.into_iter().next())
    }

    /// Runs a statement with one row as the result.
    pub(super) async fn one(&self, sql: &str, values: &[Param<'_>]) -> Result<Row, StoreError> {
        let row = self.opt(sql, values).await?;
        row.ok_or_else(|| StoreError::internal("the database gave no row where it always has one"))
    }

    /// Runs a statement. Returns the number of rows touched.
    pub(super) async fn execute(&self, sql: &str, values: &[Param<'_>]) -> Result<u64, StoreError> {
        self.guarded(async |client: &Object| {
            let statement = client.prepare_cached(sql).await?;
            client.execute(&statement, values).await
        })
        .await
    }

    /// Runs statements without parameters.
    pub(super) async fn batch(&self, sql: &str) -> Result<(), StoreError> {
        self.guarded(async |client: &Object| client.batch_execute(sql).await).await
    }

    /// Runs a statement in a separate transaction that begins with `first`, all in one round trip.
    pub(super) async fn transact(
        &self,
        first: &str,
        sql: &str,
        values: &[Param<'_>],
    ) -> Result<Vec<Row>, StoreError> {
        let begin = format!("BEGIN; {first}");
        self.guarded(async |client: &Object| {
            let statement = client.prepare_cached(sql).await?;
            // The statements are sent one behind the other, in this order, before the first answer. After a
            // fault the commit is a rollback.
            let (begun, rows, committed) = tokio::join!(
                biased;
                client.batch_execute(&begin),
                client.query(&statement, values),
                client.batch_execute("COMMIT"),
            );
            begun?;
            let rows = rows?;
            committed?;
            Ok(rows)
        })
        .await
    }

    /// Begins a transaction.
    pub(super) async fn begin(self) -> Result<Self, StoreError> {
        self.begin_as("BEGIN").await
    }

    async fn begin_as(self, begin: &str) -> Result<Self, StoreError> {
        self.batch(begin).await?;
        self.torn.store(true, Ordering::Relaxed);
        Ok(self)
    }

    /// Begins a transaction with a query, in a single round trip.
    pub(super) async fn begin_with(
        self,
        sql: &str,
        values: &[Param<'_>],
    ) -> Result<(Self, Vec<Row>), StoreError> {
        // Whatever fails, a transaction may have begun.
        self.torn.store(true, Ordering::Relaxed);
        let rows = self.guarded(async |client: &Object| {
            let statement = client.prepare_cached(sql).await?;
            let (begun, rows) = tokio::join!(
                biased;
                client.batch_execute("BEGIN"),
                client.query(&statement, values),
            );
            begun?;
            rows
        });
        let rows = rows.await?;
        Ok((self, rows))
    }

    /// Runs a transaction's last statement and commits, in a single round trip.
    pub(super) async fn commit_with(
        self,
        sql: &str,
        values: &[Param<'_>],
    ) -> Result<(), StoreError> {
        let done = self.guarded(async |client: &Object| {
            let statement = client.prepare_cached(sql).await?;
            // After a fault the commit is a rollback.
            let (done, committed) = tokio::join!(
                biased;
                client.execute(&statement, values),
                client.batch_execute("COMMIT"),
            );
            done?;
            committed
        });
        done.await?;
        self.torn.store(false, Ordering::Relaxed);
        Ok(())
    }

    /// Commits.
    pub(super) async fn commit(self) -> Result<(), StoreError> {
        self.torn.store(false, Ordering::Relaxed);
        self.batch("COMMIT").await
    }

    /// Rolls back the transaction's changes.
    pub(super) async fn roll_back(self) -> Result<(), StoreError> {
        self.torn.store(false, Ordering::Relaxed);
        self.batch("ROLLBACK").await
    }

    async fn guarded<T>(
        &self,
        run: impl AsyncFnOnce(&Object) -> Result<T, tokio_postgres::Error>,
    ) -> Result<T, StoreError> {
        let Some(client) = &self.object else {
            return Err(StoreError::internal("the connection was given back"));
        };
        let before = self.torn.swap(true, Ordering::Relaxed);
        let outcome = timeout(self.patience, run(client)).await;
        let Ok(outcome) = outcome else {
            let seconds = self.patience.as_secs();
            return Err(StoreError::Unavailable(format!(
                "the database did not answer within {seconds} seconds"
            )));
        };
        self.torn.store(before, Ordering::Relaxed);
        outcome.map_err(|error| failed(&error))
    }
}

impl Drop for Conn {
    fn drop(&mut self) {
        if *self.torn.get_mut()
            && let Some(object) = self.object.take()
        {
            drop(Object::take(object));
        }
    }
}

/// A row to insert had no partition yet.
#[derive(Debug, thiserror::Error)]
#[error("no partition is there for a row: {0}")]
pub(super) struct NoPartition(String);

/// Errors about tables that existed before: the operator has changed something.
const HIDDEN: [SqlState; 4] = [
    SqlState::UNDEFINED_TABLE,
    SqlState::INVALID_SCHEMA_NAME,
    SqlState::INSUFFICIENT_PRIVILEGE,
    SqlState::UNDEFINED_OBJECT,
];

/// An error of PostgreSQL or of the connection, in the contract's words.
pub(super) fn failed(error: &tokio_postgres::Error) -> StoreError {
    let Some(fault) = error.as_db_error() else {
        let reason = std::error::Error::source(error).map(ToString::to_string);
        let reason =
            reason.map_or_else(|| error.to_string(), |reason| format!("{error}: {reason}"));
        return match error.is_closed() || is_io(error) {
            true => StoreError::Unavailable(reason),
            false => StoreError::internal(reason),
        };
    };
    let message = format!("{}: {}", fault.code().code(), fault.message());
    // A check that is a constraint has a name.
    if *fault.code() == SqlState::CHECK_VIOLATION && fault.constraint().is_none() {
        return StoreError::Internal(NoPartition(message).into());
    }
    // Connections, resources, the operator's doing, the system's errors; a deadlock or an unavailable lock is
    // over the next time.
    let passing =
        ["08", "53", "57", "58", "40"].iter().any(|class| fault.code().code().starts_with(class))
            || *fault.code() == SqlState::READ_ONLY_SQL_TRANSACTION
            || *fault.code() == SqlState::LOCK_NOT_AVAILABLE;
    match passing {
        true => StoreError::Unavailable(message),
        false if HIDDEN.contains(fault.code()) => StoreError::Unavailable(format!(
            "the database does not show its tables, as when the user's search_path or rights were \
             changed ({message})"
        )),
        false => StoreError::internal(message),
    }
}

fn is_io(error: &tokio_postgres::Error) -> bool {
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        if cause.is::<std::io::Error>() {
            return true;
        }
        source = cause.source();
    }
    false
}

fn unavailable(error: PoolError) -> StoreError {
    match error {
        PoolError::Backend(error) => match failed(&error) {
            StoreError::Internal(reason) => StoreError::Unavailable(reason.to_string()),
            other => other,
        },
        PoolError::Closed => StoreError::Unavailable("the store is stopping".to_owned()),
        other => StoreError::Unavailable(format!("no connection to the database: {other}")),
    }
}
