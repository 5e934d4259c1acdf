//! What rows weigh, as retention counts them: on disk up to the last checkpoint.

use std::collections::HashMap;

use hookyard_core::id::WorkspaceId;
use rusqlite::{Connection, params};

use super::failed;
use super::rows::{signed, unsigned};
use super::span::{self, Timeline};
use crate::StoreError;
use crate::retention::ROW_OVERHEAD;

/// A kind of record deleted by age and size.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kind {
    /// The kind's row in `retained`.
    pub(super) id: i64,
    pub(super) timeline: Timeline,
    /// The lowest number.
    pub(super) lowest: &'static str,
    /// The numbers, sizes and workspaces of a range of rows; 0 where workspaces have no shares.
    pub(super) sizes: &'static str,
    pub(super) delete: &'static str,
}

pub(super) const JOURNAL: Kind = Kind {
    id: 0,
    timeline: span::JOURNAL,
    lowest: "SELECT min(seq) FROM journal WHERE seq >= ?1",
    sizes: "SELECT seq, octet_length(event_id) + octet_length(source) + octet_length(attributes) + \
            octet_length(object), workspace_id FROM journal WHERE seq >= ?1 AND seq < ?2 ORDER BY seq",
    delete: "DELETE FROM journal WHERE seq >= ?1 AND seq < ?2",
};

pub(super) const ATTEMPTS: Kind = Kind {
    id: 1,
    timeline: Timeline {
        ends: "SELECT (SELECT min(id) FROM attempts), (SELECT max(id) FROM attempts)",
        row: "SELECT id, started_ms FROM attempts WHERE id >= ?1 ORDER BY id LIMIT 1",
    },
    lowest: "SELECT min(id) FROM attempts WHERE id >= ?1",
    sizes: "SELECT id, octet_length(seqs) + octet_length(url) + octet_length(request_headers) + \
            octet_length(response_headers) + ifnull(octet_length(response), 0), 0 FROM attempts \
            WHERE id >= ?1 AND id < ?2 ORDER BY id",
    delete: "DELETE FROM attempts WHERE id >= ?1 AND id < ?2",
};

/// The bytes of a kind: of the journal and the attempts up to the last checkpoint.
pub(super) fn total(conn: &Connection, kind: i64) -> Result<u64, StoreError> {
    let sql = "SELECT bytes FROM retained WHERE kind = ?1";
    conn.query_row(sql, [kind], |row| unsigned(row, 0)).map_err(failed)
}

/// Adds the bytes written since the last checkpoint, of both kinds.
pub(super) fn add(conn: &Connection, journal: u64, attempts: u64) -> Result<(), StoreError> {
    let sql = "UPDATE retained SET bytes = bytes + ?2 WHERE kind = ?1 AND ?2 > 0";
    let mut update = conn.prepare_cached(sql).map_err(failed)?;
    for (kind, bytes) in [(JOURNAL, journal), (ATTEMPTS, attempts)] {
        update.execute(params![kind.id, signed(bytes)]).map_err(failed)?;
    }
    Ok(())
}

/// Adds to the bytes of each workspace's events.
pub(super) fn add_shares(
    conn: &Connection,
    bytes: HashMap<WorkspaceId, u64>,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO journal_shares (workspace_id, bytes) VALUES (?1, ?2) \
               ON CONFLICT (workspace_id) DO UPDATE SET bytes = bytes + excluded.bytes";
    let mut add = conn.prepare_cached(sql).map_err(failed)?;
    for (workspace, bytes) in bytes {
        add.execute(params![workspace.0, signed(bytes)]).map_err(failed)?;
    }
    Ok(())
}

/// The bytes of each workspace's events after the last checkpoint, found by a start.
pub(super) fn shares_since(
    conn: &Connection,
    seq: u64,
) -> Result<HashMap<WorkspaceId, u64>, StoreError> {
    let mut statement = conn.prepare(JOURNAL.sizes).map_err(failed)?;
    let range = params![signed(seq + 1), i64::MAX];
    let sizes = statement
        .query_map(range, |row| Ok((WorkspaceId(row.get(2)?), unsigned(row, 1)? + ROW_OVERHEAD)));
    let mut shares = HashMap::new();
    for size in sizes.map_err(failed)? {
        let (workspace, bytes) = size.map_err(failed)?;
        *shares.entry(workspace).or_default() += bytes;
    }
    Ok(shares)
}

/// The bytes after the last checkpoint, found by a start: of the journal, and of the attempts.
pub(super) fn since(conn: &Connection, seq: u64, attempt: u64) -> Result<(u64, u64), StoreError> {
    let sum = |kind: Kind, after: u64| {
        let mut statement = conn.prepare(kind.sizes).map_err(failed)?;
        let range = params![signed(after + 1), i64::MAX];
        let sizes = statement.query_map(range, |row| unsigned(row, 1)).map_err(failed)?;
        let mut sum = 0;
        for size in sizes {
            sum += size.map_err(failed)? + ROW_OVERHEAD;
        }
        Ok::<u64, StoreError>(sum)
    };
    Ok((sum(JOURNAL, seq)?, sum(ATTEMPTS, attempt)?))
}
