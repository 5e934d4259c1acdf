//! Queues.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use hookyard_core::id::{EndpointId, EventTypeId, WorkspaceId};
use hookyard_core::model::{NewAttempt, QueueState};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::memory::lock;
use super::rows::{count, signed, unsigned};
use super::writer::Tx;
use super::{SqliteStore, attempts, checkpoint, codec, dead_letters, failed, journal};
use crate::backlog::{Again, Backlog, Origin, Peek};
use crate::{
    Entity, EventFilter, Head, HeadLimit, Lease, QueueStore, Queued, Ready, Reflow, StoreError,
};

/// Events that a reflow looks at in one read. A read holds a connection and keeps the WAL from being
/// reset; this many one-kilobyte events take some tens of milliseconds.
const HISTORY_PAGE: usize = 10_000;

#[async_trait]
impl QueueStore for SqliteStore {
    fn ready(&self) -> Arc<Ready> {
        Arc::clone(&self.memory.ready)
    }

    async fn claim(&self, endpoint: EndpointId) -> Result<Option<Lease>, StoreError> {
        let Some(queue) = self.memory.queue(endpoint) else { return Ok(None) };
        let mut queue = lock(&queue);
        queue.epoch += 1;
        Ok(Some(Lease { endpoint, epoch: queue.epoch, until: None }))
    }

    async fn renew(&self, lease: &Lease) -> Result<Lease, StoreError> {
        self.owned(lease).map(|_| *lease)
    }

    async fn release(&self, lease: Lease) -> Result<(), StoreError> {
        if let Ok(queue) = self.owned(&lease) {
            lock(&queue).epoch += 1;
        }
        Ok(())
    }

    async fn head(&self, lease: &Lease, limit: HeadLimit) -> Result<Head, StoreError> {
        let queue = self.owned(lease)?;
        let entries = self.peek(lease.endpoint, &queue, limit.events).await?;
        let endpoint = self.memory.endpoint(lease.endpoint).ok_or(StoreError::LeaseLost)?;
        let seqs = entries.iter().map(|(seq, _)| *seq).collect();
        let events = self.load_up_to(seqs, limit.bytes).await?;
        let missing = events.iter().take_while(|event| event.is_none()).count();
        let present = events.into_iter().zip(entries).skip(missing);
        let queued = present.map_while(|(event, (_, reflowed))| {
            let event = event?;
            let queued_at = reflowed.unwrap_or(event.accepted_at);
            Some(Queued { event, queued_at })
        });
        Ok(Head {
            endpoint,
            entries: queued.collect(),
            missing: u32::try_from(missing).unwrap_or(u32::MAX),
            state: lock(&queue).state(),
        })
    }

    async fn settle(&self, lease: &Lease, attempt: NewAttempt) -> Result<QueueState, StoreError> {
        let queue = self.owned(lease)?;
        let lease = *lease;
        let bytes = attempt.outcome.response.as_ref().map_or(0, String::len);
        self.writer.grouped(bytes, move |tx| settle(tx, lease, &attempt)).await?;
        let state = lock(&queue).state();
        Ok(state)
    }

    async fn reflow(
        &self,
        workspace: WorkspaceId,
        endpoint: EndpointId,
        event_type: EventTypeId,
        only: Option<EventFilter>,
        now: Timestamp,
    ) -> Result<Reflow, StoreError> {
        let owner = self.memory.endpoint(endpoint).filter(|e| e.workspace == workspace);
        owner.ok_or(StoreError::NotFound(Entity::Endpoint))?;
        // The bulk is read beside the writer; what is published meanwhile is read by it.
        let mut history = History { workspace, event_type, only, seqs: Vec::new(), read_to: 0 };
        loop {
            let read = move |conn: &Connection| history.read_on(conn).map(|more| (history, more));
            let more;
            (history, more) = self.readers.read(read).await?;
            if !more {
                break;
            }
        }
        self.writer.alone(move |tx| reflow(tx, endpoint, now, history)).await
    }

    async fn queue_states(
        &self,
        workspace: WorkspaceId,
        endpoints: &[EndpointId],
    ) -> Result<Vec<QueueState>, StoreError> {
        let state = |id: &EndpointId| {
            let own = self.memory.endpoint(*id).filter(|e| e.workspace == workspace);
            let queue = own.and_then(|_| self.memory.queue(*id));
            queue.map(|queue| lock(&queue).state()).unwrap_or_default()
        };
        Ok(endpoints.iter().map(state).collect())
    }
}

impl SqliteStore {
    /// The queue, if the lease is still the newest.
    fn owned(&self, lease: &Lease) -> Result<Arc<Mutex<Backlog>>, StoreError> {
        let queue = self.memory.queue(lease.endpoint).ok_or(StoreError::LeaseLost)?;
        let owned = lock(&queue).epoch == lease.epoch;
        owned.then_some(queue).ok_or(StoreError::LeaseLost)
    }

    /// Up to `count` entries of the head, read from the chunks where memory has them no more.
    async fn peek(
        &self,
        endpoint: EndpointId,
        queue: &Mutex<Backlog>,
        count: usize,
    ) -> Result<Vec<(u64, Option<Timestamp>)>, StoreError> {
        loop {
            let peek = lock(queue).peek(count);
            let first = match peek {
                Peek::Entries(entries) => return Ok(entries),
                Peek::Read { first } => first,
            };
            let (start, seqs) = self.readers.read(move |conn| chunk(conn, endpoint, first)).await?;
            lock(queue).fill(start, &seqs);
        }
    }
}

/// The chunk that has the entry with this ordinal.
fn chunk(
    conn: &Connection,
    endpoint: EndpointId,
    ordinal: u64,
) -> Result<(u64, Vec<u64>), StoreError> {
    let sql = "SELECT first, seqs FROM queue_chunks WHERE endpoint_id = ?1 AND first <= ?2 \
               AND first + count > ?2 ORDER BY first DESC LIMIT 1";
    let found = conn
        .prepare_cached(sql)
        .and_then(|mut statement| {
            let read = |row: &rusqlite::Row<'_>| Ok((unsigned(row, 0)?, row.get::<_, Vec<u8>>(1)?));
            statement.query_row(params![endpoint.0, signed(ordinal)], read).optional()
        })
        .map_err(failed)?;
    let (first, blob) =
        found.ok_or_else(|| StoreError::internal(format!("queue entry {ordinal} has no chunk")))?;
    Ok((first, codec::decode(&blob)?))
}

fn settle(tx: &mut Tx<'_>, lease: Lease, attempt: &NewAttempt) -> Result<(), StoreError> {
    let queue = tx.memory.queue(lease.endpoint).ok_or(StoreError::LeaseLost)?;
    if lock(&queue).epoch != lease.epoch {
        return Err(StoreError::LeaseLost);
    }
    attempts::insert(tx, lease.endpoint, attempt)?;
    let dead = match attempt.park {
        true => Some(dead_letters::park(tx, lease.endpoint, attempt)?),
        false => None,
    };
    let (advance, failures, refusals) = (attempt.advance, attempt.failures, attempt.refusals);
    let (retry_at, started_at) = (attempt.retry_at, attempt.started_at);
    tx.after_commit(move |memory| {
        let mut queue = lock(&queue);
        if queue.advance(advance.into()) {
            memory.replays.mark([lease.endpoint]);
        }
        queue.failing = queue.failing.after(failures, refusals, retry_at, started_at);
        queue.dead_letters = dead.unwrap_or(queue.dead_letters);
        memory.mark_dirty(lease.endpoint);
    });
    Ok(())
}

/// What a reflow queues, read page by page.
struct History {
    workspace: WorkspaceId,
    event_type: EventTypeId,
    only: Option<EventFilter>,
    /// The numbers found so far, ascending.
    seqs: Vec<u64>,
    /// The last event that was looked at.
    read_to: u64,
}

impl History {
    /// Reads another page; whether there may be more.
    fn read_on(&mut self, conn: &Connection) -> Result<bool, StoreError> {
        let columns = if self.only.is_some() { journal::COLUMNS } else { "seq" };
        let sql = format!(
            "SELECT {columns} FROM journal WHERE workspace_id = ?1 AND type_id = ?2 AND seq > ?3 \
             ORDER BY seq LIMIT ?4"
        );
        let mut statement = conn.prepare_cached(&sql).map_err(failed)?;
        let after = signed(self.read_to);
        let bounds = params![self.workspace.0, self.event_type.0, after, count(HISTORY_PAGE)];
        let mut rows = statement.query(bounds).map_err(failed)?;
        let mut read = 0;
        while let Some(row) = rows.next().map_err(failed)? {
            read += 1;
            self.read_to = unsigned(row, 0).map_err(failed)?;
            let wanted = match &self.only {
                Some(only) => only.wants(&journal::event(row).map_err(failed)?),
                None => true,
            };
            if wanted {
                self.seqs.push(self.read_to);
            }
        }
        Ok(read == HISTORY_PAGE)
    }
}

fn reflow(
    tx: &mut Tx<'_>,
    endpoint: EndpointId,
    now: Timestamp,
    mut history: History,
) -> Result<Reflow, StoreError> {
    let queue = tx.memory.queue(endpoint).ok_or(StoreError::NotFound(Entity::Endpoint))?;
    let origin = Origin::Reflow(history.event_type);
    if lock(&queue).again().iter().any(|again| again.origin == origin) {
        return Ok(Reflow { queued: 0, coalesced: true });
    }
    while history.read_on(tx.conn)? {}
    let seqs = history.seqs;
    queue_again(tx, endpoint, origin, &seqs, now)?;
    Ok(Reflow { queued: seqs.len() as u64, coalesced: false })
}

/// Queues events of the journal behind what is queued now, in the order given.
pub(super) fn queue_again(
    tx: &mut Tx<'_>,
    endpoint: EndpointId,
    origin: Origin,
    seqs: &[u64],
    at: Timestamp,
) -> Result<(), StoreError> {
    let queue = tx.memory.queue(endpoint).ok_or(StoreError::NotFound(Entity::Endpoint))?;
    if seqs.is_empty() {
        return Ok(());
    }
    let mut after = lock(&queue).clone();
    let (from, count) = (after.next(), seqs.len() as u64);
    let again = Again { origin, from, until: from + count, at };
    checkpoint::save_queue(tx.conn, endpoint, &after, tx.state.ids)?;
    checkpoint::save_chunks(tx.conn, endpoint, from, seqs)?;
    after.saved();
    after.push_stored(count, again);
    checkpoint::save_position(tx.conn, endpoint, &after, tx.state.ids)?;
    tx.after_commit(move |memory| {
        let mut queue = lock(&queue);
        queue.saved();
        queue.push_stored(count, again);
        drop(queue);
        memory.ready.mark([endpoint]);
    });
    Ok(())
}
