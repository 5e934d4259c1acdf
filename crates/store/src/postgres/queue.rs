//! Queues.
//!
//! A queue's position is a row; the entries are in chunks, one for each transaction that queued some.
//! [`Backlog`] works out the effect of an attempt, as in the embedded store, from the row as the transaction
//! has locked it.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use hookyard_core::id::{EndpointId, EventTypeId, WorkspaceId};
use hookyard_core::model::{Endpoint, NewAttempt, QueueState};
use jiff::Timestamp;
use serde_json::json;
use tokio_postgres::Row;

use super::columns::{Columns, Param, count, signed};
use super::journal_rows::CHUNK_ENTRIES;
use super::queue_rows::{POSITION, backlog, locked};
use super::settle::Settlement;
use super::{PostgresStore, audit, catalog, journal_rows, nodes, requeue};
use crate::backlog::{Backlog, Origin};
use crate::{
    Entity, EventFilter, Head, HeadLimit, Lease, QueueStore, Queued, Ready, Recorded, Reflow,
    StoreError, Tenure, WINDOW, Window,
};

/// The number of [`POSITION`]'s columns.
const POSITION_COUNT: usize = 9;

/// Where an entry begins in a row that has the endpoint and the position first.
const ENTRY: usize = catalog::COLUMNS_COUNT + POSITION_COUNT;

#[async_trait]
impl QueueStore for PostgresStore {
    fn ready(&self) -> Arc<Ready> {
        Arc::clone(&self.ready)
    }

    fn tenure(&self) -> Tenure {
        self.tenure.clone()
    }

    async fn claim(&self, endpoint: EndpointId) -> Result<Option<Lease>, StoreError> {
        nodes::claim(&self.db.get().await?, self.node, endpoint).await
    }

    async fn release(&self, lease: Lease) -> Result<(), StoreError> {
        nodes::release(&self.db.get().await?, self.node, &lease).await
    }

    async fn head(&self, lease: &Lease, limit: HeadLimit) -> Result<Head, StoreError> {
        let Found { endpoint, backlog, entries, .. } =
            self.find(lease, 0, limit, i64::MAX >> 1).await?;
        let missing = entries.iter().take_while(|(_, queued)| queued.is_none()).count();
        let entries = entries.into_iter().skip(missing).map_while(|(_, queued)| queued).collect();
        let missing = u32::try_from(missing).unwrap_or(u32::MAX);
        let held = backlog.held_first().map_or(0, |held| held.entries.len());
        Ok(Head { endpoint, state: backlog.state(), entries, missing, held })
    }

    async fn window(
        &self,
        lease: &Lease,
        from: u64,
        limit: HeadLimit,
    ) -> Result<Window, StoreError> {
        let Found { endpoint, backlog, entries, cut } =
            self.find(lease, from, limit, signed(WINDOW)).await?;
        let end = backlog.window_end();
        let until = match entries.last() {
            Some((last, _)) if cut => last + 1,
            None if cut => from,
            _ => end.max(from),
        };
        let gone = entries.iter().filter(|(_, queued)| queued.is_none());
        let missing = gone.map(|(place, _)| *place).collect();
        let entries = entries.into_iter().filter_map(|(_, queued)| queued).collect();
        let (state, held) = (backlog.state(), backlog.held().to_vec());
        Ok(Window { endpoint, state, entries, missing, held, until, end })
    }

    async fn record(
        &self,
        lease: &Lease,
        attempt: Arc<NewAttempt>,
        recorded: Recorded,
    ) -> Result<QueueState, StoreError> {
        self.settles.submit(Settlement { lease: *lease, attempt, recorded }).await
    }

    async fn reflow(
        &self,
        workspace: WorkspaceId,
        endpoint: EndpointId,
        event_type: EventTypeId,
        only: Option<EventFilter>,
        now: Timestamp,
    ) -> Result<Reflow, StoreError> {
        // The bulk is read before anybody has to wait; events published meanwhile are read under the lock.
        let mut history = requeue::History::new(workspace, event_type, only);
        let conn = self.db.get().await?;
        self.own_endpoint(&conn, workspace, endpoint).await?;
        while history.read_on(&conn).await? {}
        drop(conn);
        let tx = self.db.begin().await?;
        journal_rows::lock(&tx).await?;
        let queue = locked(&tx, endpoint).await?.ok_or(StoreError::NotFound(Entity::Endpoint))?;
        let origin = Origin::Reflow(event_type);
        let coalesced = queue.again().iter().any(|again| again.origin == origin);
        let mut queued = 0;
        if !coalesced {
            while history.read_on(&tx).await? {}
            queued = history.seqs.len() as u64;
            requeue::queue_again(&tx, endpoint, &queue, Some((origin, now)), &history.seqs).await?;
        }
        let detail = json!({ "event_type": event_type, "queued": queued });
        audit::note(&tx, workspace, "endpoint.reflow", endpoint, &detail).await?;
        nodes::tell_owner(&tx, self.node, endpoint).await?;
        tx.commit().await?;
        if queued > 0 {
            self.ready.mark([endpoint]);
        }
        Ok(Reflow { queued, coalesced })
    }

    async fn queue_states(
        &self,
        workspace: WorkspaceId,
        endpoints: &[EndpointId],
    ) -> Result<Vec<QueueState>, StoreError> {
        let sql = format!(
            "SELECT q.endpoint_id, {POSITION} FROM queues q JOIN endpoints e \
             ON e.id = q.endpoint_id WHERE q.endpoint_id = ANY($1) AND e.workspace_id = $2"
        );
        let ids: Vec<i32> = endpoints.iter().map(|id| id.0).collect();
        let rows = self.db.get().await?.query(&sql, &[&ids, &workspace.0]).await?;
        let mut states = HashMap::new();
        for row in &rows {
            states.insert(EndpointId(row.get_as(0)?), backlog(row, 1)?.state());
        }
        Ok(endpoints.iter().map(|id| states.get(id).copied().unwrap_or_default()).collect())
    }
}

/// Some entries of a queue, all as of the same moment.
struct Found {
    endpoint: Arc<Endpoint>,
    backlog: Backlog,
    /// The places of the entries; `None` where the event has left the journal.
    entries: Vec<(u64, Option<Queued>)>,
    /// Whether there may be more within reach.
    cut: bool,
}

impl PostgresStore {
    /// Entries from a place on, no further than `reach` from the head.
    async fn find(
        &self,
        lease: &Lease,
        from: u64,
        limit: HeadLimit,
        reach: i64,
    ) -> Result<Found, StoreError> {
        let rows = self.entry_rows(lease, from, limit, reach).await?;
        let first = rows.first().ok_or(StoreError::LeaseLost)?;
        let endpoint = Arc::new(catalog::endpoint(first, 0, &self.vault)?);
        let backlog = backlog(first, catalog::COLUMNS_COUNT)?;
        let mut entries = Vec::with_capacity(rows.len());
        let mut there = 0;
        for row in &rows {
            // A queue that is empty has one row without an entry.
            let Some(place) = row.get_as::<Option<i64>>(ENTRY)? else { break };
            there = row.get_as::<i64>(ENTRY + 1)?;
            let place = place.cast_unsigned();
            let queued = match row.get_as::<Option<i64>>(ENTRY + 2)? {
                None => None,
                Some(_) => {
                    let event = Arc::new(journal_rows::event(row, ENTRY + 2)?);
                    let again =
                        |again: &&crate::backlog::Again| (again.from..again.until).contains(&place);
                    let again = backlog.again().iter().find(again).map(|again| again.at);
                    Some(Queued { place, queued_at: again.unwrap_or(event.accepted_at), event })
                }
            };
            entries.push((place, queued));
        }
        let cut = count(entries.len()) < there || entries.len() >= limit.events;
        Ok(Found { endpoint, backlog, entries, cut })
    }

    /// The endpoint, its queue's position and the entries in one statement, so that all are of one moment. No
    /// row when the lease is lost. The sum of the objects before an entry decides whether the entry still
    /// fits, so no more is read than is returned.
    async fn entry_rows(
        &self,
        lease: &Lease,
        from: u64,
        limit: HeadLimit,
        reach: i64,
    ) -> Result<Vec<Row>, StoreError> {
        let sql = format!(
            "SELECT {endpoint}, {POSITION}, entry.place, entry.there, {columns} \
             FROM queues q JOIN endpoints e ON e.id = q.endpoint_id LEFT JOIN LATERAL ( \
               SELECT next.place, next.seq, count(*) OVER () AS there, \
               sum(octet_length(s.object)) OVER (ORDER BY next.place \
               ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before FROM ( \
                 SELECT p.place, p.seq FROM ( \
                   SELECT c.first + u.n - 1 AS place, u.seq \
                   FROM queue_chunks c CROSS JOIN LATERAL unnest(c.seqs) \
                   WITH ORDINALITY u (seq, n) WHERE c.endpoint_id = q.endpoint_id \
                   AND c.first > greatest(q.cursor, $7::int8) - $6::int8 \
                   AND c.first < greatest(q.cursor, $7::int8) + $4::int8 + cardinality(q.done) \
                 ) p WHERE p.place >= greatest(q.cursor, $7::int8) \
                 AND p.place < q.cursor + $8::int8 AND NOT p.place = ANY(q.done) \
                 ORDER BY p.place LIMIT $4::int8 \
               ) next LEFT JOIN journal s ON s.seq = next.seq \
             ) entry ON coalesce(entry.before, 0) < $5::int8 OR entry.before IS NULL \
             LEFT JOIN journal j ON j.seq = entry.seq \
             WHERE q.endpoint_id = $1 AND q.owner = $2 AND q.epoch = $3 ORDER BY entry.place",
            endpoint = catalog::COLUMNS,
            columns = journal_rows::COLUMNS
        );
        let (events, bytes, from) = (count(limit.events), count(limit.bytes), signed(from));
        let (conn, epoch) = (self.db.get().await?, lease.epoch.cast_signed());
        let values: [Param<'_>; 8] =
            [&lease.endpoint.0, &self.node, &epoch, &events, &bytes, &CHUNK_ENTRIES, &from, &reach];
        conn.query(&sql, &values).await
    }
}
