//! Writing derived state down, so that a start need not read the whole journal.

use hookyard_core::id::EndpointId;
use rusqlite::{Connection, params};

use super::memory::{Memory, lock};
use super::next_ids::NextIds;
use super::rows::{count, signed, to_json};
use super::tx::State;
use super::{codec, failed, keys, weights};
use crate::StoreError;
use crate::backlog::Backlog;

/// Entries in one chunk: about 4 KB, a page.
const CHUNK_ENTRIES: usize = 4_096;

/// Writes the changed queues, the keys of new events, and the position that all these count up to. The
/// writing thread calls the checkpoint between two transactions, when memory equals the committed state.
pub(super) fn checkpoint(
    conn: &mut Connection,
    memory: &Memory,
    state: &mut State,
) -> Result<(), StoreError> {
    if (state.ids.seq, state.ids.attempt) == (state.checkpoint.seq, state.checkpoint.attempt) {
        return Ok(());
    }
    let dirty = memory.take_dirty();
    match write(conn, memory, state, &dirty) {
        Ok(()) => {
            for id in dirty {
                if let Some(queue) = memory.queue(id) {
                    lock(&queue).saved();
                }
            }
            state.checkpoint = state.ids;
            state.keys.saved();
            memory.ids_saved(state.ids.seq);
            memory.weights_saved();
            Ok(())
        }
        Err(error) => {
            dirty.into_iter().for_each(|id| memory.mark_dirty(id));
            Err(error)
        }
    }
}

fn write<'a>(
    conn: &mut Connection,
    memory: &Memory,
    state: &State,
    dirty: impl IntoIterator<Item = &'a EndpointId>,
) -> Result<(), StoreError> {
    let tx = conn.transaction().map_err(failed)?;
    for id in dirty {
        if let Some(queue) = memory.queue(*id) {
            let queue = lock(&queue).clone();
            save_queue(&tx, *id, &queue, state.ids)?;
        }
    }
    let (first, run) = state.keys.unsaved();
    if !run.is_empty() {
        let hashes = keys::encode(run.iter().map(|(_, key)| key));
        let workspaces = keys::encode_workspaces(run.iter().map(|(workspace, _)| *workspace));
        let sql = "INSERT OR REPLACE INTO event_keys (first_seq, hashes, workspaces) \
                   VALUES (?1, ?2, ?3)";
        tx.prepare_cached(sql)
            .and_then(|mut sql| sql.execute(params![signed(first), hashes, workspaces]))
            .map_err(failed)?;
        let sql = "INSERT OR REPLACE INTO event_ids (part, first_seq, places) VALUES (?1, ?2, ?3)";
        let mut insert = tx.prepare_cached(sql).map_err(failed)?;
        for (part, places) in keys::parts(run.iter().map(|(_, key)| key)) {
            insert.execute(params![part, signed(first), places]).map_err(failed)?;
        }
    }
    let NextIds { journal_bytes, attempt_bytes, .. } = state.checkpoint;
    weights::add(
        &tx,
        state.ids.journal_bytes - journal_bytes,
        state.ids.attempt_bytes - attempt_bytes,
    )?;
    weights::add_shares(&tx, memory.weights())?;
    let last = params![signed(last(state.ids.seq)), signed(last(state.ids.attempt))];
    tx.prepare_cached("UPDATE checkpoint SET seq = ?1, attempt_id = ?2")
        .and_then(|mut sql| sql.execute(last))
        .map_err(failed)?;
    tx.commit().map_err(failed)
}

/// Writes one queue: the entries in no chunk yet, and the position.
pub(super) fn save_queue(
    conn: &Connection,
    id: EndpointId,
    queue: &Backlog,
    ids: NextIds,
) -> Result<(), StoreError> {
    let (first, seqs) = queue.unsaved();
    save_chunks(conn, id, first, &seqs)?;
    conn.prepare_cached("DELETE FROM queue_chunks WHERE endpoint_id = ?1 AND first + count <= ?2")
        .and_then(|mut sql| sql.execute(params![id.0, signed(queue.cursor())]))
        .map_err(failed)?;
    save_position(conn, id, queue, ids)
}

/// Writes entries as chunks.
pub(super) fn save_chunks(
    conn: &Connection,
    id: EndpointId,
    first: u64,
    seqs: &[u64],
) -> Result<(), StoreError> {
    let sql = "INSERT INTO queue_chunks (endpoint_id, first, count, lowest, highest, seqs) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let mut insert = conn.prepare_cached(sql).map_err(failed)?;
    let mut ordinal = first;
    for chunk in seqs.chunks(CHUNK_ENTRIES) {
        let blob = codec::encode(chunk.iter().copied());
        let lowest = chunk.iter().min().copied().unwrap_or_default();
        let highest = chunk.iter().max().copied().unwrap_or_default();
        let row = params![
            id.0,
            signed(ordinal),
            count(chunk.len()),
            signed(lowest),
            signed(highest),
            blob
        ];
        insert.execute(row).map_err(failed)?;
        ordinal += chunk.len() as u64;
    }
    Ok(())
}

/// Writes where a queue stands, counting everything committed so far.
pub(super) fn save_position(
    conn: &Connection,
    id: EndpointId,
    queue: &Backlog,
    ids: NextIds,
) -> Result<(), StoreError> {
    let sql = "INSERT OR REPLACE INTO queues (endpoint_id, cursor, next, failures, retry_ms, \
               failing_since_ms, again, as_of_seq, as_of_attempt, refusals, done, held) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";
    let (failing, done, held) = (queue.failing(), queue.done(), queue.held());
    let done = (!done.is_empty()).then(|| codec::encode(done.iter().copied()));
    let held = (!held.is_empty()).then(|| to_json(held)).transpose()?;
    let row = params![
        id.0,
        signed(queue.cursor()),
        signed(queue.next()),
        failing.failures,
        failing.retry_at.map(|at| at.as_millisecond()),
        failing.since.map(|at| at.as_millisecond()),
        to_json(queue.again())?,
        signed(last(ids.seq)),
        signed(last(ids.attempt)),
        queue.state().refusals,
        done,
        held,
    ];
    conn.prepare_cached(sql).and_then(|mut sql| sql.execute(row)).map_err(failed)?;
    Ok(())
}

/// The number before the next number.
fn last(next: u64) -> u64 {
    next.saturating_sub(1)
}
