//! Reading rows and batches, and changing batches.

use async_trait::async_trait;
use bytes::Bytes;
use hookyard_core::id::{BatchId, DatasetId, ProjectId, VersionId, WorkspaceId};
use hookyard_core::model::{Batch, BatchState, Row as DataRow};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params, params_from_iter};
use serde_json::json;

use super::rows::{count, is_damage, moment, signed, unsigned};
use super::span::{earlier, halve, later};
use super::tx::Tx;
use super::{SqliteStore, audit, datasets, failed, pack, versions};
use crate::checksum;
use crate::{
    BATCHES_CHANGED_MAX, BatchChange, BatchQuery, Entity, RowLimit, RowPage, RowQuery, RowStore,
    StoreError,
};

/// Rows that a read passes over, because suspended or out of the range of time: some milliseconds. The reader
/// goes on with the next page.
const PASSED_MAX: usize = 10_000;

#[async_trait]
impl RowStore for SqliteStore {
    async fn rows_after(
        &self,
        workspace: WorkspaceId,
        project: ProjectId,
        dataset: DatasetId,
        query: RowQuery,
        limit: RowLimit,
    ) -> Result<RowPage, StoreError> {
        let read = move |conn: &Connection| {
            let conn = conn.unchecked_transaction().map_err(failed)?;
            let seen = seen(&conn, workspace, project, dataset)?;
            let version = match query.version {
                Some(version) if version != seen.version => {
                    earlier_version(&conn, dataset, version)?
                }
                _ => seen.version,
            };
            page(&conn, version, &query, limit)
        };
        self.readers.read(read).await
    }

    async fn rows_at(
        &self,
        workspace: WorkspaceId,
        project: ProjectId,
        dataset: DatasetId,
        offset: u64,
        limit: RowLimit,
    ) -> Result<RowPage, StoreError> {
        let places = std::sync::Arc::clone(&self.places);
        let read = move |conn: &Connection| {
            let conn = conn.unchecked_transaction().map_err(failed)?;
            let Seen { version, edits, rows } = seen(&conn, workspace, project, dataset)?;
            let after =
                if offset < rows { places.find(&conn, version, edits, offset)? } else { None };
            match after {
                Some(after) => {
                    let after = Some(BatchId(after));
                    page(&conn, version, &RowQuery { after, ..RowQuery::default() }, limit)
                }
                None => Ok(RowPage { version, rows: Vec::new(), next: None }),
            }
        };
        self.readers.read(read).await
    }

    async fn batches(
        &self,
        workspace: WorkspaceId,
        project: ProjectId,
        dataset: DatasetId,
        query: BatchQuery,
    ) -> Result<Vec<Batch>, StoreError> {
        let read = move |conn: &Connection| {
            let conn = conn.unchecked_transaction().map_err(failed)?;
            let seen = seen(&conn, workspace, project, dataset)?;
            batches(&conn, seen.version, query)
        };
        self.readers.read(read).await
    }

    async fn batch(
        &self,
        workspace: WorkspaceId,
        project: ProjectId,
        dataset: DatasetId,
        id: BatchId,
    ) -> Result<Option<Batch>, StoreError> {
        let read = move |conn: &Connection| {
            let conn = conn.unchecked_transaction().map_err(failed)?;
            let seen = seen(&conn, workspace, project, dataset)?;
            find_batch(&conn, seen.version, id)
        };
        self.readers.read(read).await
    }

    async fn change_batches(
        &self,
        workspace: WorkspaceId,
        project: ProjectId,
        dataset: DatasetId,
        changes: Vec<(BatchId, BatchChange)>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        if changes.len() > BATCHES_CHANGED_MAX {
            let message = format!("at most {BATCHES_CHANGED_MAX} batches can be changed at once");
            return Err(StoreError::Conflict(message));
        }
        let job = move |tx: &mut Tx<'_>| {
            datasets::there(tx.conn, workspace, project, dataset)?;
            let named = |(id, change): &(BatchId, BatchChange)| {
                let change = change.as_str();
                json!({ "batch": id, "change": change })
            };
            let detail = json!({ "batches": changes.iter().map(named).collect::<Vec<_>>() });
            audit::note(tx.conn, workspace, "dataset.change_batches", dataset, &detail)?;
            for (id, change) in changes {
                change_batch(tx, dataset, id, change, now)?;
            }
            versions::keep_numbers(tx)
        };
        self.writer.alone(job).await
    }
}

/// The visible version of a dataset, with the counters of the version's rows.
struct Seen {
    version: VersionId,
    edits: u64,
    rows: u64,
}

fn seen(
    conn: &Connection,
    workspace: WorkspaceId,
    project: ProjectId,
    dataset: DatasetId,
) -> Result<Seen, StoreError> {
    let sql = "SELECT version_id, edits, rows FROM datasets \
               WHERE id = ?1 AND workspace_id = ?2 AND project_id = ?3";
    let read = |row: &Row<'_>| {
        let version = VersionId(unsigned(row, 0)?);
        Ok(Seen { version, edits: unsigned(row, 1)?, rows: unsigned(row, 2)? })
    };
    let mut statement = conn.prepare_cached(sql).map_err(failed)?;
    let own = params![dataset.0, workspace.0, project.0];
    let found = statement.query_row(own, read).optional().map_err(failed)?;
    found.ok_or(StoreError::NotFound(Entity::Dataset))
}

fn earlier_version(
    conn: &Connection,
    dataset: DatasetId,
    version: VersionId,
) -> Result<VersionId, StoreError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM dataset_versions WHERE id = ?1 AND dataset_id = ?2)";
    let mut statement = conn.prepare_cached(sql).map_err(failed)?;
    let row = params![signed(version.0), dataset.0];
    let there: bool = statement.query_row(row, |row| row.get(0)).map_err(failed)?;
    if there { Ok(version) } else { Err(StoreError::NotFound(Entity::Version)) }
}

/// The rows of a version between two numbers, the first number included.
fn rows_between(newest_first: bool) -> &'static str {
    if newest_first {
        "SELECT id, received_ms, suspended, cell, size, packed, checksum FROM rows \
         WHERE version_id = ?1 AND id >= ?2 AND id < ?3 ORDER BY id DESC"
    } else {
        "SELECT id, received_ms, suspended, cell, size, packed, checksum FROM rows \
         WHERE version_id = ?1 AND id >= ?2 AND id < ?3 ORDER BY id"
    }
}

fn page(
    conn: &Connection,
    version: VersionId,
    query: &RowQuery,
    limit: RowLimit,
) -> Result<RowPage, StoreError> {
    let (low, high) = bounds(conn, version, query)?;
    let mut statement = conn.prepare_cached(rows_between(query.newest_first)).map_err(failed)?;
    let mut rows = statement.query(params![signed(version.0), low, high]).map_err(failed)?;
    let mut page = RowPage { version, rows: Vec::new(), next: None };
    let (mut bytes, mut passed, mut last) = (0_u64, 0_usize, None);
    while let Some(row) = rows.next().map_err(failed)? {
        if page.rows.len() >= limit.rows.max(1) || passed == PASSED_MAX {
            page.next = last;
            break;
        }
        let id = BatchId(unsigned(row, 0).map_err(failed)?);
        if is_wanted(row, query).map_err(failed)? {
            let row = data_row(row).map_err(failed)?;
            bytes = bytes.saturating_add(row.cell.len() as u64);
            if bytes > limit.bytes && !page.rows.is_empty() {
                page.next = last;
                break;
            }
            page.rows.push(row);
        } else {
            passed += 1;
        }
        last = Some(id);
    }
    Ok(page)
}

/// The lowest number to read, and the number above the highest.
fn bounds(
    conn: &Connection,
    version: VersionId,
    query: &RowQuery,
) -> Result<(i64, i64), StoreError> {
    let low = match query.from {
        Some(from) => first_since(conn, version, earlier(from))?,
        None => 0,
    };
    let high = match query.until {
        Some(until) => first_since(conn, version, later(until))?,
        None => i64::MAX,
    };
    let after = query.after.map(|after| signed(after.0));
    Ok(match (after, query.newest_first) {
        (Some(after), false) => (low.max(after.saturating_add(1)), high),
        (Some(after), true) => (low, high.min(after)),
        (None, _) => (low, high),
    })
}

/// The first number of a version's rows accepted at or after `at`, as far as times follow the order of the
/// numbers.
fn first_since(conn: &Connection, version: VersionId, at: Timestamp) -> Result<i64, StoreError> {
    let ends = "SELECT (SELECT min(id) FROM rows WHERE version_id = ?1), \
                (SELECT max(id) FROM rows WHERE version_id = ?1)";
    let own = [signed(version.0)];
    let read = |row: &Row<'_>| Ok((row.get::<_, Option<i64>>(0)?, row.get::<_, Option<i64>>(1)?));
    let mut statement = conn.prepare_cached(ends).map_err(failed)?;
    let (Some(low), Some(high)) = statement.query_row(own, read).map_err(failed)? else {
        return Ok(0);
    };
    let sql = "SELECT id, received_ms FROM rows WHERE version_id = ?1 AND id >= ?2 \
               ORDER BY id LIMIT 1";
    let mut statement = conn.prepare_cached(sql).map_err(failed)?;
    halve(low, high, at, |number| {
        let from = params![signed(version.0), number];
        let row = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?));
        statement.query_row(from, row).optional().map_err(failed)
    })
}

fn is_wanted(row: &Row<'_>, query: &RowQuery) -> rusqlite::Result<bool> {
    let received_ms: i64 = row.get(1)?;
    let suspended: bool = row.get(2)?;
    Ok(!suspended
        && query.from.is_none_or(|from| received_ms >= from.as_millisecond())
        && query.until.is_none_or(|until| received_ms < until.as_millisecond()))
}

/// A row as written, or `damaged`.
pub(super) fn data_row(row: &Row<'_>) -> rusqlite::Result<DataRow> {
    let number = unsigned(row, 0)?;
    let values = || -> rusqlite::Result<_> {
        let (received_at, cell) = (moment(row.get(1)?), pack::read(row, 4, 5, 3)?);
        let read = DataRow { batch: BatchId(number), received_at, cell, damaged: false };
        Ok((read, row.get(6)?))
    };
    match values() {
        Ok((read, checksum)) => Ok(checksum::checked_row(read, checksum)),
        // An unreadable row must not keep the other rows from anybody.
        Err(error) if is_damage(&error) => Ok(checksum::damaged_row(number)),
        Err(error) => Err(error),
    }
}

/// The cell of a row; `None` when the row is gone.
pub(super) fn cell(conn: &Connection, row: BatchId) -> Result<Option<Bytes>, StoreError> {
    let sql =
        "SELECT id, received_ms, suspended, cell, size, packed, checksum FROM rows WHERE id = ?1";
    let mut statement = conn.prepare_cached(sql).map_err(failed)?;
    let found = statement.query_row([signed(row.0)], data_row).optional().map_err(failed)?;
    match found {
        Some(damaged) if damaged.damaged => {
            Err(StoreError::internal(format!("row {row} is damaged in the store")))
        }
        found => Ok(found.map(|row| row.cell)),
    }
}

/// The start of a query for [`batch`].
const BATCHES: &str = "SELECT id, received_ms, suspended, 
    ifnull(size, octet_length(cell)) FROM rows";

fn batches(
    conn: &Connection,
    version: VersionId,
    query: BatchQuery,
) -> Result<Vec<Batch>, StoreError> {
    let BatchQuery { state, after, from, until, newest_first, offset, limit } = query;
    let range = RowQuery { version: None, after, newest_first, from, until };
    let (low, high) = bounds(conn, version, &range)?;
    let order = if newest_first { "DESC" } else { "ASC" };
    // Batches left out are passed over in an index, without a look at the rows.
    let state = match state {
        None => "",
        Some(BatchState::Suspended) => "AND suspended = 1",
        Some(BatchState::Active) => {
            "AND NOT EXISTS (SELECT 1 FROM rows AS hidden INDEXED BY rows_suspended \
             WHERE hidden.version_id = ?1 AND hidden.id = rows.id AND hidden.suspended = 1)"
        }
    };
    let time = if from.is_some() || until.is_some() {
        "AND received_ms >= ?6 AND received_ms < ?7"
    } else {
        ""
    };
    let sql = format!(
        "{BATCHES} WHERE id IN (SELECT id FROM rows WHERE version_id = ?1 AND id >= ?2 \
         AND id < ?3 {state} {time} ORDER BY id {order} LIMIT ?4 OFFSET ?5) ORDER BY id {order}"
    );
    let mut statement = conn.prepare_cached(&sql).map_err(failed)?;
    let mut page = vec![signed(version.0), low, high, count(limit), signed(offset)];
    if !time.is_empty() {
        page.push(from.map_or(i64::MIN, |from| from.as_millisecond()));
        page.push(until.map_or(i64::MAX, |until| until.as_millisecond()));
    }
    let rows = statement.query_map(params_from_iter(page), batch).map_err(failed)?;
    rows.collect::<Result<_, _>>().map_err(failed)
}

fn find_batch(
    conn: &Connection,
    version: VersionId,
    id: BatchId,
) -> Result<Option<Batch>, StoreError> {
    let sql = format!("{BATCHES} WHERE id = ?1 AND version_id = ?2");
    let mut statement = conn.prepare_cached(&sql).map_err(failed)?;
    let own = params![signed(id.0), signed(version.0)];
    statement.query_row(own, batch).optional().map_err(failed)
}

fn batch(row: &Row<'_>) -> rusqlite::Result<Batch> {
    let suspended: bool = row.get(2)?;
    Ok(Batch {
        id: BatchId(unsigned(row, 0)?),
        received_at: moment(row.get(1)?),
        state: if suspended { BatchState::Suspended } else { BatchState::Active },
        bytes: unsigned(row, 3)?,
    })
}

fn change_batch(
    tx: &mut Tx<'_>,
    dataset: DatasetId,
    id: BatchId,
    change: BatchChange,
    now: Timestamp,
) -> Result<(), StoreError> {
    let version = versions::open(tx, dataset)?.version();
    let found = find_batch(tx.conn, version, id)?;
    let Batch { state, bytes, .. } = found.ok_or(StoreError::NotFound(Entity::Batch))?;
    let (sql, becomes) = match (change, state) {
        (BatchChange::Suspend, BatchState::Active) => {
            ("UPDATE rows SET suspended = 1 WHERE id = ?1", Some(BatchState::Suspended))
        }
        (BatchChange::Restore, BatchState::Suspended) => {
            ("UPDATE rows SET suspended = 0 WHERE id = ?1", Some(BatchState::Active))
        }
        (BatchChange::Delete, _) => ("DELETE FROM rows WHERE id = ?1", None),
        (BatchChange::Suspend | BatchChange::Restore, _) => return Ok(()),
    };
    tx.conn.prepare_cached(sql).and_then(|mut sql| sql.execute([signed(id.0)])).map_err(failed)?;
    let stats = versions::open(tx, dataset)?.edit(now);
    stats.turn(state, becomes, bytes);
    Ok(())
}

/// The instructions that SQLite runs for a page of a hundred rows from `offset` on: read by the batch before,
/// and by the offset.
#[cfg(test)]
pub(super) fn costs(
    conn: &Connection,
    places: &super::places::Places,
    dataset: DatasetId,
    offset: u64,
    batches: &[BatchId],
) -> (i32, i32) {
    use rusqlite::StatementStatus::VmStep;

    let version = VersionId(
        conn.query_row("SELECT version_id FROM datasets WHERE id = ?1", [dataset.0], |row| {
            unsigned(row, 0)
        })
        .unwrap(),
    );
    let limit = RowLimit { rows: 100, bytes: u64::MAX };
    let statements = [rows_between(false), super::places::SKIP];
    let steps = |run: &dyn Fn() -> RowPage| {
        for sql in statements {
            conn.prepare_cached(sql).unwrap().reset_status(VmStep);
        }
        assert_eq!(run().rows.len(), 100);
        statements.iter().map(|sql| conn.prepare_cached(sql).unwrap().get_status(VmStep)).sum()
    };
    let index = usize::try_from(offset).unwrap();
    let after = index.checked_sub(1).map(|before| batches[before]);
    let from = |after| page(conn, version, &RowQuery { after, ..RowQuery::default() }, limit);
    let by_cursor = steps(&|| from(after).unwrap());
    // The earlier pages, as a reader by offsets has read them.
    for before in (0..offset).step_by(1_000) {
        places.find(conn, version, 0, before).unwrap();
    }
    let by_offset = steps(&|| {
        let after = places.find(conn, version, 0, offset).unwrap().unwrap();
        from(Some(BatchId(after))).unwrap()
    });
    (by_cursor, by_offset)
}
