//! Folders.

use async_trait::async_trait;
use hookyard_core::id::{DatasetId, FolderId, ProjectId, WorkspaceId};
use hookyard_core::model::Folder;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde_json::json;

use super::rows::moment;
use super::tx::Tx;
use super::{SqliteStore, audit, datasets, failed, sources, tenant_rows};
use crate::folders::Tree;
use crate::{
    Entity, FOLDERS_MAX, FolderChange, FolderContents, FolderStore, NewFolder, StoreError,
};

/// The start of a reference to a folder.
const LABEL: &str = "label_";

#[async_trait]
impl FolderStore for SqliteStore {
    async fn create_folder(&self, new: NewFolder, now: Timestamp) -> Result<Folder, StoreError> {
        self.writer.alone(move |tx| create(tx, new, now)).await
    }

    async fn folders(
        &self,
        workspace: WorkspaceId,
        project: ProjectId,
    ) -> Result<Vec<Folder>, StoreError> {
        self.readers.read(move |conn| list(conn, workspace, project)).await
    }

    async fn find_folder(
        &self,
        workspace: WorkspaceId,
        id: FolderId,
    ) -> Result<Option<Folder>, StoreError> {
        self.readers.read(move |conn| by_id(conn, workspace, id)).await
    }

    async fn update_folder(
        &self,
        workspace: WorkspaceId,
        project: ProjectId,
        id: FolderId,
        change: FolderChange,
        now: Timestamp,
    ) -> Result<Folder, StoreError> {
        self.writer.alone(move |tx| update(tx.conn, workspace, project, id, change, now)).await
    }

    async fn delete_folder(
        &self,
        workspace: WorkspaceId,
        project: ProjectId,
        id: FolderId,
        contents: FolderContents,
    ) -> Result<bool, StoreError> {
        self.writer.alone(move |tx| delete(tx, workspace, project, id, contents)).await
    }
}

/// The folder of a reference, `label_` and a number; `None` when the project has no such folder. A reference
/// is no promise: the folder may be of another installation.
pub(super) fn named(
    conn: &Connection,
    workspace: WorkspaceId,
    project: ProjectId,
    reference: Option<&str>,
) -> Result<Option<FolderId>, StoreError> {
    let number = reference.and_then(|text| text.strip_prefix(LABEL)?.parse().ok());
    let Some(id) = number.map(FolderId) else { return Ok(None) };
    Ok(find(conn, workspace, project, id)?.map(|folder| folder.id))
}

/// [`StoreError::NotFound`] when the project has no such folder.
pub(super) fn there(
    conn: &Connection,
    workspace: WorkspaceId,
    project: ProjectId,
    id: FolderId,
) -> Result<(), StoreError> {
    find(conn, workspace, project, id)?.map(drop).ok_or(StoreError::NotFound(Entity::Folder))
}

fn create(tx: &mut Tx<'_>, new: NewFolder, now: Timestamp) -> Result<Folder, StoreError> {
    let NewFolder { workspace, project, name, parent } = new;
    if !tenant_rows::has_project(tx.conn, workspace, project)? {
        return Err(StoreError::NotFound(Entity::Project));
    }
    let all = list(tx.conn, workspace, project)?;
    if all.len() >= FOLDERS_MAX {
        let message = format!("the project has {FOLDERS_MAX} folders, which is the most");
        return Err(StoreError::Conflict(message));
    }
    let tree = Tree::new(&all);
    tree.place(parent, 1)?;
    insert(tx.conn, NewFolder { workspace, project, name, parent }, now)
}

fn insert(conn: &Connection, new: NewFolder, now: Timestamp) -> Result<Folder, StoreError> {
    let NewFolder { workspace, project, name, parent } = new;
    let at = now.as_millisecond();
    let sql = "INSERT INTO folders (workspace_id, project_id, parent_id, name, created_ms, \
               updated_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?5)";
    let row = params![workspace.0, project.0, parent.map(|parent| parent.0), name, at];
    conn.execute(sql, row).map_err(failed)?;
    let id = FolderId(sources::number(conn.last_insert_rowid())?);
    let detail = json!({ "project": project, "name": name });
    audit::note(conn, workspace, "folder.create", id, &detail)?;
    let (created_at, updated_at) = (moment(at), moment(at));
    Ok(Folder { id, workspace, project, name, parent, created_at, updated_at })
}

/// The folder at the end of a path of names; missing folders are made. `all` are the project's folders. The
/// top of the project when the project has no room for more folders.
pub(super) fn again(
    conn: &Connection,
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
        let made = insert(conn, new, now)?;
        at = Some(made.id);
        all.push(made);
    }
    Ok(at)
}

/// Removes a folder whose only contents are in the trash.
pub(super) fn remove(conn: &Connection, id: FolderId) -> Result<(), StoreError> {
    for sql in [
        "UPDATE datasets SET folder_id = NULL WHERE folder_id = ?1",
        "DELETE FROM folders WHERE id = ?1",
    ] {
        conn.execute(sql, [id.0]).map_err(failed)?;
    }
    Ok(())
}

fn update(
    conn: &Connection,
    workspace: WorkspaceId,
    project: ProjectId,
    id: FolderId,
    change: FolderChange,
    now: Timestamp,
) -> Result<Folder, StoreError> {
    let FolderChange { name, parent } = change;
    let found = find(conn, workspace, project, id)?;
    let mut folder = found.ok_or(StoreError::NotFound(Entity::Folder))?;
    if let Some(parent) = parent {
        let all = list(conn, workspace, project)?;
        let tree = Tree::new(&all);
        if parent.is_some_and(|parent| tree.within(parent, id)) {
            return Err(StoreError::Conflict("a folder cannot be within itself".to_owned()));
        }
        tree.place(parent, tree.height(id))?;
        folder.parent = parent;
    }
    if let Some(name) = name {
        folder.name = name;
    }
    folder.updated_at = now;
    let sql = "UPDATE folders SET name = ?2, parent_id = ?3, updated_ms = ?4 WHERE id = ?1";
    let parent = folder.parent.map(|parent| parent.0);
    let row = params![id.0, folder.name, parent, now.as_millisecond()];
    conn.execute(sql, row).map_err(failed)?;
    let detail = json!({ "project": project, "name": folder.name, "parent": folder.parent });
    audit::note(conn, workspace, "folder.update", id, &detail)?;
    Ok(folder)
}

fn delete(
    tx: &mut Tx<'_>,
    workspace: WorkspaceId,
    project: ProjectId,
    id: FolderId,
    contents: FolderContents,
) -> Result<bool, StoreError> {
    let Some(folder) = find(tx.conn, workspace, project, id)? else { return Ok(false) };
    let with_contents = contents == FolderContents::Delete;
    let detail = json!({ "name": folder.name, "with_contents": with_contents });
    audit::note(tx.conn, workspace, "folder.delete", id, &detail)?;
    match contents {
        FolderContents::Move => {
            let parent = folder.parent.map(|parent| parent.0);
            for sql in [
                "UPDATE folders SET parent_id = ?2 WHERE parent_id = ?1",
                "UPDATE datasets SET folder_id = ?2 WHERE folder_id = ?1 AND trashed_ms IS NULL",
            ] {
                tx.conn.execute(sql, params![id.0, parent]).map_err(failed)?;
            }
            remove(tx.conn, id)?;
        }
        FolderContents::Delete => {
            let all = list(tx.conn, workspace, project)?;
            let tree = Tree::new(&all);
            for within in all.iter().filter(|folder| tree.within(folder.id, id)) {
                for dataset in datasets_in(tx.conn, within.id)? {
                    datasets::delete(tx, workspace, project, dataset)?;
                }
                remove(tx.conn, within.id)?;
            }
        }
    }
    Ok(true)
}

/// The datasets directly in a folder and outside of the trash.
pub(super) fn datasets_in(
    conn: &Connection,
    folder: FolderId,
) -> Result<Vec<DatasetId>, StoreError> {
    let sql = "SELECT id FROM datasets WHERE folder_id = ?1 AND trashed_ms IS NULL ORDER BY id";
    let mut statement = conn.prepare_cached(sql).map_err(failed)?;
    let ids = statement.query_map([folder.0], |row| row.get(0).map(DatasetId)).map_err(failed)?;
    ids.collect::<Result<_, _>>().map_err(failed)
}

/// The start of a query for [`folder`].
const FOLDERS: &str = "SELECT id, workspace_id, project_id, parent_id, name, created_ms, updated_ms \
                       FROM folders";

pub(super) fn list(
    conn: &Connection,
    workspace: WorkspaceId,
    project: ProjectId,
) -> Result<Vec<Folder>, StoreError> {
    let sql = format!("{FOLDERS} WHERE workspace_id = ?1 AND project_id = ?2 ORDER BY id");
    let mut statement = conn.prepare_cached(&sql).map_err(failed)?;
    let rows = statement.query_map([workspace.0, project.0], folder).map_err(failed)?;
    rows.collect::<Result<_, _>>().map_err(failed)
}

fn by_id(
    conn: &Connection,
    workspace: WorkspaceId,
    id: FolderId,
) -> Result<Option<Folder>, StoreError> {
    let sql = format!("{FOLDERS} WHERE id = ?1 AND workspace_id = ?2");
    let mut statement = conn.prepare_cached(&sql).map_err(failed)?;
    statement.query_row([id.0, workspace.0], folder).optional().map_err(failed)
}

fn find(
    conn: &Connection,
    workspace: WorkspaceId,
    project: ProjectId,
    id: FolderId,
) -> Result<Option<Folder>, StoreError> {
    Ok(by_id(conn, workspace, id)?.filter(|folder| folder.project == project))
}

fn folder(row: &Row<'_>) -> rusqlite::Result<Folder> {
    Ok(Folder {
        id: FolderId(row.get(0)?),
        workspace: WorkspaceId(row.get(1)?),
        project: ProjectId(row.get(2)?),
        parent: row.get::<_, Option<i32>>(3)?.map(FolderId),
        name: row.get(4)?,
        created_at: moment(row.get(5)?),
        updated_at: moment(row.get(6)?),
    })
}
