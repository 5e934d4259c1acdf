//! The trash.

use async_trait::async_trait;
use hookyard_core::id::{DatasetId, FolderId, ProjectId, WorkspaceId};
use hookyard_core::model::{Dataset, Trashed};
use jiff::Timestamp;
use rusqlite::{Connection, params};
use serde_json::json;

use super::rows::{count, to_json};
use super::tx::Tx;
use super::{SqliteStore, audit, datasets, failed, folders};
use crate::folders::Tree;
use crate::{StoreError, TrashStore};

#[async_trait]
impl TrashStore for SqliteStore {
    async fn trash_datasets(
        &self,
        workspace: WorkspaceId,
        project: ProjectId,
        ids: Vec<DatasetId>,
        now: Timestamp,
    ) -> Result<Vec<Dataset>, StoreError> {
        let job = move |tx: &mut Tx<'_>| trash(tx.conn, workspace, project, &ids, now);
        Ok(self.with_sources(self.writer.alone(job).await?))
    }

    async fn restore_datasets(
        &self,
        workspace: WorkspaceId,
        project: ProjectId,
        ids: Vec<DatasetId>,
        now: Timestamp,
    ) -> Result<Vec<Dataset>, StoreError> {
        let job = move |tx: &mut Tx<'_>| restore(tx.conn, workspace, project, &ids, now);
        Ok(self.with_sources(self.writer.alone(job).await?))
    }

    async fn trash_folder(
        &self,
        workspace: WorkspaceId,
        project: ProjectId,
        id: FolderId,
        now: Timestamp,
    ) -> Result<Option<Vec<Dataset>>, StoreError> {
        let job = move |tx: &mut Tx<'_>| trash_folder(tx.conn, workspace, project, id, now);
        let trashed = self.writer.alone(job).await?;
        Ok(trashed.map(|datasets| self.with_sources(datasets)))
    }

    async fn purge_trash(&self, until: Timestamp, limit: usize) -> Result<usize, StoreError> {
        self.writer.alone(move |tx| purge(tx, until, limit)).await
    }
}

impl SqliteStore {
    fn with_sources(&self, mut datasets: Vec<Dataset>) -> Vec<Dataset> {
        for dataset in &mut datasets {
            dataset.source = self.memory.source_of(dataset.id);
        }
        datasets
    }
}

fn trash(
    conn: &Connection,
    workspace: WorkspaceId,
    project: ProjectId,
    ids: &[DatasetId],
    now: Timestamp,
) -> Result<Vec<Dataset>, StoreError> {
    let all = folders::list(conn, workspace, project)?;
    let tree = Tree::new(&all);
    let mut found = Vec::new();
    for id in ids {
        if let Some(dataset) = datasets::find(conn, workspace, project, *id)? {
            found.push(put(conn, &tree, dataset, now)?);
        }
    }
    Ok(found)
}

/// Puts a dataset in the trash, unless already there.
fn put(
    conn: &Connection,
    tree: &Tree<'_>,
    mut dataset: Dataset,
    now: Timestamp,
) -> Result<Dataset, StoreError> {
    if dataset.trashed.is_some() {
        return Ok(dataset);
    }
    let path = tree.names(dataset.folder);
    dataset.revision += 1;
    let sql = "UPDATE datasets SET trashed_ms = ?2, trashed_path = ?3, revision = ?4 WHERE id = ?1";
    let row = params![dataset.id.0, now.as_millisecond(), to_json(&path)?, dataset.revision];
    conn.prepare_cached(sql).and_then(|mut update| update.execute(row)).map_err(failed)?;
    let detail = json!({ "project": dataset.project, "name": dataset.name });
    audit::note(conn, dataset.workspace, "dataset.trash", dataset.id, &detail)?;
    dataset.trashed = Some(Trashed { at: now, path });
    Ok(dataset)
}

fn restore(
    conn: &Connection,
    workspace: WorkspaceId,
    project: ProjectId,
    ids: &[DatasetId],
    now: Timestamp,
) -> Result<Vec<Dataset>, StoreError> {
    let mut all = folders::list(conn, workspace, project)?;
    let mut found = Vec::new();
    for id in ids {
        let Some(mut dataset) = datasets::find(conn, workspace, project, *id)? else { continue };
        if let Some(Trashed { path, .. }) = dataset.trashed.take() {
            if dataset.folder.is_none() {
                let place = (workspace, project);
                dataset.folder = folders::again(conn, place, &mut all, &path, now)?;
            }
            dataset.revision += 1;
            let sql = "UPDATE datasets SET trashed_ms = NULL, trashed_path = NULL, folder_id = ?2, \
                       revision = ?3 WHERE id = ?1";
            let row = params![id.0, dataset.folder.map(|folder| folder.0), dataset.revision];
            conn.prepare_cached(sql).and_then(|mut update| update.execute(row)).map_err(failed)?;
            let detail = json!({ "project": project, "name": dataset.name });
            audit::note(conn, workspace, "dataset.restore", id, &detail)?;
        }
        found.push(dataset);
    }
    Ok(found)
}

fn trash_folder(
    conn: &Connection,
    workspace: WorkspaceId,
    project: ProjectId,
    id: FolderId,
    now: Timestamp,
) -> Result<Option<Vec<Dataset>>, StoreError> {
    let all = folders::list(conn, workspace, project)?;
    let Some(folder) = all.iter().find(|folder| folder.id == id) else { return Ok(None) };
    let detail = json!({ "project": project, "name": folder.name });
    audit::note(conn, workspace, "folder.trash", id, &detail)?;
    let tree = Tree::new(&all);
    let mut trashed = Vec::new();
    for within in all.iter().filter(|folder| tree.within(folder.id, id)) {
        for dataset in folders::datasets_in(conn, within.id)? {
            if let Some(dataset) = datasets::find(conn, workspace, project, dataset)? {
                let dataset = put(conn, &tree, dataset, now)?;
                trashed.push(Dataset { folder: None, ..dataset });
            }
        }
        folders::remove(conn, within.id)?;
    }
    trashed.sort_by_key(|dataset| dataset.id);
    Ok(Some(trashed))
}

fn purge(tx: &mut Tx<'_>, until: Timestamp, limit: usize) -> Result<usize, StoreError> {
    let sql = "SELECT id, workspace_id, project_id FROM datasets WHERE trashed_ms <= ?1 \
               ORDER BY trashed_ms, id LIMIT ?2";
    let old: Vec<(DatasetId, WorkspaceId, ProjectId)> = {
        let mut statement = tx.conn.prepare_cached(sql).map_err(failed)?;
        let old = statement.query_map(params![until.as_millisecond(), count(limit)], |row| {
            Ok((DatasetId(row.get(0)?), WorkspaceId(row.get(1)?), ProjectId(row.get(2)?)))
        });
        old.map_err(failed)?.collect::<Result<_, _>>().map_err(failed)?
    };
    for (id, workspace, project) in &old {
        datasets::delete(tx, *workspace, *project, *id)?;
    }
    Ok(old.len())
}
