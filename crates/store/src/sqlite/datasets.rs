//! Datasets and dataset settings.

use async_trait::async_trait;
use bytes::Bytes;
use hookyard_core::id::{
    BatchId, DatasetId, FolderId, ProjectId, SourceId, VersionId, WorkspaceId,
};
use hookyard_core::model::{Dataset, DatasetStats, Mode, Trashed, VersionsKept};
use jiff::Timestamp;
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, params, params_from_iter};
use serde_json::json;

use super::pack::{self, Stored};
use super::rows::{count, from_json, moment, signed, to_json, unsigned};
use super::tx::Tx;
use super::versions::{self, add_row};
use super::{SqliteStore, audit, failed, folders, sources};
use crate::folders::Tree;
use crate::{
    CatalogStore, DatasetChange, DatasetQuery, DatasetStore, Entity, NewDataset, Received,
    StoreError,
};

#[async_trait]
impl DatasetStore for SqliteStore {
    async fn receive(
        &self,
        source: SourceId,
        cell: Bytes,
        now: Timestamp,
    ) -> Result<Received, StoreError> {
        let cell = pack::stored(cell).await?;
        let bytes = cell.written().len();
        let job = move |tx: &mut Tx<'_>| {
            let source = tx.memory.source(source).ok_or(StoreError::NotFound(Entity::Source))?;
            let batch = add_row(tx, source.dataset, source.spec.mode, cell, now)?;
            Ok(Received { batch, dataset: source.dataset })
        };
        self.writer.grouped(bytes, job).await
    }

    async fn append_row(
        &self,
        workspace: WorkspaceId,
        dataset: DatasetId,
        cell: Bytes,
        now: Timestamp,
    ) -> Result<Received, StoreError> {
        let cell = pack::stored(cell).await?;
        let bytes = cell.written().len();
        let job = move |tx: &mut Tx<'_>| {
            let batch = append(tx, workspace, dataset, cell, now)?;
            Ok(Received { batch, dataset })
        };
        self.writer.grouped(bytes, job).await
    }

    async fn create_dataset(&self, new: NewDataset, now: Timestamp) -> Result<Dataset, StoreError> {
        if !self.has_project(new.workspace, new.project).await? {
            return Err(StoreError::NotFound(Entity::Project));
        }
        let job = move |tx: &mut Tx<'_>| {
            if let Some(folder) = new.folder {
                folders::there(tx.conn, new.workspace, new.project, folder)?;
            }
            let id = insert(tx, &new, now)?;
            let detail = json!({ "project": new.project, "name": new.name });
            audit::note(tx.conn, new.workspace, "dataset.create", id, &detail)?;
            let made = find(tx.conn, new.workspace, new.project, id)?;
            made.ok_or(StoreError::NotFound(Entity::Dataset))
        };
        self.writer.alone(job).await
    }

    async fn datasets(
        &self,
        workspace: WorkspaceId,
        project: ProjectId,
    ) -> Result<Vec<Dataset>, StoreError> {
        let project = Some(project);
        let all = DatasetQuery { project, limit: usize::MAX, ..DatasetQuery::default() };
        self.find_datasets(workspace, all).await
    }

    async fn find_datasets(
        &self,
        workspace: WorkspaceId,
        query: DatasetQuery,
    ) -> Result<Vec<Dataset>, StoreError> {
        let mut datasets = self.readers.read(move |conn| list(conn, workspace, query)).await?;
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

    async fn find_dataset(
        &self,
        workspace: WorkspaceId,
        id: DatasetId,
    ) -> Result<Option<Dataset>, StoreError> {
        let found = self.readers.read(move |conn| by_id(conn, workspace, id)).await?;
        Ok(found.map(|dataset| Dataset { source: self.memory.source_of(id), ..dataset }))
    }

    async fn update_dataset(
        &self,
        workspace: WorkspaceId,
        project: ProjectId,
        id: DatasetId,
        change: DatasetChange,
    ) -> Result<Dataset, StoreError> {
        let job = move |tx: &mut Tx<'_>| update(tx, workspace, project, id, change);
        let changed = self.writer.alone(job).await?;
        Ok(Dataset { source: self.memory.source_of(id), ..changed })
    }

    async fn delete_dataset(
        &self,
        workspace: WorkspaceId,
        project: ProjectId,
        id: DatasetId,
    ) -> Result<bool, StoreError> {
        self.writer.alone(move |tx| delete(tx, workspace, project, id)).await
    }
}

/// The start of a query for [`dataset`].
const DATASETS: &str = "SELECT id, workspace_id, project_id, name, created_ms, updated_ms, rows, \
                        bytes, suspended, version_id, revision, folder_id, versions_kept, \
                        versions_bytes, columns, trashed_ms, trashed_path FROM datasets";

/// Adds a row to a dataset of a workspace. Fails before the first write, so the job may be part of a group.
fn append(
    tx: &mut Tx<'_>,
    workspace: WorkspaceId,
    dataset: DatasetId,
    cell: Stored,
    now: Timestamp,
) -> Result<BatchId, StoreError> {
    if !owns(tx.conn, workspace, dataset)? {
        return Err(StoreError::NotFound(Entity::Dataset));
    }
    add_row(tx, dataset, Mode::Combine, cell, now)
}

/// Makes a dataset; the caller knows that the project and folder exist.
pub(super) fn insert(
    tx: &mut Tx<'_>,
    new: &NewDataset,
    now: Timestamp,
) -> Result<DatasetId, StoreError> {
    let version = tx.state.ids.row;
    let sql = "INSERT INTO datasets (workspace_id, project_id, name, folder_id, created_ms, \
               updated_ms, began_ms, version_id, versions_kept, versions_bytes, rows, bytes) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?5, ?5, ?6, ?7, ?8, 0, 0)";
    let row = params![
        new.workspace.0,
        new.project.0,
        new.name,
        new.folder.map(|folder| folder.0),
        now.as_millisecond(),
        signed(version),
        new.keep.count,
        signed(new.keep.bytes),
    ];
    tx.conn.execute(sql, row).map_err(failed)?;
    tx.state.ids.row += 1;
    Ok(DatasetId(sources::number(tx.conn.last_insert_rowid())?))
}

fn update(
    tx: &mut Tx<'_>,
    workspace: WorkspaceId,
    project: ProjectId,
    id: DatasetId,
    change: DatasetChange,
) -> Result<Dataset, StoreError> {
    let DatasetChange { if_revision, name, folder, keep, columns } = change;
    let found = find(tx.conn, workspace, project, id)?;
    let mut dataset = found.ok_or(StoreError::NotFound(Entity::Dataset))?;
    if if_revision.is_some_and(|wanted| wanted != dataset.revision) {
        let message = format!("the dataset is at revision {} now", dataset.revision);
        return Err(StoreError::Conflict(message));
    }
    if let Some(folder) = folder {
        folder.map_or(Ok(()), |folder| folders::there(tx.conn, workspace, project, folder))?;
        dataset.folder = folder;
        if let Some(trashed) = &mut dataset.trashed {
            let all = folders::list(tx.conn, workspace, project)?;
            trashed.path = Tree::new(&all).names(folder);
        }
    }
    if let Some(name) = name {
        sources::rename(tx, id, &name)?;
        dataset.name = name;
    }
    if let Some(keep) = keep {
        versions::open(tx, id)?.keep(keep);
        dataset.keep = keep;
    }
    if let Some(columns) = columns {
        dataset.columns = columns;
    }
    dataset.revision += 1;
    let detail = json!({ "project": project, "revision": dataset.revision });
    audit::note(tx.conn, workspace, "dataset.update", id, &detail)?;
    let sql = "UPDATE datasets SET name = ?2, folder_id = ?3, versions_kept = ?4, \
               versions_bytes = ?5, columns = ?6, revision = ?7, trashed_path = ?8 WHERE id = ?1";
    let row = params![
        id.0,
        dataset.name,
        dataset.folder.map(|folder| folder.0),
        dataset.keep.count,
        signed(dataset.keep.bytes),
        to_json(&dataset.columns)?,
        dataset.revision,
        dataset.trashed.as_ref().map(|trashed| to_json(&trashed.path)).transpose()?,
    ];
    tx.conn.execute(sql, row).map_err(failed)?;
    Ok(dataset)
}

pub(super) fn delete(
    tx: &mut Tx<'_>,
    workspace: WorkspaceId,
    project: ProjectId,
    id: DatasetId,
) -> Result<bool, StoreError> {
    let Some(dataset) = find(tx.conn, workspace, project, id)? else { return Ok(false) };
    let detail = json!({ "project": project, "name": dataset.name });
    audit::note(tx.conn, workspace, "dataset.delete", id, &detail)?;
    tx.conn.execute("DELETE FROM sources WHERE dataset_id = ?1", [id.0]).map_err(failed)?;
    tx.conn.execute("DELETE FROM datasets WHERE id = ?1", [id.0]).map_err(failed)?;
    let sql = "DELETE FROM dataset_versions WHERE dataset_id = ?1 RETURNING id";
    let earlier: Vec<u64> = {
        let mut statement = tx.conn.prepare(sql).map_err(failed)?;
        let ids = statement.query_map([id.0], |row| unsigned(row, 0)).map_err(failed)?;
        ids.collect::<Result<_, _>>().map_err(failed)?
    };
    for version in earlier.into_iter().map(VersionId).chain([dataset.version]) {
        versions::drop_version(tx, version)?;
    }
    versions::keep_numbers(tx)?;
    if let Some(source) = tx.memory.source_of(id) {
        tx.after_commit(move |memory| memory.remove_source(source.id));
    }
    Ok(true)
}

fn list(
    conn: &Connection,
    workspace: WorkspaceId,
    query: DatasetQuery,
) -> Result<Vec<Dataset>, StoreError> {
    let DatasetQuery { project, folder, name, trashed, after, limit } = query;
    let mut values = vec![Value::from(workspace.0)];
    let trashed = if trashed { "IS NOT NULL" } else { "IS NULL" };
    let mut sql = format!("{DATASETS} WHERE workspace_id = ?1 AND trashed_ms {trashed}");
    let mut and = |condition: &str, value: Value| {
        values.push(value);
        sql.push_str(&format!(" AND {condition} ?{}", values.len()));
    };
    if let Some(project) = project {
        and("project_id =", project.0.into());
    }
    if let Some(after) = after {
        and("id >", after.0.into());
    }
    match folder {
        Some(Some(folder)) => and("folder_id =", folder.0.into()),
        Some(None) => and("folder_id IS", Value::Null),
        None => {}
    }
    if let Some(name) = name {
        and("0 < instr(lower(name), lower(", name.into());
        sql.push_str("))");
    }
    values.push(count(limit).into());
    sql.push_str(&format!(" ORDER BY id LIMIT ?{}", values.len()));
    let mut statement = conn.prepare_cached(&sql).map_err(failed)?;
    let rows = statement.query_map(params_from_iter(values), dataset).map_err(failed)?;
    rows.map(|row| row.map_err(failed)?).collect()
}

pub(super) fn find(
    conn: &Connection,
    workspace: WorkspaceId,
    project: ProjectId,
    id: DatasetId,
) -> Result<Option<Dataset>, StoreError> {
    Ok(by_id(conn, workspace, id)?.filter(|dataset| dataset.project == project))
}

fn by_id(
    conn: &Connection,
    workspace: WorkspaceId,
    id: DatasetId,
) -> Result<Option<Dataset>, StoreError> {
    let sql = format!("{DATASETS} WHERE id = ?1 AND workspace_id = ?2");
    let mut statement = conn.prepare_cached(&sql).map_err(failed)?;
    let own = params![id.0, workspace.0];
    statement.query_row(own, dataset).optional().map_err(failed)?.transpose()
}

/// Whether the workspace has a dataset, in whichever project.
pub(super) fn owns(
    conn: &Connection,
    workspace: WorkspaceId,
    dataset: DatasetId,
) -> Result<bool, StoreError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM datasets WHERE id = ?1 AND workspace_id = ?2)";
    let own = params![dataset.0, workspace.0];
    let there = conn.prepare_cached(sql).and_then(|mut sql| sql.query_row(own, |row| row.get(0)));
    there.map_err(failed)
}

pub(super) fn there(
    conn: &Connection,
    workspace: WorkspaceId,
    project: ProjectId,
    id: DatasetId,
) -> Result<(), StoreError> {
    find(conn, workspace, project, id)?.map(drop).ok_or(StoreError::NotFound(Entity::Dataset))
}

fn trashed(at: Option<Timestamp>, path: Option<&str>) -> Result<Option<Trashed>, StoreError> {
    let Some(at) = at else { return Ok(None) };
    let path = path.map(from_json).transpose()?.unwrap_or_default();
    Ok(Some(Trashed { at, path }))
}

fn dataset(row: &Row<'_>) -> rusqlite::Result<Result<Dataset, StoreError>> {
    let columns: String = row.get(14)?;
    let stats = DatasetStats {
        rows: unsigned(row, 6)?,
        bytes: unsigned(row, 7)?,
        suspended: unsigned(row, 8)?,
    };
    let dataset = Dataset {
        id: DatasetId(row.get(0)?),
        workspace: WorkspaceId(row.get(1)?),
        project: ProjectId(row.get(2)?),
        name: row.get(3)?,
        folder: row.get::<_, Option<i32>>(11)?.map(FolderId),
        revision: row.get(10)?,
        created_at: moment(row.get(4)?),
        updated_at: moment(row.get(5)?),
        source: None,
        version: VersionId(unsigned(row, 9)?),
        stats,
        keep: VersionsKept { count: row.get(12)?, bytes: unsigned(row, 13)? },
        columns: Default::default(),
        trashed: None,
    };
    let at = row.get::<_, Option<i64>>(15)?.map(moment);
    let path = row.get::<_, Option<String>>(16)?;
    Ok(from_json(&columns).and_then(|columns| {
        let trashed = trashed(at, path.as_deref())?;
        Ok(Dataset { columns, trashed, ..dataset })
    }))
}
