//! Datasets and their rows.
//!
//! A delivery inserts one row; what it does to its dataset's counters is added up and written once a
//! transaction. In replace mode it also raises the dataset's `floor`, which hides every earlier row at
//! once; those are deleted at leisure.

use async_trait::async_trait;
use bytes::Bytes;
use hookyard_core::id::{BatchId, DatasetId, ProjectId, SourceId, WorkspaceId};
use hookyard_core::model::{Batch, BatchState, Dataset, DatasetStats, Mode, Row as DataRow};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::rows::{Raw, Text, count, moment, signed, unsigned};
use super::writer::Tx;
use super::{SqliteStore, failed};
use crate::{BatchQuery, DatasetStore, Entity, Received, StoreError};

/// Replaced rows that are deleted within the transaction that replaced them. A source that was always
/// in replace mode has one; whatever is beyond waits for an idle moment.
const DELETED_AT_ONCE: i64 = 16;

/// Rows deleted in one idle transaction: about a millisecond, so a publisher that comes meanwhile
/// hardly notices.
const DELETED_IDLE: i64 = 500;

/// What an open transaction does to a dataset's counters.
#[derive(Debug, Clone, Copy)]
pub(super) struct Delta {
    rows: u64,
    bytes: u64,
    /// Rows below are hidden: the counters start anew from it.
    floor: Option<u64>,
    updated_ms: i64,
}

#[async_trait]
impl DatasetStore for SqliteStore {
    async fn receive(
        &self,
        source: SourceId,
        cell: Bytes,
        now: Timestamp,
    ) -> Result<Received, StoreError> {
        let job = move |tx: &mut Tx<'_>| receive(tx, source, &cell, now);
        self.writer.grouped(0, job).await
    }

    async fn datasets(
        &self,
        workspace: WorkspaceId,
        project: ProjectId,
    ) -> Result<Vec<Dataset>, StoreError> {
        let sql = "SELECT id, workspace_id, project_id, name, created_ms, updated_ms, rows, bytes \
                   FROM datasets WHERE workspace_id = ?1 AND project_id = ?2 ORDER BY id";
        let read = move |conn: &Connection| {
            let mut statement = conn.prepare_cached(sql).map_err(failed)?;
            let own = params![workspace.0, project.0];
            let rows = statement.query_map(own, dataset).map_err(failed)?;
            rows.collect::<Result<Vec<_>, _>>().map_err(failed)
        };
        let mut datasets = self.readers.read(read).await?;
        for dataset in &mut datasets {
            dataset.source = self.memory.source_of(dataset.id);
        }
        Ok(datasets)
    }

    async fn dataset(
        &self,
        workspace: WorkspaceId,
        project: ProjectId,
        id: DatasetId,
    ) -> Result<Option<Dataset>, StoreError> {
        let found = self.readers.read(move |conn| find(conn, workspace, project, id)).await?;
        Ok(found.map(|dataset| Dataset { source: self.memory.source_of(id), ..dataset }))
    }

    async fn delete_dataset(
        &self,
        workspace: WorkspaceId,
        project: ProjectId,
        id: DatasetId,
    ) -> Result<bool, StoreError> {
        self.writer.alone(move |tx| delete(tx, workspace, project, id)).await
    }

    async fn rows(
        &self,
        workspace: WorkspaceId,
        project: ProjectId,
        dataset: DatasetId,
        offset: u64,
        limit: usize,
    ) -> Result<Vec<DataRow>, StoreError> {
        let sql = "SELECT rows.id, received_ms, cell FROM rows JOIN datasets \
                   ON datasets.id = dataset_id WHERE dataset_id = ?1 AND rows.id >= floor \
                   AND suspended = 0 ORDER BY rows.id LIMIT ?2 OFFSET ?3";
        let read = move |conn: &Connection| {
            there(conn, workspace, project, dataset)?;
            let mut statement = conn.prepare_cached(sql).map_err(failed)?;
            let page = params![dataset.0, count(limit), signed(offset)];
            let rows = statement.query_map(page, data_row).map_err(failed)?;
            rows.collect::<Result<_, _>>().map_err(failed)
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
        let order = if query.newest_first { "DESC" } else { "ASC" };
        let sql = format!("{BATCHES} ORDER BY rows.id {order} LIMIT ?2 OFFSET ?3");
        let read = move |conn: &Connection| {
            there(conn, workspace, project, dataset)?;
            let mut statement = conn.prepare_cached(&sql).map_err(failed)?;
            let page = params![dataset.0, count(query.limit), signed(query.offset)];
            let rows = statement.query_map(page, batch).map_err(failed)?;
            rows.collect::<Result<_, _>>().map_err(failed)
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
        let sql = format!("{BATCHES} AND rows.id = ?2");
        let read = move |conn: &Connection| {
            there(conn, workspace, project, dataset)?;
            let mut statement = conn.prepare_cached(&sql).map_err(failed)?;
            let own = params![dataset.0, signed(id.0)];
            statement.query_row(own, batch).optional().map_err(failed)
        };
        self.readers.read(read).await
    }
}

/// What [`batch`] reads, of the dataset ?1.
const BATCHES: &str = "SELECT rows.id, received_ms, suspended, octet_length(cell) FROM rows \
                       JOIN datasets ON datasets.id = dataset_id \
                       WHERE dataset_id = ?1 AND rows.id >= floor";

fn receive(
    tx: &mut Tx<'_>,
    source: SourceId,
    cell: &[u8],
    now: Timestamp,
) -> Result<Received, StoreError> {
    let source = tx.memory.source(source).ok_or(StoreError::NotFound(Entity::Source))?;
    let (id, at) = (tx.state.ids.row, now.as_millisecond());
    let sql = "INSERT INTO rows (id, dataset_id, received_ms, suspended, cell) \
               VALUES (?1, ?2, ?3, 0, ?4)";
    let row = params![signed(id), source.dataset.0, at, Text(cell)];
    tx.conn.prepare_cached(sql).and_then(|mut insert| insert.execute(row)).map_err(failed)?;
    tx.state.ids.row += 1;
    let empty = Delta { rows: 0, bytes: 0, floor: None, updated_ms: at };
    let delta = tx.state.deltas.entry(source.dataset).or_insert(empty);
    if source.spec.mode == Mode::Replace {
        *delta = Delta { floor: Some(id), ..empty };
    }
    delta.rows += 1;
    delta.bytes += cell.len() as u64;
    delta.updated_ms = at;
    Ok(Received { batch: BatchId(id), dataset: source.dataset })
}

/// Writes what the transaction did to the datasets' counters, just before it is committed.
pub(super) fn write_deltas(tx: &mut Tx<'_>) -> Result<(), StoreError> {
    for (id, delta) in std::mem::take(&mut tx.state.deltas) {
        let sql = match delta.floor {
            None => {
                "UPDATE datasets SET rows = rows + ?2, bytes = bytes + ?3, updated_ms = ?4 \
                 WHERE id = ?1"
            }
            Some(_) => {
                "UPDATE datasets SET rows = ?2, bytes = ?3, updated_ms = ?4, floor = ?5 \
                 WHERE id = ?1"
            }
        };
        let mut update = tx.conn.prepare_cached(sql).map_err(failed)?;
        let (rows, bytes) = (signed(delta.rows), signed(delta.bytes));
        match delta.floor {
            None => update.execute(params![id.0, rows, bytes, delta.updated_ms]),
            Some(floor) => {
                update.execute(params![id.0, rows, bytes, delta.updated_ms, signed(floor)])
            }
        }
        .map_err(failed)?;
        if let Some(floor) = delta.floor {
            discard(tx, id, floor)?;
        }
    }
    Ok(())
}

/// Deletes a dataset's rows below `floor`, or leaves them to the next idle moment when they are many.
fn discard(tx: &mut Tx<'_>, dataset: DatasetId, floor: u64) -> Result<(), StoreError> {
    if delete_rows(tx.conn, dataset, floor, DELETED_AT_ONCE)? == DELETED_AT_ONCE {
        let sql = "INSERT OR REPLACE INTO garbage (dataset_id, below) VALUES (?1, ?2)";
        tx.conn.execute(sql, params![dataset.0, signed(floor)]).map_err(failed)?;
        tx.state.garbage = true;
    }
    Ok(())
}

fn delete_rows(
    conn: &Connection,
    dataset: DatasetId,
    below: u64,
    limit: i64,
) -> Result<i64, StoreError> {
    let sql = "DELETE FROM rows WHERE id IN (SELECT id FROM rows WHERE dataset_id = ?1 \
               AND id < ?2 ORDER BY id LIMIT ?3)";
    let deleted = conn
        .prepare_cached(sql)
        .and_then(|mut delete| delete.execute(params![dataset.0, signed(below), limit]))
        .map_err(failed)?;
    Ok(count(deleted))
}

/// Deletes some rows that are invisible for good. The answer is whether there are more.
pub(super) fn collect_garbage(conn: &mut Connection) -> Result<bool, StoreError> {
    let tx = conn.transaction().map_err(failed)?;
    let next = "SELECT dataset_id, below FROM garbage LIMIT 1";
    let garbage = |row: &Row<'_>| Ok((DatasetId(row.get(0)?), unsigned(row, 1)?));
    let Some((dataset, below)) = tx.query_row(next, [], garbage).optional().map_err(failed)? else {
        return Ok(false);
    };
    if delete_rows(&tx, dataset, below, DELETED_IDLE)? < DELETED_IDLE {
        tx.execute("DELETE FROM garbage WHERE dataset_id = ?1", [dataset.0]).map_err(failed)?;
    }
    tx.commit().map_err(failed)?;
    Ok(true)
}

fn delete(
    tx: &mut Tx<'_>,
    workspace: WorkspaceId,
    project: ProjectId,
    id: DatasetId,
) -> Result<bool, StoreError> {
    if find(tx.conn, workspace, project, id)?.is_none() {
        return Ok(false);
    }
    tx.conn.execute("DELETE FROM sources WHERE dataset_id = ?1", [id.0]).map_err(failed)?;
    tx.conn.execute("DELETE FROM datasets WHERE id = ?1", [id.0]).map_err(failed)?;
    let floor = tx.state.ids.row;
    discard(tx, id, floor)?;
    if let Some(source) = tx.memory.source_of(id) {
        tx.after_commit(move |memory| memory.remove_source(source.id));
    }
    Ok(true)
}

fn find(
    conn: &Connection,
    workspace: WorkspaceId,
    project: ProjectId,
    id: DatasetId,
) -> Result<Option<Dataset>, StoreError> {
    let sql = "SELECT id, workspace_id, project_id, name, created_ms, updated_ms, rows, bytes \
               FROM datasets WHERE id = ?1 AND workspace_id = ?2 AND project_id = ?3";
    let mut statement = conn.prepare_cached(sql).map_err(failed)?;
    let own = params![id.0, workspace.0, project.0];
    statement.query_row(own, dataset).optional().map_err(failed)
}

fn there(
    conn: &Connection,
    workspace: WorkspaceId,
    project: ProjectId,
    id: DatasetId,
) -> Result<(), StoreError> {
    find(conn, workspace, project, id)?.map(drop).ok_or(StoreError::NotFound(Entity::Dataset))
}

fn dataset(row: &Row<'_>) -> rusqlite::Result<Dataset> {
    Ok(Dataset {
        id: DatasetId(row.get(0)?),
        workspace: WorkspaceId(row.get(1)?),
        project: ProjectId(row.get(2)?),
        name: row.get(3)?,
        created_at: moment(row.get(4)?),
        updated_at: moment(row.get(5)?),
        source: None,
        stats: DatasetStats { rows: unsigned(row, 6)?, bytes: unsigned(row, 7)? },
    })
}

fn data_row(row: &Row<'_>) -> rusqlite::Result<DataRow> {
    Ok(DataRow {
        batch: BatchId(unsigned(row, 0)?),
        received_at: moment(row.get(1)?),
        cell: row.get::<_, Raw>(2)?.0,
    })
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
