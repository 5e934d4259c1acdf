//! Queues.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use hookyard_core::id::{EndpointId, EventTypeId, WorkspaceId};
use hookyard_core::model::{Event, NewAttempt, QueueState};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};
use serde_json::json;

use super::memory::lock;
use super::rows::{count, signed, unsigned};
use super::tx::Tx;
use super::{SqliteStore, attempts, audit, checkpoint, codec, dead_letters, failed, journal};
use crate::backlog::{Again, Backlog, Entry, Origin, Peek, Settled};
use crate::{
    Entity, EventFilter, Head, HeadLimit, Lease, QueueStore, Queued, Ready, Recorded, Reflow,
    StoreError, Tenure, Window,
};

/// Events per read of a reflow. A read holds a connection and keeps the WAL from being reset; so many
/// one-kilobyte events take some tens of milliseconds.
const HISTORY_PAGE: usize = 10_000;

#[async_trait]
impl QueueStore for SqliteStore {
    fn ready(&self) -> Arc<Ready> {
        Arc::clone(&self.memory.ready)
    }

    fn tenure(&self) -> Tenure {
        Tenure::endless()
    }

    async fn claim(&self, endpoint: EndpointId) -> Result<Option<Lease>, StoreError> {
        let Some(queue) = self.memory.queue(endpoint) else { return Ok(None) };
        let Some(owned) = self.memory.endpoint(endpoint) else { return Ok(None) };
        let mut queue = lock(&queue);
        queue.epoch += 1;
        Ok(Some(Lease { endpoint, workspace: owned.workspace, epoch: queue.epoch }))
    }

    async fn release(&self, lease: Lease) -> Result<(), StoreError> {
        if let Ok(queue) = self.owned(&lease) {
            lock(&queue).epoch += 1;
        }
        Ok(())
    }

    async fn head(&self, lease: &Lease, limit: HeadLimit) -> Result<Head, StoreError> {
        let queue = self.owned(lease)?;
        let endpoint = self.memory.endpoint(lease.endpoint).ok_or(StoreError::LeaseLost)?;
        let (found, _) = self.peek(lease.endpoint, &queue, 0, limit, |_| u64::MAX).await?;
        let missing = found.iter().take_while(|(_, queued)| queued.is_none()).count();
        let entries = found.into_iter().skip(missing).map_while(|(_, queued)| queued).collect();
        let missing = u32::try_from(missing).unwrap_or(u32::MAX);
        let queue = lock(&queue);
        let held = queue.held_first().map_or(0, |held| held.entries.len());
        Ok(Head { endpoint, state: queue.state(), entries, missing, held })
    }

    async fn window(
        &self,
        lease: &Lease,
        from: u64,
        limit: HeadLimit,
    ) -> Result<Window, StoreError> {
        let queue = self.owned(lease)?;
        let endpoint = self.memory.endpoint(lease.endpoint).ok_or(StoreError::LeaseLost)?;
        let (found, until) =
            self.peek(lease.endpoint, &queue, from, limit, Backlog::window_end).await?;
        let gone = found.iter().filter(|(_, queued)| queued.is_none());
        let missing = gone.map(|(place, _)| *place).collect();
        let entries = found.into_iter().filter_map(|(_, queued)| queued).collect();
        let queue = lock(&queue);
        let (state, held, end) = (queue.state(), queue.held().to_vec(), queue.window_end());
        Ok(Window { endpoint, state, entries, missing, held, until, end })
    }

    async fn record(
        &self,
        lease: &Lease,
        attempt: Arc<NewAttempt>,
        recorded: Recorded,
    ) -> Result<QueueState, StoreError> {
        let queue = self.owned(lease)?;
        let lease = *lease;
        let bytes = attempt.outcome.response.as_ref().map_or(0, String::len);
        // An outcome that may still be recorded is waited for to the end; a retry would only wait again.
        let job = move |tx: &mut Tx<'_>| settle(tx, lease, &attempt, recorded);
        self.writer.grouped_to_the_end(bytes, job).await?;
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
        // The bulk is read beside the writer; the writer reads the events published meanwhile.
        let mut history = History { workspace, event_type, only, seqs: Vec::new(), read_to: 0 };
        loop {
            let read = move |conn: &Connection| history.read_on(conn).map(|more| (history, more));
            let more;
            (history, more) = self.readers.read(read).await?;
            if !more {
                break;
            }
        }
        let again = move |tx: &mut Tx<'_>| {
            let reflow = reflow(tx, endpoint, now, history)?;
            let detail = json!({ "event_type": event_type, "queued": reflow.queued });
            audit::note(tx.conn, workspace, "endpoint.reflow", endpoint, &detail)?;
            Ok(reflow)
        };
        self.writer.alone(again).await
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

    /// Entries between two places, with the places; `None` where the event has left the journal. Also returns
    /// the place after the last searched place.
    async fn peek(
        &self,
        endpoint: EndpointId,
        queue: &Mutex<Backlog>,
        from: u64,
        limit: HeadLimit,
        below: fn(&Backlog) -> u64,
    ) -> Result<(Vec<(u64, Option<Queued>)>, u64), StoreError> {
        let (entries, below) = self.places(endpoint, queue, from, limit.events, below).await?;
        let seqs = entries.iter().map(|entry| entry.seq).collect();
        let owner = self.memory.endpoint(endpoint).ok_or(StoreError::LeaseLost)?.workspace;
        let events = self.load_up_to(owner, seqs, limit.bytes).await?;
        let until = match events.len() {
            all if all == entries.len() && all < limit.events => below.max(from),
            some => some.checked_sub(1).map_or(from, |last| entries[last].place + 1),
        };
        let queued = |(event, Entry { place, again, .. }): (Option<Arc<Event>>, Entry)| {
            let queued = event.map(|event| {
                let queued_at = again.unwrap_or(event.accepted_at);
                Queued { place, event, queued_at }
            });
            (place, queued)
        };
        Ok((events.into_iter().zip(entries).map(queued).collect(), until))
    }

    /// Entries, from the chunks where no longer in memory, and the place below which they were searched.
    async fn places(
        &self,
        endpoint: EndpointId,
        queue: &Mutex<Backlog>,
        from: u64,
        count: usize,
        below: fn(&Backlog) -> u64,
    ) -> Result<(Vec<Entry>, u64), StoreError> {
        loop {
            let (peek, below) = {
                let mut queue = lock(queue);
                let below = below(&queue);
                (queue.peek(from, count, below), below)
            };
            let first = match peek {
                Peek::Entries(entries) => return Ok((entries, below)),
                Peek::Read { first } => first,
            };
            let (start, seqs) = self.readers.read(move |conn| chunk(conn, endpoint, first)).await?;
            lock(queue).fill(start, &seqs);
        }
    }
}

/// The chunk with the entry of the ordinal.
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

fn settle(
    tx: &mut Tx<'_>,
    lease: Lease,
    attempt: &NewAttempt,
    recorded: Recorded,
) -> Result<(), StoreError> {
    let queue = tx.memory.queue(lease.endpoint).ok_or(StoreError::LeaseLost)?;
    let (epoch, end) = {
        let queue = lock(&queue);
        (queue.epoch, queue.window_end())
    };
    if epoch != lease.epoch {
        return Err(StoreError::LeaseLost);
    }
    if attempt.entries.last().is_some_and(|last| *last >= end) {
        return Err(StoreError::Conflict("an entry is behind the queue's window".to_owned()));
    }
    if recorded == Recorded::Maybe && attempts::is_recorded(tx.conn, lease.endpoint, attempt)? {
        return Ok(());
    }
    attempts::insert(tx, lease.endpoint, attempt)?;
    let dead = match attempt.park {
        true => Some(dead_letters::park(tx, lease.endpoint, attempt)?),
        false => None,
    };
    let effect = Effect::of(attempt);
    tx.after_commit(move |memory| {
        let mut queue = lock(&queue);
        if queue.settle(effect.settled()) {
            memory.replays.mark([lease.endpoint]);
        }
        queue.dead_letters = dead.unwrap_or(queue.dead_letters);
        memory.mark_dirty(lease.endpoint);
    });
    Ok(())
}

/// The effect of an attempt on the queue.
pub(super) struct Effect {
    pub(super) entries: Vec<u64>,
    /// The number of the attempt's events.
    pub(super) events: u64,
    pub(super) advance: u64,
    pub(super) failures: u32,
    pub(super) refusals: u32,
    pub(super) retry_at: Option<Timestamp>,
    pub(super) started_at: Timestamp,
}

impl Effect {
    fn of(attempt: &NewAttempt) -> Self {
        Self {
            entries: attempt.entries.clone(),
            events: attempt.events.len() as u64,
            advance: attempt.advance.into(),
            failures: attempt.failures,
            refusals: attempt.refusals,
            retry_at: attempt.retry_at,
            started_at: attempt.started_at,
        }
    }

    pub(super) fn settled(&self) -> Settled<'_> {
        let leave = self.advance > 0;
        Settled {
            entries: &self.entries,
            count: if leave { self.advance } else { self.events },
            leave,
            failures: self.failures,
            refusals: self.refusals,
            retry_at: self.retry_at,
            at: self.started_at,
        }
    }
}

/// The events that a reflow queues, read page by page.
struct History {
    workspace: WorkspaceId,
    event_type: EventTypeId,
    only: Option<EventFilter>,
    /// The numbers found so far, ascending.
    seqs: Vec<u64>,
    /// The last examined event.
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
                Some(only) => only.wants(&journal::event(row, self.workspace).map_err(failed)?),
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

/// Queues events of the journal behind all queued events, in the order given.
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
