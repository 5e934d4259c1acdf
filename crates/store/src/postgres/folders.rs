//! Folders.

use hookyard_core::id::{FolderId, ProjectId, WorkspaceId};

use super::database::Conn;
use crate::{Entity, StoreError};

/// What a reference to a folder begins with.
const LABEL: &str = "label_";

/// The folder that a reference names, `label_` and its number; `None` when the project has no such one.
/// A reference is not a promise: it may be to a folder of another installation.
pub(super) async fn named(
    conn: &Conn,
    workspace: WorkspaceId,
    project: ProjectId,
    reference: Option<&str>,
) -> Result<Option<FolderId>, StoreError> {
    let number = reference.and_then(|text| text.strip_prefix(LABEL)?.parse().ok());
    let Some(id) = number.map(FolderId) else { return Ok(None) };
    Ok(is_there(conn, workspace, project, id).await?.then_some(id))
}

/// [`StoreError::NotFound`] when the project has no such folder.
pub(super) async fn there(
    conn: &Conn,
    workspace: WorkspaceId,
    project: ProjectId,
    id: FolderId,
) -> Result<(), StoreError> {
    let there = is_there(conn, workspace, project, id).await?;
    if there { Ok(()) } else { Err(StoreError::NotFound(Entity::Folder)) }
}

async fn is_there(
    conn: &Conn,
    workspace: WorkspaceId,
    project: ProjectId,
    id: FolderId,
) -> Result<bool, StoreError> {
    let sql = "SELECT FROM folders WHERE id = $1 AND workspace_id = $2 AND project_id = $3";
    Ok(conn.opt(sql, &[&id.0, &workspace.0, &project.0]).await?.is_some())
}
