//! The trash.
//!
//! Every transaction that may make or remove folders locks the project first, then the datasets, lowest
//! number first.

use async_trait::async_trait;
use hookyard_core::id::{DatasetId, FolderId, ProjectId, WorkspaceId};
use hookyard_core::model::{Dataset, Trashed};
use jiff::Timestamp;
use serde_json::json;

use super::columns::{Columns, Text, count, small, to_json};
use super::database::Conn;
use super::{PostgresStore, audit, datasets, folders};
use crate::folders::Tree;
use crate::{StoreError, TrashStore};

#[async_trait]
impl TrashStore for PostgresStore {
    async fn trash_datasets(
        &self,
        workspace: WorkspaceId,
        project: ProjectId,
        ids: Vec<DatasetId>,
        now: Timestamp,
    ) -> Result<Vec<Dataset>, StoreError> {
        let tx = self.db.begin().await?;
        let all = folders::list(&tx, workspace, project).await?;
        let tree = Tree::new(&all);
        let mut found = Vec::new();
        for dataset in self.lock(&tx, workspace, project, &ids).await? {
            found.push(put(&tx, &tree, dataset, now).await?);
        }
        tx.commit().await?;
        Ok(found)
    }

    async fn restore_datasets(
        &self,
        workspace: WorkspaceId,
        project: ProjectId,
        ids: Vec<DatasetId>,
        now: Timestamp,
    ) -> Result<Vec<Dataset>, StoreError> {
        let tx = self.db.begin().await?;
        match folders::hold(&tx, workspace, project).await {
            Err(StoreError::NotFound(_)) => return Ok(Vec::new()),
            held => held?,
        }
        let mut all = folders::list(&tx, workspace, project).await?;
        let mut found = Vec::new();
        for mut dataset in self.lock(&tx, workspace, project, &ids).await? {
            if let Some(Trashed { path, .. }) = dataset.trashed.take() {
                if dataset.folder.is_none() {
                    let place = (workspace, project);
                    dataset.folder = folders::again(&tx, place, &mut all, &path, now).await?;
                }
                dataset.revision += 1;
                take_out(&tx, &dataset).await?;
            }
            found.push(dataset);
        }
        tx.commit().await?;
        Ok(found)
    }

    async fn trash_folder(
        &self,
        workspace: WorkspaceId,
        project: ProjectId,
        id: FolderId,
        now: Timestamp,
    ) -> Result<Option<Vec<Dataset>>, StoreError> {
        let tx = self.db.begin().await?;
        match folders::hold(&tx, workspace, project).await {
            Err(StoreError::NotFound(_)) => return Ok(None),
            held => held?,
        }
        let all = folders::list(&tx, workspace, project).await?;
        let Some(folder) = all.iter().find(|folder| folder.id == id) else { return Ok(None) };
        let detail = json!({ "project": project, "name": folder.name });
        audit::note(&tx, workspace, "folder.trash", id, &detail).await?;
        let tree = Tree::new(&all);
        let within: Vec<FolderId> =
            all.iter().map(|folder| folder.id).filter(|other| tree.within(*other, id)).collect();
        let ids = folders::datasets_in(&tx, &within).await?;
        let mut trashed = Vec::new();
        for dataset in self.lock(&tx, workspace, project, &ids).await? {
            // Another call may have moved the dataset away meanwhile.
            if dataset.folder.is_some_and(|folder| within.contains(&folder)) {
                let dataset = put(&tx, &tree, dataset, now).await?;
                trashed.push(Dataset { folder: None, ..dataset });
            }
        }
        for folder in within {
            folders::remove(&tx, folder).await?;
        }
        tx.commit().await?;
        Ok(Some(trashed))
    }

    async fn purge_trash(&self, until: Timestamp, limit: usize) -> Result<usize, StoreError> {
        let tx = self.db.begin().await?;
        // A dataset restored meanwhile does not meet the condition once locked.
        let sql = "SELECT id, workspace_id, project_id FROM datasets WHERE trashed_ms <= $1 \
                   ORDER BY trashed_ms, id LIMIT $2 FOR UPDATE SKIP LOCKED";
        let old = tx.query(sql, &[&until.as_millisecond(), &count(limit)]).await?;
        for row in &old {
            let workspace = WorkspaceId(row.get_as(1)?);
            let project = ProjectId(row.get_as(2)?);
            datasets::delete(&tx, workspace, project, DatasetId(row.get_as(0)?)).await?;
        }
        tx.commit().await?;
        Ok(old.len())
    }
}

impl PostgresStore {
    /// The project's datasets of a list, locked for the transaction.
    async fn lock(
        &self,
        tx: &Conn,
        workspace: WorkspaceId,
        project: ProjectId,
        ids: &[DatasetId],
    ) -> Result<Vec<Dataset>, StoreError> {
        let ids: Vec<i32> = ids.iter().map(|id| id.0).collect();
        let sql = "SELECT id FROM datasets WHERE id = ANY($1) AND workspace_id = $2 \
                   AND project_id = $3 ORDER BY id FOR NO KEY UPDATE";
        let mut locked = Vec::new();
        for row in tx.query(sql, &[&ids, &workspace.0, &project.0]).await? {
            let id = DatasetId(row.get_as(0)?);
            locked.extend(datasets::find(tx, &self.vault, workspace, id).await?);
        }
        Ok(locked)
    }
}

/// Puts a dataset in the trash, unless already there.
async fn put(
    tx: &Conn,
    tree: &Tree<'_>,
    mut dataset: Dataset,
    now: Timestamp,
) -> Result<Dataset, StoreError> {
    if dataset.trashed.is_some() {
        return Ok(dataset);
    }
    let path = tree.names(dataset.folder);
    dataset.revision += 1;
    let sql = "UPDATE datasets SET trashed_ms = $2, trashed_path = $3, revision = $4 WHERE id = $1";
    let json = to_json(&path)?;
    let (id, at, revision) = (dataset.id.0, now.as_millisecond(), small(dataset.revision));
    tx.execute(sql, &[&id, &at, &Text(&json), &revision]).await?;
    let detail = json!({ "project": dataset.project, "name": dataset.name });
    audit::note(tx, dataset.workspace, "dataset.trash", dataset.id, &detail).await?;
    dataset.trashed = Some(Trashed { at: now, path });
    Ok(dataset)
}

/// Writes that a dataset has left the trash, with the folder and revision.
async fn take_out(tx: &Conn, dataset: &Dataset) -> Result<(), StoreError> {
    let Dataset { id, workspace, project, name, folder, revision, .. } = dataset;
    let sql = "UPDATE datasets SET trashed_ms = NULL, trashed_path = NULL, folder_id = $2, \
               revision = $3 WHERE id = $1";
    tx.execute(sql, &[&id.0, &folder.map(|folder| folder.0), &small(*revision)]).await?;
    let detail = json!({ "project": project, "name": name });
    audit::note(tx, *workspace, "dataset.restore", id, &detail).await
}
