//! The ownership of endpoints by nodes.
//!
//! A node has one row with the moment up to which the node lives, by the database's clock, and renews the row
//! long before ([`upkeep`](super::upkeep)). An endpoint has an owning node and an epoch that grows with each
//! owner (a fencing token). An owner's changes to the queue name both, so a late owner is fenced off. A
//! node's leases cost one row's write in a few seconds, however many endpoints there are. A node whose moment
//! has passed has lost all endpoints: the next node that looks frees the endpoints. Whoever takes an endpoint
//! from a node holds the node's row meanwhile, against a renewal at the same time: a node whose renewal was
//! answered still has all endpoints.
//!
//! Nodes tell each other of work by notifications. Each node has a channel; an endpoint's owner hears there
//! of new entries. A common channel offers endpoints given back with work left. A look at everything now and
//! then makes up for a lost notification (the sender died, the connection broke).

use hookyard_core::id::{EndpointId, WorkspaceId};

use super::columns::Columns;
use super::database::Conn;
use crate::{Lease, StoreError};

/// The channel of all nodes.
pub(super) const EVERYBODY: &str = "hookyard";

/// Moves a node's own moment.
pub(super) const RENEW: &str = "INSERT INTO nodes (id, until) VALUES ($1, clock_timestamp() + \
     $2::int8 * interval '1 millisecond') ON CONFLICT (id) DO UPDATE SET until = excluded.until";

/// Takes an endpoint without an owner, of the node itself, or of a node whose moment has passed.
const CLAIM: &str = "WITH dead AS (SELECT n.id FROM nodes n JOIN queues q ON q.owner = n.id \
     WHERE q.endpoint_id = $1 AND n.id <> $2 AND n.until <= clock_timestamp() \
     FOR UPDATE OF n SKIP LOCKED) \
     UPDATE queues SET owner = $2, epoch = epoch + 1 WHERE endpoint_id = $1 \
     AND (owner IS NULL OR owner = $2 OR owner IN (SELECT id FROM dead) \
     OR NOT EXISTS (SELECT FROM nodes WHERE nodes.id = queues.owner)) \
     RETURNING epoch, (SELECT e.workspace_id FROM endpoints e WHERE e.id = endpoint_id)";

/// Takes an endpoint for the node; `None` when the endpoint has another owner.
pub(super) async fn claim(
    conn: &Conn,
    node: i64,
    endpoint: EndpointId,
) -> Result<Option<Lease>, StoreError> {
    // Waits for the transaction that changes the row just now: no longer than a commit. Passing over the row
    // would leave the endpoint to the next look at all endpoints.
    let Some(row) = conn.opt(CLAIM, &[&endpoint.0, &node]).await? else { return Ok(None) };
    let Some(workspace) = row.get_as(1)? else { return Ok(None) };
    Ok(Some(Lease { endpoint, workspace: WorkspaceId(workspace), epoch: row.unsigned(0)? }))
}

/// Frees the endpoints of nodes whose moment has passed. Answers the endpoints.
pub(super) async fn free_the_dead(conn: &Conn) -> Result<Vec<EndpointId>, StoreError> {
    let dead = "SELECT id FROM nodes n WHERE until <= clock_timestamp() \
                AND EXISTS (SELECT FROM queues q WHERE q.owner = n.id)";
    let dead = conn.query(dead, &[]).await?;
    if dead.is_empty() {
        return Ok(Vec::new());
    }
    let dead: Vec<i64> = dead.iter().map(|row| row.get_as(0)).collect::<Result<_, _>>()?;
    let sql = "WITH dead AS (SELECT id FROM nodes WHERE id = ANY($1) \
               AND until <= clock_timestamp() FOR UPDATE SKIP LOCKED), \
               lost AS (SELECT q.endpoint_id FROM queues q JOIN dead ON dead.id = q.owner \
               FOR UPDATE OF q SKIP LOCKED) \
               UPDATE queues q SET owner = NULL, epoch = epoch + 1 FROM lost \
               WHERE q.endpoint_id = lost.endpoint_id RETURNING q.endpoint_id";
    let freed = conn.query(sql, &[&dead]).await?;
    if !freed.is_empty() {
        tracing::info!(endpoints = freed.len(), "took over what a node without a lease had");
    }
    freed.iter().map(|row| row.get_as(0).map(EndpointId)).collect()
}

/// Removes nodes whose moment has passed long ago: until then a statement of such a node may be under way.
pub(super) async fn forget_the_dead(conn: &Conn) -> Result<(), StoreError> {
    let sql = "DELETE FROM nodes n WHERE until < clock_timestamp() - interval '1 day' \
               AND NOT EXISTS (SELECT FROM queues q WHERE q.owner = n.id)";
    conn.execute(sql, &[]).await.map(drop)
}

/// Endpoints with entries to deliver; unless `all`, only enabled endpoints without an owner.
pub(super) async fn waiting(conn: &Conn, all: bool) -> Result<Vec<EndpointId>, StoreError> {
    // From one endpoint to the next in the index: the cost does not grow with a queue's length.
    let sql = "WITH RECURSIVE t (id) AS ( \
               (SELECT endpoint_id FROM queue_chunks ORDER BY endpoint_id LIMIT 1) UNION ALL \
               SELECT (SELECT c.endpoint_id FROM queue_chunks c WHERE c.endpoint_id > t.id \
               ORDER BY c.endpoint_id LIMIT 1) FROM t WHERE t.id IS NOT NULL) \
               SELECT q.endpoint_id FROM t JOIN queues q ON q.endpoint_id = t.id \
               JOIN endpoints e ON e.id = t.id WHERE $1 OR (NOT e.disabled \
               AND NOT EXISTS (SELECT FROM nodes n WHERE n.id = q.owner))";
    let rows = conn.query(sql, &[&all]).await?;
    rows.iter().map(|row| row.get_as(0).map(EndpointId)).collect()
}

/// Gives an endpoint back. With work left, as by a stopping owner, the endpoint is offered to all.
pub(super) async fn release(conn: &Conn, node: i64, lease: &Lease) -> Result<(), StoreError> {
    let sql = "WITH freed AS (UPDATE queues SET owner = NULL WHERE endpoint_id = $1 AND owner = $2 \
               AND epoch = $3 RETURNING endpoint_id) \
               SELECT pg_notify($4, 'r' || f.endpoint_id)::text FROM freed f \
               JOIN endpoints e ON e.id = f.endpoint_id WHERE NOT e.disabled \
               AND EXISTS (SELECT FROM queue_chunks c WHERE c.endpoint_id = f.endpoint_id)";
    let epoch = lease.epoch.cast_signed();
    conn.query(sql, &[&lease.endpoint.0, &node, &epoch, &EVERYBODY]).await.map(drop)
}

/// Tells all nodes, after the commit, that a credential has lost rights.
pub(super) async fn tell_of_credentials(tx: &Conn) -> Result<(), StoreError> {
    tx.query("SELECT pg_notify($1, 'c')::text", &[&EVERYBODY]).await.map(drop)
}

/// Tells the endpoint's owner, if another node, that there is something to do.
pub(super) async fn tell_owner(
    tx: &Conn,
    node: i64,
    endpoint: EndpointId,
) -> Result<(), StoreError> {
    let sql = "SELECT pg_notify($3 || '_' || owner, 'r' || endpoint_id)::text FROM queues \
               WHERE endpoint_id = $1 AND owner <> $2";
    tx.query(sql, &[&endpoint.0, &node, &EVERYBODY]).await.map(drop)
}

/// Gives back all endpoints of the node, and ends the node's time.
pub(super) async fn leave(conn: &Conn, node: i64) -> Result<(), StoreError> {
    let sql = "WITH freed AS (UPDATE queues SET owner = NULL WHERE owner = $1 \
               RETURNING endpoint_id) SELECT pg_notify($2, 'r' || endpoint_id)::text FROM freed";
    conn.query(sql, &[&node, &EVERYBODY]).await?;
    let sql = "UPDATE nodes SET until = '-infinity' WHERE id = $1";
    conn.execute(sql, &[&node]).await.map(drop)
}
