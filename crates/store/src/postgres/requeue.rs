//! Queueing events of the journal again.

use hookyard_core::id::{EndpointId, EventTypeId, WorkspaceId};
use jiff::Timestamp;

use super::columns::{Columns, count, signed, to_json};
use super::database::Conn;
use super::journal_rows::{self, CHUNK_SIZE};
use crate::backlog::{Again, Backlog, Origin};
use crate::{EventFilter, StoreError};

/// Events per read of a reflow: some megabytes when the objects are needed.
const HISTORY_PAGE: usize = 5_000;

/// Queues events behind the present entries, in the order given; with an origin the events count from the
/// origin's moment. The caller holds the journal's lock, and the queue's.
pub(super) async fn queue_again(
    tx: &Conn,
    endpoint: EndpointId,
    queue: &Backlog,
    origin: Option<(Origin, Timestamp)>,
    seqs: &[u64],
) -> Result<(), StoreError> {
    if seqs.is_empty() {
        return Ok(());
    }
    let (from, until) = (queue.next(), queue.next() + seqs.len() as u64);
    let seqs: Vec<i64> = seqs.iter().copied().map(signed).collect();
    let sql = "INSERT INTO queue_chunks (endpoint_id, first, seqs, lowest, highest) \
               SELECT $1, $2::int8 + s.at, part.seqs, (SELECT min(n) FROM unnest(part.seqs) n), \
               (SELECT max(n) FROM unnest(part.seqs) n) \
               FROM generate_series(0, cardinality($3::int8[]) - 1, $4::int) s (at) \
               CROSS JOIN LATERAL (SELECT ($3::int8[])[s.at + 1 : s.at + $4::int] AS seqs) part";
    tx.execute(sql, &[&endpoint.0, &signed(from), &seqs, &CHUNK_SIZE]).await?;
    let Some((origin, at)) = origin else { return Ok(()) };
    let mut again = queue.again().to_vec();
    again.push(Again { origin, from, until, at });
    let sql = "UPDATE queues SET again = $2 WHERE endpoint_id = $1";
    tx.execute(sql, &[&endpoint.0, &to_json(&again)?]).await.map(drop)
}

/// The events that a reflow queues, read page by page.
pub(super) struct History {
    workspace: WorkspaceId,
    event_type: EventTypeId,
    only: Option<EventFilter>,
    /// The numbers found so far, ascending.
    pub(super) seqs: Vec<u64>,
    /// The last examined event.
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
        let columns = if self.only.is_some() { journal_rows::COLUMNS } else { "j.seq" };
        let sql = format!(
            "SELECT {columns} FROM journal j WHERE j.seq > $3 \
             AND (j.workspace_id, j.type_id, j.seq) > ($1, $2, $3) \
             AND (j.workspace_id, j.type_id) <= ($1, $2) \
             ORDER BY j.workspace_id, j.type_id, j.seq LIMIT $4"
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
        let events = rows.iter().map(|row| journal_rows::event(row, 0));
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
