//! Folders.

use hookyard_core::id::{FolderId, ProjectId, WorkspaceId};
use rusqlite::{Connection, params};

use super::failed;
use crate::{Entity, StoreError};

/// What a reference to a folder begins with.
const LABEL: &str = "label_";

/// The folder that a reference names, `label_` and its number; `None` when the project has no such one.
/// A reference is not a promise: it may be to a folder of another installation.
pub(super) fn named(
    conn: &Connection,
    workspace: WorkspaceId,
    project: ProjectId,
    reference: Option<&str>,
) -> Result<Option<FolderId>, StoreError> {
    let number = reference.and_then(|text| text.strip_prefix(LABEL)?.parse().ok());
    let Some(id) = number.map(FolderId) else { return Ok(None) };
    Ok(is_there(conn, workspace, project, id)?.then_some(id))
}

/// [`StoreError::NotFound`] when the project has no such folder.
pub(super) fn there(
    conn: &Connection,
    workspace: WorkspaceId,
    project: ProjectId,
    id: FolderId,
) -> Result<(), StoreError> {
    let there = is_there(conn, workspace, project, id)?;
    if there { Ok(()) } else { Err(StoreError::NotFound(Entity::Folder)) }
}

fn is_there(
    conn: &Connection,
    workspace: WorkspaceId,
    project: ProjectId,
    id: FolderId,
) -> Result<bool, StoreError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM folders \
               WHERE id = ?1 AND workspace_id = ?2 AND project_id = ?3)";
    let own = params![id.0, workspace.0, project.0];
    conn.query_row(sql, own, |row| row.get(0)).map_err(failed)
}
