//! Queueing events of the journal again.

use hookyard_core::id::{EndpointId, EventTypeId, ReplayId, WorkspaceId};
use jiff::Timestamp;

use super::columns::{Columns, count, signed};
use super::database::Conn;
use super::journal::{self, CHUNK_SIZE};
use crate::{EventFilter, StoreError};

/// Events that a reflow looks at in one read: some megabytes when their objects are needed.
const HISTORY_PAGE: usize = 5_000;

/// Who queues entries again.
#[derive(Debug, Clone, Copy)]
pub(super) enum Origin {
    /// A reflow of an event type.
    Reflow(EventTypeId),
    /// A slice of a replay.
    Replay(ReplayId),
}

/// Queues events behind what is queued now, in the order given; with an origin they count from its
/// moment. The caller holds the journal's lock. `false` when the endpoint is gone.
pub(super) async fn queue_again(
    tx: &Conn,
    endpoint: EndpointId,
    origin: Option<(Origin, Timestamp)>,
    seqs: &[u64],
) -> Result<bool, StoreError> {
    let sql = "SELECT greatest(q.cursor, (SELECT c.first + cardinality(c.seqs) \
               FROM queue_chunks c WHERE c.endpoint_id = q.endpoint_id \
               ORDER BY c.first DESC LIMIT 1)) FROM queues q WHERE q.endpoint_id = $1";
    let Some(row) = tx.opt(sql, &[&endpoint.0]).await? else { return Ok(false) };
    if seqs.is_empty() {
        return Ok(true);
    }
    let next: i64 = row.get_as(0)?;
    let seqs: Vec<i64> = seqs.iter().copied().map(signed).collect();
    let sql = "INSERT INTO queue_chunks (endpoint_id, first, seqs, lowest, highest) \
               SELECT $1, $2::int8 + s.at, part.seqs, (SELECT min(n) FROM unnest(part.seqs) n), \
               (SELECT max(n) FROM unnest(part.seqs) n) \
               FROM generate_series(0, cardinality($3::int8[]) - 1, $4::int) s (at) \
               CROSS JOIN LATERAL (SELECT ($3::int8[])[s.at + 1 : s.at + $4::int] AS seqs) part";
    tx.execute(sql, &[&endpoint.0, &next, &seqs, &CHUNK_SIZE]).await?;
    if let Some((origin, at)) = origin {
        let (type_id, replay_id) = match origin {
            Origin::Reflow(event_type) => (Some(event_type.0), None),
            Origin::Replay(replay) => (None, Some(replay.0)),
        };
        let sql = "INSERT INTO requeued (endpoint_id, first, until, at_ms, type_id, replay_id) \
                   VALUES ($1, $2, $3, $4, $5, $6)";
        let (until, at_ms) = (next + count(seqs.len()), at.as_millisecond());
        tx.execute(sql, &[&endpoint.0, &next, &until, &at_ms, &type_id, &replay_id]).await?;
    }
    Ok(true)
}

/// What a reflow queues, read page by page.
pub(super) struct History {
    workspace: WorkspaceId,
    event_type: EventTypeId,
    only: Option<EventFilter>,
    /// The numbers found so far, ascending.
    pub(super) seqs: Vec<u64>,
    /// The last event that was looked at.
    read_to: i64,
}

impl History {
    pub(super) fn new(
        workspace: WorkspaceId,
        event_type: EventTypeId,
        only: Option<EventFilter>,
    ) -> Self {
        Self { workspace, event_type, only, seqs: Vec::new(), read_to: 0 }
    }

    /// Reads another page; whether there may be more.
    pub(super) async fn read_on(&mut self, conn: &Conn) -> Result<bool, StoreError> {
        let columns = if self.only.is_some() { journal::COLUMNS } else { "j.seq" };
        let sql = format!(
            "SELECT {columns} FROM journal j WHERE j.workspace_id = $1 AND j.type_id = $2 \
             AND j.seq > $3 ORDER BY j.seq LIMIT $4"
        );
        let bounds: [super::columns::Param<'_>; 4] =
            [&self.workspace.0, &self.event_type.0, &self.read_to, &count(HISTORY_PAGE)];
        let rows = conn.query(&sql, &bounds).await?;
        let whole = rows.len() < HISTORY_PAGE;
        if let Some(last) = rows.last() {
            self.read_to = last.get_as(0)?;
        }
        let Some(only) = self.only.clone() else {
            for row in &rows {
                self.seqs.push(row.unsigned(0)?);
            }
            return Ok(!whole);
        };
        let events = rows.iter().map(|row| journal::event(row, 0));
        let events = events.collect::<Result<Vec<_>, _>>()?;
        // The caller's test may take its time, and may block.
        let wanted = tokio::task::spawn_blocking(move || {
            let wanted = events.iter().filter(|event| only.wants(event));
            wanted.map(|event| event.seq.0).collect::<Vec<_>>()
        });
        self.seqs.extend(wanted.await.map_err(|error| StoreError::Internal(error.into()))?);
        Ok(!whole)
    }
}
