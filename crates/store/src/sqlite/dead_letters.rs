//! Dead letters.

use std::collections::HashSet;

use async_trait::async_trait;
use hookyard_core::id::{EndpointId, EventTypeId, RequestId, Seq, WorkspaceId};
use hookyard_core::model::NewAttempt;
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde_json::json;

use super::memory::{Memory, lock};
use super::rows::{count, is_damage, moment, signed, unsigned};
use super::tx::Tx;
use super::{SqliteStore, audit, checkpoint, failed};
use crate::retention::ROW_OVERHEAD;
use crate::{
    DEAD_LETTERS_MAX, DeadLetter, DeadLetterQuery, DeadLetterStore, DeadLetters, Entity,
    StoreError, SurplusAge,
};

#[async_trait]
impl DeadLetterStore for SqliteStore {
    async fn dead_letters(
        &self,
        workspace: WorkspaceId,
        endpoint: EndpointId,
        query: DeadLetterQuery,
    ) -> Result<Vec<DeadLetter>, StoreError> {
        self.owned_by(workspace, endpoint)?;
        self.readers.read(move |conn| list(conn, endpoint, query)).await
    }

    async fn redeliver_dead_letters(
        &self,
        workspace: WorkspaceId,
        endpoint: EndpointId,
        which: DeadLetters,
    ) -> Result<u64, StoreError> {
        self.owned_by(workspace, endpoint)?;
        let again = move |tx: &mut Tx<'_>| {
            let queued = redeliver(tx, endpoint, which)?;
            note(tx.conn, workspace, "dead_letter.redeliver", endpoint, which, queued)?;
            Ok(queued)
        };
        self.writer.alone(again).await
    }

    async fn drop_dead_letters(
        &self,
        workspace: WorkspaceId,
        endpoint: EndpointId,
        which: DeadLetters,
    ) -> Result<u64, StoreError> {
        self.owned_by(workspace, endpoint)?;
        let forget = move |tx: &mut Tx<'_>| {
            let dropped = delete(tx.conn, endpoint, which)?;
            count_after_commit(tx, endpoint)?;
            note(tx.conn, workspace, "dead_letter.drop", endpoint, which, dropped)?;
            Ok(dropped)
        };
        self.writer.alone(forget).await
    }
}

impl SqliteStore {
    fn owned_by(&self, workspace: WorkspaceId, endpoint: EndpointId) -> Result<(), StoreError> {
        let owner = self.memory.endpoint(endpoint).filter(|e| e.workspace == workspace);
        owner.map(|_| ()).ok_or(StoreError::NotFound(Entity::Endpoint))
    }
}

/// Notes a change of dead letters in the audit log, if there was any.
fn note(
    conn: &Connection,
    workspace: WorkspaceId,
    action: &str,
    endpoint: EndpointId,
    which: DeadLetters,
    count: u64,
) -> Result<(), StoreError> {
    if count == 0 {
        return Ok(());
    }
    let seq = match which {
        DeadLetters::All => None,
        DeadLetters::One(seq) => Some(seq),
    };
    audit::note(conn, workspace, action, endpoint, &json!({ "count": count, "seq": seq }))
}

fn list(
    conn: &Connection,
    endpoint: EndpointId,
    query: DeadLetterQuery,
) -> Result<Vec<DeadLetter>, StoreError> {
    let sql = "SELECT d.seq, d.type_id, d.parked_ms, d.request_id, j.event_id FROM dead_letters d \
               LEFT JOIN journal j ON j.seq = d.seq WHERE d.endpoint_id = ?1 AND d.seq > ?2 \
               ORDER BY d.seq LIMIT ?3";
    let mut statement = conn.prepare_cached(sql).map_err(failed)?;
    let after = query.after.map_or(0, |seq| signed(seq.0));
    let mut rows =
        statement.query(params![endpoint.0, after, count(query.limit)]).map_err(failed)?;
    let mut letters = Vec::new();
    while let Some(row) = rows.next().map_err(failed)? {
        letters.push(letter(row)?);
    }
    Ok(letters)
}

fn letter(row: &Row<'_>) -> Result<DeadLetter, StoreError> {
    let request_id: String = row.get(3).map_err(failed)?;
    let request_id = RequestId::parse(&request_id)
        .ok_or_else(|| StoreError::internal("a stored request id is damaged"))?;
    Ok(DeadLetter {
        seq: Seq(unsigned(row, 0).map_err(failed)?),
        event_type: EventTypeId(row.get(1).map_err(failed)?),
        parked_at: moment(row.get(2).map_err(failed)?),
        request_id,
        event_id: row.get(4).map_err(failed)?,
    })
}

/// Makes dead letters of an attempt's events; how many the endpoint has then.
pub(super) fn park(
    tx: &Tx<'_>,
    endpoint: EndpointId,
    attempt: &NewAttempt,
) -> Result<u64, StoreError> {
    let sql = "INSERT INTO dead_letters (endpoint_id, seq, type_id, parked_ms, request_id, bytes) \
               SELECT ?1, seq, type_id, ?3, ?4, octet_length(event_id) + octet_length(source) + \
               octet_length(attributes) + octet_length(object) + ?5 FROM journal WHERE seq = ?2 \
               ON CONFLICT DO UPDATE SET parked_ms = excluded.parked_ms, \
               request_id = excluded.request_id";
    let mut insert = tx.conn.prepare_cached(sql).map_err(failed)?;
    let (at, request_id) = (attempt.started_at.as_millisecond(), attempt.request_id.as_str());
    for seq in &attempt.events {
        let row = params![endpoint.0, signed(seq.0), at, request_id, signed(ROW_OVERHEAD)];
        match insert.execute(row) {
            Err(error) if is_damage(&error) => park_unread(tx, endpoint, *seq, attempt)?,
            done => drop(done.map_err(failed)?),
        }
    }
    let mut letters = count_of(tx.conn, endpoint)?;
    while letters > DEAD_LETTERS_MAX
        && let Some(oldest) = oldest(tx.conn, endpoint)?
    {
        delete(tx.conn, endpoint, DeadLetters::One(oldest))?;
        tracing::warn!(%endpoint, seq = oldest.0, "the oldest dead letter made room for a new one");
        letters -= 1;
    }
    Ok(letters)
}

/// Makes a dead letter of an unreadable event.
fn park_unread(
    tx: &Tx<'_>,
    endpoint: EndpointId,
    seq: Seq,
    attempt: &NewAttempt,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO dead_letters (endpoint_id, seq, type_id, parked_ms, request_id, bytes) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO UPDATE SET \
               parked_ms = excluded.parked_ms, request_id = excluded.request_id";
    let event_type = attempt.event_types.first().map_or(0, |id| id.0);
    let (at, request_id) = (attempt.started_at.as_millisecond(), attempt.request_id.as_str());
    let row = params![endpoint.0, signed(seq.0), event_type, at, request_id, signed(ROW_OVERHEAD)];
    tx.conn.prepare_cached(sql).and_then(|mut sql| sql.execute(row)).map_err(failed)?;
    Ok(())
}

fn oldest(conn: &Connection, endpoint: EndpointId) -> Result<Option<Seq>, StoreError> {
    let sql = "SELECT seq FROM dead_letters WHERE endpoint_id = ?1 ORDER BY parked_ms, seq LIMIT 1";
    let mut statement = conn.prepare_cached(sql).map_err(failed)?;
    statement.query_row([endpoint.0], |row| unsigned(row, 0).map(Seq)).optional().map_err(failed)
}

/// Queues dead letters again, durably: entries without a journal row after the checkpoint must be in chunks.
fn redeliver(tx: &mut Tx<'_>, endpoint: EndpointId, which: DeadLetters) -> Result<u64, StoreError> {
    let queue = tx.memory.queue(endpoint).ok_or(StoreError::NotFound(Entity::Endpoint))?;
    let seqs = numbers(tx.conn, endpoint, which)?;
    let queued = seqs.len() as u64;
    if queued == 0 {
        return Ok(0);
    }
    delete(tx.conn, endpoint, which)?;
    let mut after = lock(&queue).clone();
    checkpoint::save_queue(tx.conn, endpoint, &after, tx.state.ids)?;
    checkpoint::save_chunks(tx.conn, endpoint, after.next(), &seqs)?;
    after.saved();
    after.push_again(queued);
    checkpoint::save_position(tx.conn, endpoint, &after, tx.state.ids)?;
    let left = count_of(tx.conn, endpoint)?;
    tx.after_commit(move |memory| {
        let mut queue = lock(&queue);
        queue.saved();
        queue.push_again(queued);
        queue.dead_letters = left;
        drop(queue);
        memory.ready.mark([endpoint]);
    });
    Ok(queued)
}

fn numbers(
    conn: &Connection,
    endpoint: EndpointId,
    which: DeadLetters,
) -> Result<Vec<u64>, StoreError> {
    let (from, until) = range(which);
    let sql = "SELECT seq FROM dead_letters WHERE endpoint_id = ?1 AND seq BETWEEN ?2 AND ?3 \
               ORDER BY seq";
    let mut statement = conn.prepare_cached(sql).map_err(failed)?;
    let read = |row: &Row<'_>| unsigned(row, 0);
    let seqs = statement.query_map(params![endpoint.0, from, until], read).map_err(failed)?;
    seqs.collect::<Result<_, _>>().map_err(failed)
}

fn delete(conn: &Connection, endpoint: EndpointId, which: DeadLetters) -> Result<u64, StoreError> {
    let (from, until) = range(which);
    let sql = "DELETE FROM dead_letters WHERE endpoint_id = ?1 AND seq BETWEEN ?2 AND ?3";
    let deleted = conn
        .prepare_cached(sql)
        .and_then(|mut delete| delete.execute(params![endpoint.0, from, until]))
        .map_err(failed)?;
    Ok(deleted as u64)
}

/// The first and the last event number.
fn range(which: DeadLetters) -> (i64, i64) {
    match which {
        DeadLetters::All => (0, i64::MAX),
        DeadLetters::One(seq) => (signed(seq.0), signed(seq.0)),
    }
}

fn count_of(conn: &Connection, endpoint: EndpointId) -> Result<u64, StoreError> {
    let sql = "SELECT count(*) FROM dead_letters WHERE endpoint_id = ?1";
    let mut statement = conn.prepare_cached(sql).map_err(failed)?;
    statement.query_row([endpoint.0], |row| unsigned(row, 0)).map_err(failed)
}

/// Has memory know how many dead letters are left.
fn count_after_commit(tx: &mut Tx<'_>, endpoint: EndpointId) -> Result<(), StoreError> {
    let left = count_of(tx.conn, endpoint)?;
    tx.after_commit(move |memory| {
        if let Some(queue) = memory.queue(endpoint) {
            lock(&queue).dead_letters = left;
        }
    });
    Ok(())
}

/// Drops surplus dead letters, the oldest first and at most `limit`. Returns the number dropped; `surplus`
/// has the rest.
pub(super) fn drop_surplus(
    tx: &mut Tx<'_>,
    surplus: &mut SurplusAge,
    limit: u64,
) -> Result<u64, StoreError> {
    let (letters, more) = oldest_surplus(tx.conn, surplus, limit)?;
    for (endpoint, seq) in &letters {
        delete(tx.conn, *endpoint, DeadLetters::One(*seq))?;
    }
    for endpoint in letters.iter().map(|(endpoint, _)| *endpoint).collect::<HashSet<_>>() {
        count_after_commit(tx, endpoint)?;
    }
    if !more {
        *surplus = SurplusAge::default();
    }
    Ok(letters.len() as u64)
}

/// The oldest letters that may go, and whether there may be more. The letters' bytes are taken off the
/// surplus.
fn oldest_surplus(
    conn: &Connection,
    surplus: &mut SurplusAge,
    limit: u64,
) -> Result<(Vec<(EndpointId, Seq)>, bool), StoreError> {
    let sql = "SELECT endpoint_id, seq, parked_ms, bytes FROM dead_letters \
               ORDER BY parked_ms, endpoint_id, seq LIMIT ?1";
    let mut statement = conn.prepare_cached(sql).map_err(failed)?;
    let mut rows = statement.query([signed(limit)]).map_err(failed)?;
    let mut letters = Vec::new();
    while let Some(row) = rows.next().map_err(failed)? {
        let parked_at = moment(row.get(2).map_err(failed)?);
        if !surplus.takes(parked_at, unsigned(row, 3).map_err(failed)?) {
            return Ok((letters, false));
        }
        let seq = Seq(unsigned(row, 1).map_err(failed)?);
        letters.push((EndpointId(row.get(0).map_err(failed)?), seq));
    }
    let more = letters.len() as u64 == limit;
    Ok((letters, more))
}

/// Counts the dead letters of every endpoint.
pub(super) fn count_all(conn: &Connection, memory: &Memory) -> Result<(), StoreError> {
    let sql = "SELECT endpoint_id, count(*) FROM dead_letters GROUP BY endpoint_id";
    let mut statement = conn.prepare(sql).map_err(failed)?;
    let mut rows = statement.query([]).map_err(failed)?;
    while let Some(row) = rows.next().map_err(failed)? {
        if let Some(queue) = memory.queue(EndpointId(row.get(0).map_err(failed)?)) {
            lock(&queue).dead_letters = unsigned(row, 1).map_err(failed)?;
        }
    }
    Ok(())
}
