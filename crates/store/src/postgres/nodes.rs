//! Who works on what.
//!
//! A node has one row with the moment up to which it lives, by the database's clock, and renews it
//! long before. An endpoint has a node as its owner and an epoch that grows with each owner; what an
//! owner does to its queue asks for both, so one that is late is fenced off, and a node's leases cost
//! one row's write in a few seconds however many there are. A node that has let its moment pass has
//! lost all it owned: the next one that looks frees it.
//!
//! Nodes tell each other what there is to do by notifications: a channel for each node, on which an
//! endpoint's owner hears of new entries, and one for all, on which endpoints are offered that an
//! owner gave back with work left. A notification that is lost (its sender died, the connection broke)
//! is made up for by looking at everything now and then.

use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use hookyard_core::id::EndpointId;
use tokio::task::JoinHandle;
use tokio_postgres::AsyncMessage;

use super::columns::Columns;
use super::database::{Conn, Database};
use super::{partitions, replays, versions};
use crate::{Lease, Ready, StoreError};

/// The channel that all nodes listen to.
const EVERYBODY: &str = "hookyard";

/// Parts of a lease between two renewals: four may fail in a row before the fifth is too late.
const RENEWALS: u32 = 5;

/// Renewals between two looks at everything.
const LOOK_EVERY: u32 = 5;

/// The wait before a broken connection is made again.
const RECONNECT: Duration = Duration::from_millis(500);

/// Statements that delete hidden rows between two renewals.
const GARBAGE_ROUNDS: usize = 20;

/// Moves a node's own moment.
const RENEW: &str = "INSERT INTO nodes (id, until) VALUES ($1, clock_timestamp() + $2::int8 * \
     interval '1 millisecond') ON CONFLICT (id) DO UPDATE SET until = excluded.until";

/// What a node does beside its calls.
pub(super) struct Upkeep {
    pub(super) db: Arc<Database>,
    pub(super) node: i64,
    pub(super) lease: Duration,
    pub(super) ready: Arc<Ready>,
    pub(super) replays: Arc<Ready>,
}

/// The tasks of a node; they end when it is dropped.
#[derive(Debug)]
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
        let conn = self.db.get().await?;
        self.renew(&conn).await?;
        self.ready.mark(waiting(&conn, true).await?);
        self.replays.mark(replays::running(&conn).await?);
        drop(conn);
        let shared = Arc::new(self);
        let keep = tokio::spawn(keep(Arc::clone(&shared)));
        let listen = tokio::spawn(listen(shared));
        Ok(Tasks(vec![keep, listen]))
    }

    async fn renew(&self, conn: &Conn) -> Result<(), StoreError> {
        let millis = i64::try_from(self.lease.as_millis()).unwrap_or(i64::MAX);
        conn.execute(RENEW, &[&self.node, &millis]).await.map(drop)
    }

    /// Everything that is done between two waits.
    async fn tick(&self, look: bool) -> Result<(), StoreError> {
        let conn = self.db.get().await?.within(self.lease / RENEWALS);
        self.renew(&conn).await?;
        self.ready.mark(free_the_dead(&conn).await?);
        if look {
            self.ready.mark(waiting(&conn, false).await?);
            self.replays.mark(replays::running(&conn).await?);
            drop(conn);
            partitions::make(self.db.get().await?, &[]).await?;
            for _ in 0..GARBAGE_ROUNDS {
                if !versions::collect_garbage(self.db.begin().await?).await? {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Marks what a notification names: `r` or `p` and numbers with commas between.
    fn hear(&self, payload: &str) {
        let (kind, numbers) = payload.split_at_checked(1).unwrap_or_default();
        let endpoints = numbers.split(',').filter_map(|number| number.parse().ok());
        match kind {
            "r" => self.ready.mark(endpoints),
            "p" => self.replays.mark(endpoints),
            _ => {}
        }
    }

    async fn listen_once(&self) -> Result<(), StoreError> {
        let (client, mut connection) = self.db.connect().await?;
        let listen = format!("LISTEN {EVERYBODY}; LISTEN {EVERYBODY}_{}", self.node);
        let hear = async {
            loop {
                match poll_fn(|cx| connection.poll_message(cx)).await {
                    Some(Ok(AsyncMessage::Notification(heard))) => self.hear(heard.payload()),
                    Some(Ok(_)) => {}
                    Some(Err(error)) => return Err(super::database::failed(&error)),
                    None => return Ok(()),
                }
            }
        };
        let ask = async {
            if client.batch_execute(&listen).await.is_ok() {
                // What was said before it listened.
                if let Ok(conn) = self.db.get().await
                    && let Ok(waiting) = waiting(&conn, true).await
                {
                    self.ready.mark(waiting);
                }
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            heard = hear => heard,
            () = ask => Ok(()),
        }
    }
}

async fn keep(upkeep: Arc<Upkeep>) {
    let mut rounds = 1_u32;
    let mut ticks = tokio::time::interval(upkeep.lease / RENEWALS);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    // The first tick comes at once, and the start has done all this.
    ticks.tick().await;
    loop {
        ticks.tick().await;
        if let Err(error) = upkeep.tick(rounds.is_multiple_of(LOOK_EVERY)).await {
            tracing::warn!(%error, "the node's lease was not renewed, or work not looked for");
        }
        rounds = rounds.wrapping_add(1);
    }
}

async fn listen(upkeep: Arc<Upkeep>) {
    loop {
        if let Err(error) = upkeep.listen_once().await {
            tracing::warn!(%error, "not listening to other nodes");
        }
        tokio::time::sleep(RECONNECT).await;
    }
}

/// Takes from nodes whose moment has passed what they owned; the endpoints.
async fn free_the_dead(conn: &Conn) -> Result<Vec<EndpointId>, StoreError> {
    let dead = "SELECT id FROM nodes WHERE until <= clock_timestamp()";
    let dead = conn.query(dead, &[]).await?;
    if dead.is_empty() {
        return Ok(Vec::new());
    }
    let dead: Vec<i64> = dead.iter().map(|row| row.get_as(0)).collect::<Result<_, _>>()?;
    let sql = "WITH lost AS (SELECT endpoint_id FROM queues q JOIN nodes n ON n.id = q.owner \
               WHERE n.id = ANY($1) AND n.until <= clock_timestamp() FOR UPDATE OF q SKIP LOCKED) \
               UPDATE queues q SET owner = NULL, epoch = epoch + 1 FROM lost \
               WHERE q.endpoint_id = lost.endpoint_id RETURNING q.endpoint_id";
    let freed = conn.query(sql, &[&dead]).await?;
    let sql = "DELETE FROM nodes n WHERE n.id = ANY($1) AND n.until <= clock_timestamp() \
               AND NOT EXISTS (SELECT FROM queues q WHERE q.owner = n.id)";
    conn.execute(sql, &[&dead]).await?;
    if !freed.is_empty() {
        tracing::info!(endpoints = freed.len(), "took over what a node without a lease had");
    }
    freed.iter().map(|row| row.get_as(0).map(EndpointId)).collect()
}

/// Endpoints with entries to deliver; unless `all`, only those that are enabled and nobody's.
async fn waiting(conn: &Conn, all: bool) -> Result<Vec<EndpointId>, StoreError> {
    // From one endpoint to the next in the index: what a queue's length would cost, it does not.
    let sql = "WITH RECURSIVE t (id) AS ( \
               (SELECT endpoint_id FROM queue_chunks ORDER BY endpoint_id LIMIT 1) UNION ALL \
               SELECT (SELECT c.endpoint_id FROM queue_chunks c WHERE c.endpoint_id > t.id \
               ORDER BY c.endpoint_id LIMIT 1) FROM t WHERE t.id IS NOT NULL) \
               SELECT q.endpoint_id FROM t JOIN queues q ON q.endpoint_id = t.id \
               JOIN endpoints e ON e.id = t.id WHERE $1 OR (q.owner IS NULL AND NOT e.disabled)";
    let rows = conn.query(sql, &[&all]).await?;
    rows.iter().map(|row| row.get_as(0).map(EndpointId)).collect()
}

/// Gives an endpoint back. With work left, which an owner that stops leaves, it is offered to all.
pub(super) async fn release(conn: &Conn, node: i64, lease: &Lease) -> Result<(), StoreError> {
    let sql = "WITH freed AS (UPDATE queues SET owner = NULL WHERE endpoint_id = $1 AND owner = $2 \
               AND epoch = $3 RETURNING endpoint_id) \
               SELECT pg_notify($4, 'r' || f.endpoint_id)::text FROM freed f \
               JOIN endpoints e ON e.id = f.endpoint_id WHERE NOT e.disabled \
               AND EXISTS (SELECT FROM queue_chunks c WHERE c.endpoint_id = f.endpoint_id)";
    let epoch = lease.epoch.cast_signed();
    conn.query(sql, &[&lease.endpoint.0, &node, &epoch, &EVERYBODY]).await.map(drop)
}

/// Tells the endpoint's owner, if that is another node, that there is something to do.
pub(super) async fn tell_owner(
    tx: &Conn,
    node: i64,
    endpoint: EndpointId,
) -> Result<(), StoreError> {
    let sql = "SELECT pg_notify($3 || '_' || owner, 'r' || endpoint_id)::text FROM queues \
               WHERE endpoint_id = $1 AND owner <> $2";
    tx.query(sql, &[&endpoint.0, &node, &EVERYBODY]).await.map(drop)
}

/// Gives everything back that the node owns and takes its row away.
pub(super) async fn leave(conn: &Conn, node: i64) -> Result<(), StoreError> {
    let sql = "UPDATE queues SET owner = NULL WHERE owner = $1";
    conn.execute(sql, &[&node]).await?;
    conn.execute("DELETE FROM nodes WHERE id = $1", &[&node]).await.map(drop)
}
