//! A node's work beside its calls.
//!
//! Two tasks. The first has a separate connection, for renewing the node's lease and hearing other nodes:
//! neither waits for a place in the pool, however slow the pool's statements. The next renewal detects a
//! silent connection, and the connection is made anew. The second task looks for endpoints without an owner
//! and for data to clear away.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hookyard_core::clock::Clock;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_postgres::{AsyncMessage, Client, Connection, Socket};

use super::columns::Columns;
use super::database::{Database, failed};
use super::journal::Share;
use super::nodes::{self, EVERYBODY, RENEW};
use super::tls::Stream;
use super::{migrate, partitions, replays, versions};
use crate::standing::Standing;
use crate::{EVENTS_KNOWN_MAX, Ready, StoreError, Tenure};

/// Parts of a lease. The lease is renewed once in each part. In the last part the node delivers no more: a
/// fifth is far more than the time for cutting requests off, or than two machines' clocks drift apart in one
/// lease.
const PARTS: u32 = 5;

/// Parts of a lease that a renewal, or a new connection, may take: after two failed renewals, the third is
/// still in time.
const PARTS_OF_PATIENCE: u32 = 2;

/// Renewals between two looks at everything.
const LOOK_EVERY: u32 = 5;

/// The wait before a broken connection is made again.
const RECONNECT: Duration = Duration::from_millis(500);

/// Statements that delete hidden rows between two looks at everything.
const GARBAGE_ROUNDS: usize = 20;

/// The tools of the tasks.
pub(super) struct Upkeep {
    pub(super) db: Arc<Database>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) node: i64,
    pub(super) lease: Duration,
    pub(super) tenure: Tenure,
    pub(super) ready: Arc<Ready>,
    pub(super) replays: Arc<Ready>,
    /// Counts the news of credentials.
    pub(super) credentials: Arc<AtomicU64>,
    /// The number of its newest events among which a workspace finds repeats.
    pub(super) share: Arc<Share>,
    /// Told when something may have been missed.
    pub(super) missed: Notify,
    /// Told when this node must not go on.
    pub(super) standing: Standing,
}

/// The tasks of a node; the tasks end when dropped.
#[derive(Debug, Default)]
pub(super) struct Tasks(Vec<JoinHandle<()>>);

impl Tasks {
    pub(super) fn stop(&self) {
        self.0.iter().for_each(JoinHandle::abort);
    }
}

impl Drop for Tasks {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Upkeep {
    /// Makes the node known and marks all there is to do.
    pub(super) async fn start(self) -> Result<Tasks, StoreError> {
        let asked = self.clock.monotonic();
        let conn = self.db.get().await?;
        conn.execute(RENEW, &[&self.node, &self.millis()]).await?;
        self.renewed(asked);
        drop(conn);
        self.mark_all().await?;
        let shared = Arc::new(self);
        let attend = tokio::spawn(attend(Arc::clone(&shared)));
        Ok(Tasks(vec![attend, tokio::spawn(look(shared))]))
    }

    fn part(&self) -> Duration {
        self.lease / PARTS
    }

    fn millis(&self) -> i64 {
        i64::try_from(self.lease.as_millis()).unwrap_or(i64::MAX)
    }

    /// Counts the lease from the moment of the request: the database began later.
    fn renewed(&self, asked: Duration) {
        self.tenure.extend(asked + self.part() * (PARTS - 1));
    }

    async fn patiently<T>(
        &self,
        run: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let patience = self.part() * PARTS_OF_PATIENCE;
        let silent = |_| {
            let millis = patience.as_millis();
            StoreError::Unavailable(format!("the database did not answer within {millis} ms"))
        };
        timeout(patience, run).await.map_err(silent)?
    }

    /// Marks all endpoints with possible work.
    async fn mark_all(&self) -> Result<(), StoreError> {
        let conn = self.db.get().await?;
        self.ready.mark(nodes::waiting(&conn, true).await?);
        self.replays.mark(replays::running(&conn).await?);
        Ok(())
    }

    /// Renews and hears on a single connection, until the connection breaks.
    async fn attend_once(&self) -> Result<(), StoreError> {
        let (client, mut connection) = self.patiently(self.db.connect()).await?;
        tokio::select! {
            heard = self.hear(&mut connection) => heard,
            renewed = self.renew(&client) => renewed,
        }
    }

    async fn hear(
        &self,
        connection: &mut Connection<Socket, Stream<Socket>>,
    ) -> Result<(), StoreError> {
        loop {
            match poll_fn(|cx| connection.poll_message(cx)).await {
                Some(Ok(AsyncMessage::Notification(heard))) => self.heard(heard.payload()),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(failed(&error)),
                None => return Err(StoreError::Unavailable("the connection has ended".to_owned())),
            }
        }
    }

    /// Marks the endpoints that a notification names: `r` or `p` and numbers with commas between, or `c` for
    /// credentials.
    fn heard(&self, payload: &str) {
        let (kind, numbers) = payload.split_at_checked(1).unwrap_or_default();
        let endpoints = numbers.split(',').filter_map(|number| number.parse().ok());
        match kind {
            "r" => self.ready.mark(endpoints),
            "p" => self.replays.mark(endpoints),
            "c" => self.credentials_changed(),
            _ => {}
        }
    }

    fn credentials_changed(&self) {
        self.credentials.fetch_add(1, Ordering::Relaxed);
    }

    async fn renew(&self, client: &Client) -> Result<(), StoreError> {
        let listen = format!("LISTEN {EVERYBODY}; LISTEN {EVERYBODY}_{}", self.node);
        let prepared = async {
            client.batch_execute(&listen).await.map_err(|error| failed(&error))?;
            let format = client.prepare(migrate::NEWEST).await.map_err(|error| failed(&error))?;
            let renew = client.prepare(RENEW).await.map_err(|error| failed(&error))?;
            Ok((format, renew))
        };
        let (format, statement) = self.patiently(prepared).await?;
        tracing::info!("this server listens to the others");
        // Covers the news from before the node listened.
        self.credentials_changed();
        self.missed.notify_one();
        let mut ticks = interval(self.part());
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let lapsed = self.tenure.left(&*self.clock).is_none();
            let (asked, millis) = (self.clock.monotonic(), self.millis());
            let renewed = async {
                let newest = client.query_opt(&format, &[]).await;
                if let Some(newest) = newest.map_err(|error| failed(&error))?
                    && let Some(reason) = migrate::outgrown(newest.get_as(0)?, newest.get_as(1)?)
                {
                    self.standing.fail(&reason);
                    // The lease ends by itself, and the process before the lease.
                    return Err(StoreError::Unavailable(reason));
                }
                let renewed = client.execute(&statement, &[&self.node, &millis]).await;
                renewed.map_err(|error| failed(&error))
            };
            self.patiently(renewed).await?;
            self.renewed(asked);
            if lapsed {
                tracing::info!("this server has its lease again, and delivers");
                self.missed.notify_one();
            }
        }
    }

    /// Looks for the endpoints of dead nodes and, now and then, for everything else.
    async fn look(&self, everywhere: bool) -> Result<(), StoreError> {
        let conn = self.db.get().await?;
        self.ready.mark(nodes::free_the_dead(&conn).await?);
        if !everywhere {
            return Ok(());
        }
        self.ready.mark(nodes::waiting(&conn, false).await?);
        self.replays.mark(replays::running(&conn).await?);
        nodes::forget_the_dead(&conn).await?;
        self.share.renew(&conn, EVENTS_KNOWN_MAX).await?;
        drop(conn);
        partitions::make(self.db.get().await?, &[]).await?;
        for _ in 0..GARBAGE_ROUNDS {
            if !versions::collect_garbage(self.db.begin().await?).await? {
                break;
            }
        }
        Ok(())
    }
}

async fn attend(upkeep: Arc<Upkeep>) {
    while upkeep.standing.reason().is_none() {
        if let Err(error) = upkeep.attend_once().await {
            let left_ms = upkeep.tenure.left(&*upkeep.clock).unwrap_or_default().as_millis();
            tracing::warn!(%error, left_ms, "the lease was not renewed: delivery stops when it ends");
        }
        // The connections in the pool have most likely gone the same way. A caller makes a new connection,
        // and hears at once when no connection can be made.
        upkeep.db.forget_idle();
        tokio::time::sleep(RECONNECT).await;
    }
}

async fn look(upkeep: Arc<Upkeep>) {
    let (mut rounds, mut behind) = (1_u32, false);
    let mut ticks = interval(upkeep.part());
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The first tick comes at once, and the start has done the same work.
    ticks.tick().await;
    loop {
        let due = tokio::select! {
            _ = ticks.tick() => true,
            () = upkeep.missed.notified() => {
                behind = true;
                false
            }
        };
        let done = async {
            if behind {
                upkeep.mark_all().await?;
            }
            if due {
                rounds = rounds.wrapping_add(1);
                upkeep.look(rounds.is_multiple_of(LOOK_EVERY)).await?;
            }
            Ok::<_, StoreError>(())
        };
        match done.await {
            Ok(()) => behind = false,
            Err(error) => tracing::warn!(%error, "work was not looked for"),
        }
    }
}
