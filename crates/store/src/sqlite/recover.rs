//! Rebuilding derived state when a store is opened.
//!
//! Queues begin as of the last checkpoint. Then the later journal rows are queued again, and the later
//! attempts are folded in. A queue may have been written after the last checkpoint (by a reflow), so each
//! queue has a starting point of its own.

use std::collections::HashMap;
use std::sync::Arc;

use hookyard_core::id::{EndpointId, ProjectId, WorkspaceId};
use rusqlite::{Connection, Row};

use super::memory::{Memory, lock};
use super::next_ids::NextIds;
use super::queue::Effect;
use super::repeats::Repeats;
use super::rows::{from_json, moment, signed, unsigned};
use super::tx::State;
use super::{
    catalog, codec, dead_letters, deliveries, failed, keys, replays, sources, tenant_rows,
    versions, weights,
};
use crate::backlog::{Backlog, Failing, Position};
use crate::shares::UNKNOWN;
use crate::vault::Vault;
use crate::{Held, StoreError};

/// The starting point for bringing a queue up to date: the last journal row and attempt already counted.
#[derive(Debug, Clone, Copy, Default)]
struct AsOf {
    seq: u64,
    attempt: u64,
}

/// Reads all in-memory state.
pub(super) fn recover(conn: &Connection, vault: &Vault) -> Result<(Memory, State), StoreError> {
    let memory = Memory::default();
    for workspace in tenant_rows::workspaces(conn)? {
        let catalogue = catalog::catalogue(conn, workspace.id)?;
        memory.put_catalogue(workspace.id, Arc::new(catalogue));
    }
    projects(conn, &memory)?;
    catalog::load_endpoints(conn, vault)?.into_iter().for_each(|e| memory.put_endpoint(e));
    sources::load_sources(conn, vault)?.into_iter().for_each(|source| memory.put_source(source));

    let saved = checkpoint(conn)?;
    let positions = queues(conn, &memory)?;
    let as_of = |id: EndpointId| {
        let own = positions.get(&id).copied().unwrap_or_default();
        AsOf { seq: own.seq.max(saved.seq), attempt: own.attempt.max(saved.attempt) }
    };
    replay_journal(conn, &memory, saved, &as_of)?;
    replay_attempts(conn, &memory, saved, &as_of)?;
    dead_letters::count_all(conn, &memory)?;
    let with_work = memory.queue_ids().into_iter().filter(|id| pending(&memory, *id));
    memory.ready.mark(with_work);
    memory.replays.mark(replays::running(conn)?);
    for (workspace, bytes) in weights::shares_since(conn, saved.seq)? {
        memory.weigh(workspace, bytes);
    }
    let state = state(conn, saved)?;
    let (first, unsaved) = state.keys.unsaved();
    memory.note_ids((first..).zip(unsaved.iter().map(|(_, key)| *key)));
    Ok((memory, state))
}

fn pending(memory: &Memory, id: EndpointId) -> bool {
    memory.queue(id).is_some_and(|queue| lock(&queue).state().pending > 0)
}

fn projects(conn: &Connection, memory: &Memory) -> Result<(), StoreError> {
    let mut statement = conn.prepare("SELECT workspace_id, id FROM projects").map_err(failed)?;
    let mut rows = statement.query([]).map_err(failed)?;
    while let Some(row) = rows.next().map_err(failed)? {
        let workspace = WorkspaceId(row.get(0).map_err(failed)?);
        memory.put_project(workspace, ProjectId(row.get(1).map_err(failed)?));
    }
    Ok(())
}

fn checkpoint(conn: &Connection) -> Result<AsOf, StoreError> {
    let read = |row: &Row<'_>| Ok(AsOf { seq: unsigned(row, 0)?, attempt: unsigned(row, 1)? });
    conn.query_row("SELECT seq, attempt_id FROM checkpoint", [], read).map_err(failed)
}

/// Puts every stored queue in memory. Returns each queue's starting point.
fn queues(conn: &Connection, memory: &Memory) -> Result<HashMap<EndpointId, AsOf>, StoreError> {
    let sql = "SELECT endpoint_id, cursor, next, failures, retry_ms, failing_since_ms, again, \
               as_of_seq, as_of_attempt, refusals, done, held FROM queues";
    let mut statement = conn.prepare(sql).map_err(failed)?;
    let mut rows = statement.query([]).map_err(failed)?;
    let mut positions = HashMap::new();
    while let Some(row) = rows.next().map_err(failed)? {
        let id = EndpointId(row.get(0).map_err(failed)?);
        if memory.queue(id).is_none() {
            continue;
        }
        memory.put_queue(id, queue(row)?);
        let seq = unsigned(row, 7).map_err(failed)?;
        let attempt = unsigned(row, 8).map_err(failed)?;
        positions.insert(id, AsOf { seq, attempt });
    }
    Ok(positions)
}

fn queue(row: &Row<'_>) -> Result<Backlog, StoreError> {
    let failing = Failing {
        failures: row.get(3).map_err(failed)?,
        retry_at: row.get::<_, Option<i64>>(4).map_err(failed)?.map(moment),
        since: row.get::<_, Option<i64>>(5).map_err(failed)?.map(moment),
    };
    let (cursor, next) = (unsigned(row, 1).map_err(failed)?, unsigned(row, 2).map_err(failed)?);
    let again: String = row.get(6).map_err(failed)?;
    if cursor > next {
        return Err(StoreError::internal("a stored queue ends before it begins"));
    }
    let done: Option<Vec<u8>> = row.get(10).map_err(failed)?;
    let held: Option<String> = row.get(11).map_err(failed)?;
    let refusals: u32 = row.get(9).map_err(failed)?;
    let held = match held {
        Some(held) => from_json(&held)?,
        // Format 1 had only the refusals of the event at the head, tried alone.
        None if refusals > 0 => {
            let (failures, retry_at) = (failing.failures, failing.retry_at);
            vec![Held { entries: vec![cursor], failures, refusals, retry_at }]
        }
        None => Vec::new(),
    };
    let done = done.as_deref().map(codec::decode).transpose()?.unwrap_or_default();
    let again = from_json(&again)?;
    let done = done.into_iter().collect();
    Ok(Backlog::stored(Position { cursor, next, again, failing, done, held }))
}

fn replay_journal(
    conn: &Connection,
    memory: &Memory,
    saved: AsOf,
    as_of: &impl Fn(EndpointId) -> AsOf,
) -> Result<(), StoreError> {
    let mut statement = conn
        .prepare("SELECT seq, matched FROM journal WHERE seq > ?1 ORDER BY seq")
        .map_err(failed)?;
    let mut rows = statement.query([signed(saved.seq)]).map_err(failed)?;
    while let Some(row) = rows.next().map_err(failed)? {
        let seq = unsigned(row, 0).map_err(failed)?;
        let matched = row.get_ref(1).map_err(failed)?;
        let matched = matched.as_blob().map_err(|error| failed(error.into()))?;
        for id in codec::decode(matched)? {
            let id = EndpointId(i32::try_from(id).unwrap_or(i32::MAX));
            if seq > as_of(id).seq
                && let Some(queue) = memory.queue(id)
            {
                lock(&queue).push(seq);
                memory.mark_dirty(id);
            }
        }
    }
    Ok(())
}

fn replay_attempts(
    conn: &Connection,
    memory: &Memory,
    saved: AsOf,
    as_of: &impl Fn(EndpointId) -> AsOf,
) -> Result<(), StoreError> {
    let sql = "SELECT id, endpoint_id, advance, failures, retry_ms, started_ms, refusals, entries, \
               seqs FROM attempts WHERE id > ?1 ORDER BY id";
    let mut statement = conn.prepare(sql).map_err(failed)?;
    let mut rows = statement.query([signed(saved.attempt)]).map_err(failed)?;
    while let Some(row) = rows.next().map_err(failed)? {
        let attempt = unsigned(row, 0).map_err(failed)?;
        let id = EndpointId(row.get(1).map_err(failed)?);
        if attempt > as_of(id).attempt
            && let Some(queue) = memory.queue(id)
        {
            lock(&queue).settle(effect(row)?.settled());
            memory.mark_dirty(id);
        }
    }
    Ok(())
}

fn effect(row: &Row<'_>) -> Result<Effect, StoreError> {
    let advance = unsigned(row, 2).map_err(failed)?;
    let entries: Option<Vec<u8>> = row.get(7).map_err(failed)?;
    let events = match advance {
        // A failed attempt counts only the number of its events.
        0 => {
            let seqs = row.get_ref(8).map_err(failed)?;
            codec::decode(seqs.as_blob().map_err(|error| failed(error.into()))?)?.len() as u64
        }
        _ => advance,
    };
    Ok(Effect {
        entries: entries.as_deref().map(codec::decode).transpose()?.unwrap_or_default(),
        events,
        advance,
        failures: row.get(3).map_err(failed)?,
        refusals: row.get(6).map_err(failed)?,
        retry_at: row.get::<_, Option<i64>>(4).map_err(failed)?.map(moment),
        started_at: moment(row.get(5).map_err(failed)?),
    })
}

fn state(conn: &Connection, saved: AsOf) -> Result<State, StoreError> {
    let (repeats, next_repeat) = Repeats::load(conn)?;
    let (journal_bytes, attempt_bytes) = weights::since(conn, saved.seq, saved.attempt)?;
    let ids =
        NextIds { journal_bytes, attempt_bytes, repeat: next_repeat, ..next_numbers(conn, saved)? };
    let checkpoint = NextIds {
        seq: saved.seq + 1,
        attempt: saved.attempt + 1,
        journal_bytes: 0,
        attempt_bytes: 0,
        ..ids
    };
    let garbage = versions::has_garbage(conn)?;
    let mut state = State { ids, repeats, checkpoint, garbage, ..State::default() };
    load_keys(conn, saved, &mut state)?;
    Ok(state)
}

/// The next numbers, as of the file.
fn next_numbers(conn: &Connection, saved: AsOf) -> Result<NextIds, StoreError> {
    let next = |sql: &str| {
        let last: Option<i64> = conn.query_row(sql, [], |row| row.get(0)).map_err(failed)?;
        Ok::<_, StoreError>(last.unwrap_or(0).cast_unsigned() + 1)
    };
    // The newest rows may be deleted, but none after the checkpoint is; no number is used again.
    Ok(NextIds {
        seq: next("SELECT max(seq) FROM journal")?.max(saved.seq + 1),
        attempt: next("SELECT max(id) FROM attempts")?.max(saved.attempt + 1),
        row: next(versions::LAST_NUMBER)?,
        repeat: next("SELECT max(id) FROM delivery_ids")?,
        delivery: next(deliveries::LAST_NUMBER)?,
        position: next("SELECT max(position) FROM dataset_versions")?,
        ..NextIds::default()
    })
}

/// The next numbers of a file.
pub(super) fn next_numbers_of(conn: &Connection) -> Result<NextIds, StoreError> {
    next_numbers(conn, checkpoint(conn)?)
}

/// The difference between the file and memory; `None` for none. When the file already has memory's next
/// number, memory took a committed transaction for lost. Events or attempts absent from the file were
/// acknowledged without being stored.
pub(super) fn difference(conn: &Connection, ids: NextIds) -> Result<Option<String>, StoreError> {
    let file = next_numbers(conn, checkpoint(conn)?)?;
    let exact = [("events", file.seq, ids.seq), ("attempts", file.attempt, ids.attempt)];
    // The newest records of these kinds may have been deleted.
    let not_beyond = [
        ("rows", file.row, ids.row),
        ("names of deliveries", file.repeat, ids.repeat),
        ("deliveries", file.delivery, ids.delivery),
        ("versions", file.position, ids.position),
    ];
    let exact = exact.into_iter().filter(|(_, file, memory)| file != memory);
    let beyond = not_beyond.into_iter().filter(|(_, file, memory)| file > memory);
    let said = exact.chain(beyond).map(|(what, file, memory)| {
        format!("{what}: the file ends at {}, memory at {}", file - 1, memory.saturating_sub(1))
    });
    Ok(said.reduce(|all, next| format!("{all}; {next}")))
}

/// Reads the identities of the newest events: first the stored runs, the newest first, then the journal after
/// the runs.
fn load_keys(conn: &Connection, saved: AsOf, state: &mut State) -> Result<(), StoreError> {
    let oldest = state.ids.seq.saturating_sub(keys::RECOVERED_MAX);
    let sql = "SELECT first_seq, hashes, workspaces FROM event_keys WHERE first_seq >= \
               coalesce((SELECT max(first_seq) FROM event_keys WHERE first_seq <= ?1), 0) \
               ORDER BY first_seq DESC";
    let mut statement = conn.prepare(sql).map_err(failed)?;
    let mut runs = statement.query([signed(oldest)]).map_err(failed)?;
    while let Some(run) = runs.next().map_err(failed)?
        && state.keys.has_room()
    {
        let first = unsigned(run, 0).map_err(failed)?;
        let blob = |column| -> rusqlite::Result<_> { Ok(run.get_ref(column)?.as_blob_or_null()?) };
        let hashes = keys::decode(blob(1).map_err(failed)?.unwrap_or_default());
        let workspaces = blob(2).map_err(failed)?.unwrap_or_default();
        let workspaces = keys::decode_workspaces(workspaces, hashes.len())?;
        for (place, key) in hashes.enumerate().rev() {
            let workspace = workspaces.get(place).copied().unwrap_or(UNKNOWN);
            state.keys.push_older(workspace, first + place as u64, key);
        }
    }
    let sql = "SELECT seq, workspace_id, event_id, source FROM journal WHERE seq > ?1 ORDER BY seq";
    let mut statement = conn.prepare(sql).map_err(failed)?;
    let mut rows = statement.query([signed(saved.seq)]).map_err(failed)?;
    while let Some(row) = rows.next().map_err(failed)? {
        let workspace = WorkspaceId(row.get(1).map_err(failed)?);
        let (id, source): (String, String) =
            (row.get(2).map_err(failed)?, row.get(3).map_err(failed)?);
        let key = keys::Key::new(workspace, &id, &source);
        state.keys.push(workspace, unsigned(row, 0).map_err(failed)?, key);
    }
    Ok(())
}
