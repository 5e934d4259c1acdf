//! Folders.

use async_trait::async_trait;
use hookyard_core::id::{DatasetId, FolderId, ProjectId, WorkspaceId};
use hookyard_core::model::Folder;
use jiff::Timestamp;
use serde_json::json;
use tokio_postgres::Row;

use super::columns::{Columns, Text, moment};
use super::database::Conn;
use super::{PostgresStore, audit, datasets, projects};
use crate::folders::Tree;
use crate::{
    Entity, FOLDERS_MAX, FolderChange, FolderContents, FolderStore, NewFolder, StoreError,
};

/// The start of a reference to a folder.
const LABEL: &str = "label_";

/// The start of a query for [`folder`].
const FOLDERS: &str = "SELECT id, workspace_id, project_id, parent_id, name, created_ms, updated_ms \
                       FROM folders";

#[async_trait]
impl FolderStore for PostgresStore {
    async fn create_folder(&self, new: NewFolder, now: Timestamp) -> Result<Folder, StoreError> {
        let tx = self.db.begin().await?;
        hold(&tx, new.workspace, new.project).await?;
        let all = list(&tx, new.workspace, new.project).await?;
        if all.len() >= FOLDERS_MAX {
            let message = format!("the project has {FOLDERS_MAX} folders, which is the most");
            return Err(StoreError::Conflict(message));
        }
        Tree::new(&all).place(new.parent, 1)?;
        let made = insert(&tx, new, now).await?;
        tx.commit().await?;
        Ok(made)
    }

    async fn folders(
        &self,
        workspace: WorkspaceId,
        project: ProjectId,
    ) -> Result<Vec<Folder>, StoreError> {
        list(&self.db.get().await?, workspace, project).await
    }

    async fn find_folder(
        &self,
        workspace: WorkspaceId,
        id: FolderId,
    ) -> Result<Option<Folder>, StoreError> {
        by_id(&self.db.get().await?, workspace, id).await
    }

    async fn update_folder(
        &self,
        workspace: WorkspaceId,
        project: ProjectId,
        id: FolderId,
        change: FolderChange,
        now: Timestamp,
    ) -> Result<Folder, StoreError> {
        let FolderChange { name, parent } = change;
        let tx = self.db.begin().await?;
        hold(&tx, workspace, project).await.map_err(|error| match error {
            StoreError::NotFound(_) => StoreError::NotFound(Entity::Folder),
            error => error,
        })?;
        let found = find(&tx, workspace, project, id).await?;
        let mut folder = found.ok_or(StoreError::NotFound(Entity::Folder))?;
        if let Some(parent) = parent {
            let all = list(&tx, workspace, project).await?;
            let tree = Tree::new(&all);
            if parent.is_some_and(|parent| tree.within(parent, id)) {
                return Err(StoreError::Conflict("a folder cannot be within itself".to_owned()));
            }
            tree.place(parent, tree.height(id))?;
            folder.parent = parent;
        }
        folder.name = name.unwrap_or(folder.name);
        folder.updated_at = now;
        let sql = "UPDATE folders SET name = $2, parent_id = $3, updated_ms = $4 WHERE id = $1";
        let (above, at) = (folder.parent.map(|parent| parent.0), now.as_millisecond());
        tx.execute(sql, &[&id.0, &Text(&folder.name), &above, &at]).await?;
        let detail = json!({ "project": project, "name": folder.name, "parent": folder.parent });
        audit::note(&tx, workspace, "folder.update", id, &detail).await?;
        tx.commit().await?;
        Ok(folder)
    }

    async fn delete_folder(
        &self,
        workspace: WorkspaceId,
        project: ProjectId,
        id: FolderId,
        contents: FolderContents,
    ) -> Result<bool, StoreError> {
        let tx = self.db.begin().await?;
        match hold(&tx, workspace, project).await {
            Err(StoreError::NotFound(_)) => return Ok(false),
            held => held?,
        }
        let Some(folder) = find(&tx, workspace, project, id).await? else { return Ok(false) };
        let with_contents = contents == FolderContents::Delete;
        let detail = json!({ "name": folder.name, "with_contents": with_contents });
        audit::note(&tx, workspace, "folder.delete", id, &detail).await?;
        match contents {
            FolderContents::Move => {
                let above = folder.parent.map(|parent| parent.0);
                for sql in [
                    "UPDATE folders SET parent_id = $2 WHERE parent_id = $1",
                    "UPDATE datasets SET folder_id = $2 WHERE folder_id = $1 AND trashed_ms IS NULL",
                ] {
                    tx.execute(sql, &[&id.0, &above]).await?;
                }
                remove(&tx, id).await?;
            }
            FolderContents::Delete => {
                let all = list(&tx, workspace, project).await?;
                let tree = Tree::new(&all);
                for within in all.iter().filter(|folder| tree.within(folder.id, id)) {
                    delete_with_datasets(&tx, within).await?;
                }
            }
        }
        tx.commit().await?;
        Ok(true)
    }
}

async fn delete_with_datasets(tx: &Conn, folder: &Folder) -> Result<(), StoreError> {
    for dataset in datasets_in(tx, &[folder.id]).await? {
        datasets::delete(tx, folder.workspace, folder.project, dataset).await?;
    }
    remove(tx, folder.id).await
}

/// The datasets directly in these folders and outside of the trash, numbers ascending.
pub(super) async fn datasets_in(
    tx: &Conn,
    folders: &[FolderId],
) -> Result<Vec<DatasetId>, StoreError> {
    let folders: Vec<i32> = folders.iter().map(|folder| folder.0).collect();
    let sql =
        "SELECT id FROM datasets WHERE folder_id = ANY($1) AND trashed_ms IS NULL ORDER BY id";
    let rows = tx.query(sql, &[&folders]).await?;
    rows.iter().map(|row| row.get_as(0).map(DatasetId)).collect()
}

/// Removes a folder whose only contents are in the trash.
pub(super) async fn remove(tx: &Conn, id: FolderId) -> Result<(), StoreError> {
    let sql = "UPDATE datasets SET folder_id = NULL WHERE folder_id = $1";
    tx.execute(sql, &[&id.0]).await?;
    tx.execute("DELETE FROM folders WHERE id = $1", &[&id.0]).await.map(drop)
}

async fn insert(tx: &Conn, new: NewFolder, now: Timestamp) -> Result<Folder, StoreError> {
    let NewFolder { workspace, project, name, parent } = new;
    let at = now.as_millisecond();
    let sql = "INSERT INTO folders (workspace_id, project_id, parent_id, name, created_ms, \
               updated_ms) VALUES ($1, $2, $3, $4, $5, $5) RETURNING id";
    let above = parent.map(|parent| parent.0);
    let row = tx.one(sql, &[&workspace.0, &project.0, &above, &Text(&name), &at]).await?;
    let id = FolderId(row.get_as(0)?);
    let detail = json!({ "project": project, "name": name });
    audit::note(tx, workspace, "folder.create", id, &detail).await?;
    let (created_at, updated_at) = (moment(at), moment(at));
    Ok(Folder { id, workspace, project, name, parent, created_at, updated_at })
}

/// The folder at the end of a path of names; missing folders are made. `all` are the project's folders,
/// locked by the transaction. The top of the project when the project has no room for more folders.
pub(super) async fn again(
    tx: &Conn,
    (workspace, project): (WorkspaceId, ProjectId),
    all: &mut Vec<Folder>,
    path: &[String],
    now: Timestamp,
) -> Result<Option<FolderId>, StoreError> {
    let (mut at, missing) = Tree::new(all).follow(path);
    if all.len() + missing.len() > FOLDERS_MAX {
        return Ok(None);
    }
    for name in missing {
        let new = NewFolder { workspace, project, name: name.clone(), parent: at };
        let made = insert(tx, new, now).await?;
        at = Some(made.id);
        all.push(made);
    }
    Ok(at)
}

/// Locks the project's folders against changes by other transactions.
pub(super) async fn hold(
    tx: &Conn,
    workspace: WorkspaceId,
    project: ProjectId,
) -> Result<(), StoreError> {
    if !projects::has_project(tx, workspace, project).await? {
        return Err(StoreError::NotFound(Entity::Project));
    }
    let sql = "SELECT FROM projects WHERE workspace_id = $1 AND id = $2 FOR NO KEY UPDATE";
    tx.query(sql, &[&workspace.0, &project.0]).await.map(drop)
}

/// The folder of a reference, `label_` and a number; `None` when the project has no such folder. A reference
/// is no promise: the folder may be of another installation.
pub(super) async fn named(
    conn: &Conn,
    workspace: WorkspaceId,
    project: ProjectId,
    reference: Option<&str>,
) -> Result<Option<FolderId>, StoreError> {
    let number = reference.and_then(|text| text.strip_prefix(LABEL)?.parse().ok());
    let Some(id) = number.map(FolderId) else { return Ok(None) };
    Ok(find(conn, workspace, project, id).await?.map(|folder| folder.id))
}

/// [`StoreError::NotFound`] when the project has no such folder.
pub(super) async fn there(
    conn: &Conn,
    workspace: WorkspaceId,
    project: ProjectId,
    id: FolderId,
) -> Result<(), StoreError> {
    let found = find(conn, workspace, project, id).await?;
    found.map(drop).ok_or(StoreError::NotFound(Entity::Folder))
}

pub(super) async fn list(
    conn: &Conn,
    workspace: WorkspaceId,
    project: ProjectId,
) -> Result<Vec<Folder>, StoreError> {
    let sql = format!("{FOLDERS} WHERE workspace_id = $1 AND project_id = $2 ORDER BY id");
    conn.query(&sql, &[&workspace.0, &project.0]).await?.iter().map(folder).collect()
}

async fn by_id(
    conn: &Conn,
    workspace: WorkspaceId,
    id: FolderId,
) -> Result<Option<Folder>, StoreError> {
    let sql = format!("{FOLDERS} WHERE id = $1 AND workspace_id = $2");
    conn.opt(&sql, &[&id.0, &workspace.0]).await?.as_ref().map(folder).transpose()
}

async fn find(
    conn: &Conn,
    workspace: WorkspaceId,
    project: ProjectId,
    id: FolderId,
) -> Result<Option<Folder>, StoreError> {
    Ok(by_id(conn, workspace, id).await?.filter(|folder| folder.project == project))
}

fn folder(row: &Row) -> Result<Folder, StoreError> {
    Ok(Folder {
        id: FolderId(row.get_as(0)?),
        workspace: WorkspaceId(row.get_as(1)?),
        project: ProjectId(row.get_as(2)?),
        parent: row.get_as::<Option<i32>>(3)?.map(FolderId),
        name: row.text(4)?,
        created_at: row.moment(5)?,
        updated_at: row.moment(6)?,
    })
}
