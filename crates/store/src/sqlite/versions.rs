//! Versions of datasets, and a transaction's changes of versions.
//!
//! A row belongs to a version, and a dataset names its visible version. So a replacement begins a version and
//! a restoration changes the visible version; neither touches a row. [`Open`] gathers a transaction's changes
//! of a dataset and is written once, before the commit. So are the added rows: of many replacements in one
//! transaction, only the staying rows are written.

use std::collections::HashSet;
use std::collections::hash_map::Entry;

use async_trait::async_trait;
use hookyard_core::id::{BatchId, DatasetId, ProjectId, VersionId, WorkspaceId};
use hookyard_core::model::{DatasetStats, Mode, Version, VersionsKept};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde_json::json;

use super::open::{NewRow, Open, Replaced, Stored};
use super::pack::Stored as Cell;
use super::rows::{Text, count, moment, signed, unsigned};
use super::tx::Tx;
use super::{SqliteStore, audit, datasets, failed};
use crate::checksum::Sum;
use crate::{Entity, StoreError, VersionStore};

/// Rows deleted within the transaction that drops their version. A source always in replace mode has a single
/// row; the surplus waits for an idle moment.
const DELETED_AT_ONCE: i64 = 16;

/// Rows deleted in one idle transaction: about a millisecond, so a concurrent publisher hardly notices.
const DELETED_IDLE: i64 = 500;

/// The highest used number of a row or a version. Rows and versions share a sequence: a version begun by a
/// delivery has the number of its row.
pub(super) const LAST_NUMBER: &str = "SELECT max((SELECT last FROM row_numbers), ifnull((SELECT max(id) FROM rows), 0), \
     ifnull((SELECT max(version_id) FROM datasets), 0), \
     ifnull((SELECT max(id) FROM dataset_versions), 0), \
     ifnull((SELECT max(version_id) FROM garbage), 0))";

/// The changes of a dataset by this transaction so far.
pub(super) fn open<'t>(tx: &'t mut Tx<'_>, dataset: DatasetId) -> Result<&'t mut Open, StoreError> {
    match tx.state.open.entry(dataset) {
        Entry::Occupied(open) => Ok(open.into_mut()),
        Entry::Vacant(place) => Ok(place.insert(load(tx.conn, dataset)?)),
    }
}

fn load(conn: &Connection, dataset: DatasetId) -> Result<Open, StoreError> {
    let sql = "SELECT version_id, began_ms, rows, suspended, bytes, edits, updated_ms, \
               versions_kept, versions_bytes FROM datasets WHERE id = ?1";
    let read = |row: &Row<'_>| {
        Ok(Open {
            seen: stored(row)?,
            begun: false,
            updated_ms: row.get(6)?,
            keep: VersionsKept { count: row.get(7)?, bytes: unsigned(row, 8)? },
            replaced: Vec::new(),
            trim: false,
            added: false,
        })
    };
    let mut statement = conn.prepare_cached(sql).map_err(failed)?;
    let found = statement.query_row([dataset.0], read).optional().map_err(failed)?;
    found.ok_or(StoreError::NotFound(Entity::Dataset))
}

/// Reads id, beginning, counters and edits.
fn stored(row: &Row<'_>) -> rusqlite::Result<Stored> {
    let stats = DatasetStats {
        rows: unsigned(row, 2)?,
        suspended: unsigned(row, 3)?,
        bytes: unsigned(row, 4)?,
    };
    Ok(Stored {
        id: VersionId(unsigned(row, 0)?),
        began_ms: row.get(1)?,
        stats,
        edits: unsigned(row, 5)?,
    })
}

/// Adds a row to a dataset, or begins a version with the row. Fails before the first change when the dataset
/// is absent, so the job may be part of a group.
pub(super) fn add_row(
    tx: &mut Tx<'_>,
    dataset: DatasetId,
    mode: Mode,
    cell: Cell,
    now: Timestamp,
) -> Result<BatchId, StoreError> {
    let (id, received_ms) = (tx.state.ids.row, now.as_millisecond());
    let open = open(tx, dataset)?;
    if mode == Mode::Replace {
        let (version, stats) = (VersionId(id), DatasetStats::default());
        let begun = Stored { id: version, began_ms: received_ms, stats, edits: 0 };
        open.replace(begun, true, received_ms);
    }
    open.added = true;
    open.seen.stats.rows += 1;
    open.seen.stats.bytes += cell.size() as u64;
    open.updated_ms = received_ms;
    let version = open.seen.id;
    tx.state.rows.push(NewRow { id, version, received_ms, cell });
    tx.state.ids.row += 1;
    Ok(BatchId(id))
}

/// Writes the transaction's changes of datasets, just before the commit.
pub(super) fn write_open(tx: &mut Tx<'_>) -> Result<(), StoreError> {
    let mut unwritten = HashSet::new();
    for (dataset, open) in std::mem::take(&mut tx.state.open) {
        let Open { seen, begun: _, updated_ms, keep, replaced, trim: beyond, added } = open;
        let sql = "UPDATE datasets SET version_id = ?2, began_ms = ?3, rows = ?4, suspended = ?5, \
                   bytes = ?6, edits = ?7, updated_ms = ?8 WHERE id = ?1";
        let row = params![
            dataset.0,
            signed(seen.id.0),
            seen.began_ms,
            signed(seen.stats.rows),
            signed(seen.stats.suspended),
            signed(seen.stats.bytes),
            signed(seen.edits),
            updated_ms,
        ];
        tx.conn.prepare_cached(sql).and_then(|mut sql| sql.execute(row)).map_err(failed)?;
        if beyond {
            unwritten.extend(close(tx, dataset, keep, &replaced)?);
            if !added {
                keep_numbers(tx)?;
            }
        }
    }
    write_rows(tx, &unwritten)
}

/// Writes the transaction's added rows, but for rows of versions that end with the transaction.
fn write_rows(tx: &mut Tx<'_>, unwritten: &HashSet<VersionId>) -> Result<(), StoreError> {
    if tx.state.rows.is_empty() {
        return Ok(());
    }
    let plain = "INSERT INTO rows (id, version_id, received_ms, suspended, checksum, cell) \
                 VALUES (?1, ?2, ?3, 0, ?4, ?5)";
    let packed = "INSERT INTO rows (id, version_id, received_ms, suspended, checksum, cell, size, \
                  packed) VALUES (?1, ?2, ?3, 0, ?4, '', ?5, ?6)";
    let mut plain = tx.conn.prepare_cached(plain).map_err(failed)?;
    let mut packed = tx.conn.prepare_cached(packed).map_err(failed)?;
    for NewRow { id, version, received_ms, cell } in std::mem::take(&mut tx.state.rows) {
        if unwritten.contains(&version) {
            continue;
        }
        let sum = Sum::of_packed_row(received_ms, cell.sum()).at(id);
        let (id, version) = (signed(id), signed(version.0));
        let written = match &cell {
            Cell::Plain(text) => plain.execute(params![id, version, received_ms, sum, Text(text)]),
            Cell::Packed { size, frame, .. } => {
                packed.execute(params![id, version, received_ms, sum, count(*size), &frame[..]])
            }
        };
        written.map_err(failed)?;
    }
    Ok(())
}

/// Counts versions from the newest on.
struct Bound {
    keep: VersionsKept,
    place: u32,
    total: u64,
}

impl Bound {
    /// Whether the next version is within the bound.
    fn takes(&mut self, bytes: u64) -> bool {
        self.total = self.total.saturating_add(bytes);
        let newest = self.place == 0;
        let takes = self.place < self.keep.count && (self.total <= self.keep.bytes || newest);
        self.place = self.place.saturating_add(1);
        takes
    }
}

/// Writes the replaced versions, and drops versions beyond the bound. Returns the versions that began in this
/// transaction and are gone already.
fn close(
    tx: &mut Tx<'_>,
    dataset: DatasetId,
    keep: VersionsKept,
    replaced: &[Replaced],
) -> Result<Vec<VersionId>, StoreError> {
    let mut bound = Bound { keep, place: 0, total: 0 };
    let (mut kept, mut unwritten) = (Vec::new(), Vec::new());
    for replaced in replaced.iter().rev() {
        let Replaced { version: Stored { id, stats, .. }, begun, .. } = replaced;
        if stats.batches() > 0 && bound.takes(stats.bytes) {
            kept.push(replaced);
        } else if *begun {
            unwritten.push(*id);
        } else {
            drop_version(tx, *id)?;
        }
    }
    trim(tx, dataset, &mut bound)?;
    for replaced in kept.into_iter().rev() {
        write_version(tx, dataset, replaced)?;
    }
    Ok(unwritten)
}

/// Drops stored versions beyond the bound.
fn trim(tx: &mut Tx<'_>, dataset: DatasetId, bound: &mut Bound) -> Result<(), StoreError> {
    let sql = "SELECT position, id, bytes FROM dataset_versions WHERE dataset_id = ?1 \
               ORDER BY position DESC";
    let read = |row: &Row<'_>| Ok((row.get(0)?, VersionId(unsigned(row, 1)?), unsigned(row, 2)?));
    let stored: Vec<(i64, _, _)> = {
        let mut statement = tx.conn.prepare_cached(sql).map_err(failed)?;
        let rows = statement.query_map([dataset.0], read).map_err(failed)?;
        rows.collect::<Result<_, _>>().map_err(failed)?
    };
    for (position, version, bytes) in stored {
        if !bound.takes(bytes) {
            let sql = "DELETE FROM dataset_versions WHERE dataset_id = ?1 AND position = ?2";
            let mut delete = tx.conn.prepare_cached(sql).map_err(failed)?;
            delete.execute(params![dataset.0, position]).map_err(failed)?;
            drop_version(tx, version)?;
        }
    }
    Ok(())
}

fn write_version(
    tx: &mut Tx<'_>,
    dataset: DatasetId,
    replaced: &Replaced,
) -> Result<(), StoreError> {
    let Replaced {
        version: Stored { id, began_ms, stats, edits },
        begun: _,
        updated_ms,
        replaced_ms,
    } = replaced;
    let sql = "INSERT INTO dataset_versions (dataset_id, position, id, began_ms, updated_ms, \
               replaced_ms, rows, suspended, bytes, edits) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
    let row = params![
        dataset.0,
        signed(tx.state.ids.position),
        signed(id.0),
        began_ms,
        updated_ms,
        replaced_ms,
        signed(stats.rows),
        signed(stats.suspended),
        signed(stats.bytes),
        signed(*edits),
    ];
    tx.conn.prepare_cached(sql).and_then(|mut sql| sql.execute(row)).map_err(failed)?;
    tx.state.ids.position += 1;
    Ok(())
}

/// Deletes the rows of a version that is invisible for good, or leaves many rows to the next idle moment.
pub(super) fn drop_version(tx: &mut Tx<'_>, version: VersionId) -> Result<(), StoreError> {
    if delete_rows(tx.conn, version, DELETED_AT_ONCE)? == DELETED_AT_ONCE {
        let sql = "INSERT OR IGNORE INTO garbage (version_id) VALUES (?1)";
        tx.conn.execute(sql, [signed(version.0)]).map_err(failed)?;
        tx.state.garbage = true;
    }
    Ok(())
}

/// Remembers the used numbers before the rows with the numbers are deleted.
pub(super) fn keep_numbers(tx: &Tx<'_>) -> Result<(), StoreError> {
    let sql = "UPDATE row_numbers SET last = ?1";
    let last = signed(tx.state.ids.row.saturating_sub(1));
    tx.conn.prepare_cached(sql).and_then(|mut sql| sql.execute([last])).map_err(failed)?;
    Ok(())
}

fn delete_rows(conn: &Connection, version: VersionId, limit: i64) -> Result<i64, StoreError> {
    let sql = "DELETE FROM rows WHERE id IN \
               (SELECT id FROM rows WHERE version_id = ?1 ORDER BY id LIMIT ?2)";
    let deleted = conn
        .prepare_cached(sql)
        .and_then(|mut delete| delete.execute(params![signed(version.0), limit]))
        .map_err(failed)?;
    Ok(count(deleted))
}

/// Whether rows wait to be deleted.
pub(super) fn has_garbage(conn: &Connection) -> Result<bool, StoreError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM garbage)";
    conn.query_row(sql, [], |row| row.get(0)).map_err(failed)
}

/// Deletes some rows that are invisible for good. Returns whether there are more.
pub(super) fn collect_garbage(conn: &mut Connection) -> Result<bool, StoreError> {
    let tx = conn.transaction().map_err(failed)?;
    let next = "SELECT version_id FROM garbage LIMIT 1";
    let found = tx.query_row(next, [], |row| unsigned(row, 0)).optional().map_err(failed)?;
    let Some(version) = found else { return Ok(false) };
    if delete_rows(&tx, VersionId(version), DELETED_IDLE)? < DELETED_IDLE {
        let sql = "DELETE FROM garbage WHERE version_id = ?1";
        tx.execute(sql, [signed(version)]).map_err(failed)?;
    }
    tx.commit().map_err(failed)?;
    Ok(true)
}

#[async_trait]
impl VersionStore for SqliteStore {
    async fn versions(
        &self,
        workspace: WorkspaceId,
        project: ProjectId,
        dataset: DatasetId,
    ) -> Result<Vec<Version>, StoreError> {
        let read = move |conn: &Connection| {
            let conn = conn.unchecked_transaction().map_err(failed)?;
            let found = datasets::find(&conn, workspace, project, dataset)?;
            let found = found.ok_or(StoreError::NotFound(Entity::Dataset))?;
            list(&conn, dataset, found.updated_at)
        };
        self.readers.read(read).await
    }

    async fn restore_version(
        &self,
        workspace: WorkspaceId,
        project: ProjectId,
        dataset: DatasetId,
        version: VersionId,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let job = move |tx: &mut Tx<'_>| {
            datasets::there(tx.conn, workspace, project, dataset)?;
            let detail = json!({ "version": version });
            audit::note(tx.conn, workspace, "dataset.restore_version", dataset, &detail)?;
            restore(tx, dataset, version, now)
        };
        self.writer.alone(job).await
    }

    async fn delete_version(
        &self,
        workspace: WorkspaceId,
        project: ProjectId,
        dataset: DatasetId,
        version: VersionId,
    ) -> Result<bool, StoreError> {
        let job = move |tx: &mut Tx<'_>| {
            datasets::there(tx.conn, workspace, project, dataset)?;
            if open(tx, dataset)?.version() == version {
                let message = "the version is the one that is seen: it goes when it is replaced";
                return Err(StoreError::Conflict(message.to_owned()));
            }
            let there = take(tx.conn, dataset, version)?.is_some();
            if there {
                let detail = json!({ "version": version });
                audit::note(tx.conn, workspace, "dataset.delete_version", dataset, &detail)?;
                drop_version(tx, version)?;
                keep_numbers(tx)?;
            }
            Ok(there)
        };
        self.writer.alone(job).await
    }
}

fn list(
    conn: &Connection,
    dataset: DatasetId,
    updated_at: Timestamp,
) -> Result<Vec<Version>, StoreError> {
    let Open { seen, .. } = load(conn, dataset)?;
    let mut versions = vec![Version {
        id: seen.id,
        began_at: moment(seen.began_ms),
        updated_at,
        replaced_at: None,
        stats: seen.stats,
    }];
    let sql = "SELECT id, began_ms, rows, suspended, bytes, edits, updated_ms, replaced_ms \
               FROM dataset_versions WHERE dataset_id = ?1 ORDER BY position DESC";
    let read = |row: &Row<'_>| {
        let Stored { id, began_ms, stats, edits: _ } = stored(row)?;
        Ok(Version {
            id,
            began_at: moment(began_ms),
            updated_at: moment(row.get(6)?),
            replaced_at: Some(moment(row.get(7)?)),
            stats,
        })
    };
    let mut statement = conn.prepare_cached(sql).map_err(failed)?;
    for version in statement.query_map([dataset.0], read).map_err(failed)? {
        versions.push(version.map_err(failed)?);
    }
    Ok(versions)
}

/// Takes an earlier version out of the list; `None` when there is no such version.
fn take(
    conn: &Connection,
    dataset: DatasetId,
    version: VersionId,
) -> Result<Option<Stored>, StoreError> {
    let sql = "DELETE FROM dataset_versions WHERE id = ?1 AND dataset_id = ?2 \
               RETURNING id, began_ms, rows, suspended, bytes, edits";
    let row = params![signed(version.0), dataset.0];
    conn.query_row(sql, row, stored).optional().map_err(failed)
}

fn restore(
    tx: &mut Tx<'_>,
    dataset: DatasetId,
    version: VersionId,
    now: Timestamp,
) -> Result<(), StoreError> {
    if open(tx, dataset)?.version() == version {
        return Ok(());
    }
    let found = take(tx.conn, dataset, version)?;
    let restored = found.ok_or(StoreError::NotFound(Entity::Version))?;
    open(tx, dataset)?.replace(restored, false, now.as_millisecond());
    Ok(())
}
