//! Queues.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use hookyard_core::id::{EndpointId, EventTypeId, WorkspaceId};
use hookyard_core::model::{NewAttempt, QueueState};
use jiff::Timestamp;
use tokio_postgres::Row;

use super::columns::{Columns, count};
use super::journal::CHUNK_ENTRIES;
use super::settle::Settlement;
use super::{PostgresStore, catalog, journal, nodes, requeue};
use crate::{
    Entity, EventFilter, Head, HeadLimit, Lease, QueueStore, Queued, Ready, Reflow, StoreError,
};

/// Columns that [`state`] reads, of the table `q`. What is pending is where the last chunk ends less
/// where the head is.
pub(super) const STATE: &str = "coalesce((SELECT c.first + cardinality(c.seqs) FROM queue_chunks c \
     WHERE c.endpoint_id = q.endpoint_id ORDER BY c.first DESC LIMIT 1) - q.cursor, 0), \
     q.failures, q.retry_ms, q.since_ms, q.refusals, q.dead_letters";

#[async_trait]
impl QueueStore for PostgresStore {
    fn ready(&self) -> Arc<Ready> {
        Arc::clone(&self.ready)
    }

    async fn claim(&self, endpoint: EndpointId) -> Result<Option<Lease>, StoreError> {
        // Waits for whoever changes the row just now: that takes no longer than a commit, and to
        // pass over it would leave the endpoint to the next look at all of them.
        let sql = "UPDATE queues SET owner = $2, epoch = epoch + 1 WHERE endpoint_id = $1 \
                   AND (owner IS NULL OR owner = $2 OR NOT EXISTS (SELECT FROM nodes \
                   WHERE nodes.id = queues.owner AND nodes.until > clock_timestamp())) \
                   RETURNING epoch";
        let row = self.db.get().await?.opt(sql, &[&endpoint.0, &self.node]).await?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(Lease { endpoint, epoch: row.unsigned(0)?, until: None }))
    }

    async fn renew(&self, lease: &Lease) -> Result<Lease, StoreError> {
        // The node's own row is renewed all the time; whether the endpoint is still its is asked.
        let sql = "SELECT FROM queues WHERE endpoint_id = $1 AND owner = $2 AND epoch = $3";
        let (conn, epoch) = (self.db.get().await?, lease.epoch.cast_signed());
        let held = conn.opt(sql, &[&lease.endpoint.0, &self.node, &epoch]).await?;
        held.map(|_| *lease).ok_or(StoreError::LeaseLost)
    }

    async fn release(&self, lease: Lease) -> Result<(), StoreError> {
        nodes::release(&self.db.get().await?, self.node, &lease).await
    }

    async fn head(&self, lease: &Lease, limit: HeadLimit) -> Result<Head, StoreError> {
        let rows = self.head_rows(lease, limit).await?;
        let first = rows.first().ok_or(StoreError::LeaseLost)?;
        let endpoint = Arc::new(catalog::endpoint(first, 0, &self.vault)?);
        let state = state(first, 8)?;
        let (mut entries, mut missing) = (Vec::new(), 0);
        for row in &rows {
            // A queue that is empty has one row without an entry.
            if row.get_as::<Option<i64>>(14)?.is_none() {
                break;
            }
            match row.get_as::<Option<i64>>(16)? {
                None if entries.is_empty() => missing += 1,
                None => break,
                Some(_) => {
                    let event = Arc::new(journal::event(row, 16)?);
                    let queued_at = row.moment_if(15)?.unwrap_or(event.accepted_at);
                    entries.push(Queued { event, queued_at });
                }
            }
        }
        Ok(Head { endpoint, state, entries, missing })
    }

    async fn settle(&self, lease: &Lease, attempt: NewAttempt) -> Result<QueueState, StoreError> {
        let settlement = Settlement { lease: *lease, attempt };
        if settlement.attempt.park {
            return self.settle_and_park(settlement).await;
        }
        self.settles.submit(settlement).await
    }

    async fn reflow(
        &self,
        workspace: WorkspaceId,
        endpoint: EndpointId,
        event_type: EventTypeId,
        only: Option<EventFilter>,
        now: Timestamp,
    ) -> Result<Reflow, StoreError> {
        let conn = self.db.get().await?;
        self.own_endpoint(&conn, workspace, endpoint).await?;
        drop(conn);
        self.requeue_history(workspace, endpoint, event_type, only, now).await
    }

    async fn queue_states(
        &self,
        workspace: WorkspaceId,
        endpoints: &[EndpointId],
    ) -> Result<Vec<QueueState>, StoreError> {
        let sql = format!(
            "SELECT {STATE}, q.endpoint_id FROM queues q JOIN endpoints e ON e.id = q.endpoint_id \
             WHERE q.endpoint_id = ANY($1) AND e.workspace_id = $2"
        );
        let ids: Vec<i32> = endpoints.iter().map(|id| id.0).collect();
        let rows = self.db.get().await?.query(&sql, &[&ids, &workspace.0]).await?;
        let mut states = HashMap::new();
        for row in &rows {
            states.insert(EndpointId(row.get_as(6)?), state(row, 0)?);
        }
        Ok(endpoints.iter().map(|id| states.get(id).copied().unwrap_or_default()).collect())
    }
}

impl PostgresStore {
    /// The endpoint, its state and the entries at its head in one statement, so that all are of one
    /// moment. No row when the lease is lost. The sum of the objects before an entry decides whether
    /// the entry still fits, so no more is read than is returned.
    async fn head_rows(&self, lease: &Lease, limit: HeadLimit) -> Result<Vec<Row>, StoreError> {
        let sql = format!(
            "SELECT e.id, e.workspace_id, e.revision, e.created_ms, e.settings, e.subscriptions, \
             e.secrets, e.reason, {STATE}, entry.ordinal, (SELECT r.at_ms FROM requeued r \
             WHERE r.endpoint_id = q.endpoint_id AND r.first <= entry.ordinal \
             AND r.until > entry.ordinal LIMIT 1), {columns} \
             FROM queues q JOIN endpoints e ON e.id = q.endpoint_id LEFT JOIN LATERAL ( \
               SELECT next.ordinal, next.seq, sum(octet_length(s.object)) \
               OVER (ORDER BY next.ordinal ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) \
               AS before FROM ( \
                 SELECT greatest(c.first, q.cursor) + u.place - 1 AS ordinal, u.seq \
                 FROM queue_chunks c CROSS JOIN LATERAL unnest( \
                   c.seqs[greatest(q.cursor - c.first, 0)::int + 1 : ]) WITH ORDINALITY u (seq, place) \
                 WHERE c.endpoint_id = q.endpoint_id AND c.first > q.cursor - $6 \
                 AND c.first < q.cursor + $4 \
                 ORDER BY 1 LIMIT $4 \
               ) next LEFT JOIN journal s ON s.seq = next.seq \
             ) entry ON coalesce(entry.before, 0) < $5 OR entry.before IS NULL \
             LEFT JOIN journal j ON j.seq = entry.seq \
             WHERE q.endpoint_id = $1 AND q.owner = $2 AND q.epoch = $3 ORDER BY entry.ordinal",
            columns = journal::COLUMNS
        );
        let (events, bytes) = (count(limit.events), count(limit.bytes));
        let (conn, epoch) = (self.db.get().await?, lease.epoch.cast_signed());
        conn.query(&sql, &[&lease.endpoint.0, &self.node, &epoch, &events, &bytes, &CHUNK_ENTRIES])
            .await
    }

    async fn requeue_history(
        &self,
        workspace: WorkspaceId,
        endpoint: EndpointId,
        event_type: EventTypeId,
        only: Option<EventFilter>,
        now: Timestamp,
    ) -> Result<Reflow, StoreError> {
        // The bulk is read before anybody has to wait; what is published meanwhile is read then.
        let mut history = requeue::History::new(workspace, event_type, only);
        let conn = self.db.get().await?;
        while history.read_on(&conn).await? {}
        drop(conn);
        let tx = self.db.begin().await?;
        journal::lock(&tx).await?;
        let under_way = "SELECT FROM requeued WHERE endpoint_id = $1 AND type_id = $2 LIMIT 1";
        if tx.opt(under_way, &[&endpoint.0, &event_type.0]).await?.is_some() {
            return Ok(Reflow { queued: 0, coalesced: true });
        }
        while history.read_on(&tx).await? {}
        let origin = requeue::Origin::Reflow(event_type);
        let found = requeue::queue_again(&tx, endpoint, Some((origin, now)), &history.seqs).await?;
        if !found {
            return Err(StoreError::NotFound(Entity::Endpoint));
        }
        nodes::tell_owner(&tx, self.node, endpoint).await?;
        tx.commit().await?;
        self.ready.mark([endpoint]);
        Ok(Reflow { queued: history.seqs.len() as u64, coalesced: false })
    }
}

/// A queue's state from its [`STATE`] columns, which begin with the column `at`.
pub(super) fn state(row: &Row, at: usize) -> Result<QueueState, StoreError> {
    Ok(QueueState {
        pending: row.unsigned(at)?,
        failures: row.small(at + 1)?,
        retry_at: row.moment_if(at + 2)?,
        failing_since: row.moment_if(at + 3)?,
        refusals: row.small(at + 4)?,
        dead_letters: row.unsigned(at + 5)?,
    })
}
