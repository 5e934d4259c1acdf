//! Workspaces and their projects, as they are read.

use hookyard_core::id::{ProjectId, WorkspaceId};
use hookyard_core::model::{Project, Workspace};
use rusqlite::{Connection, Row, params};

use super::failed;
use crate::StoreError;

/// All workspaces.
pub(super) fn workspaces(conn: &Connection) -> Result<Vec<Workspace>, StoreError> {
    let sql = "SELECT id, merchant, name FROM workspaces ORDER BY id";
    let mut statement = conn.prepare_cached(sql).map_err(failed)?;
    let workspace = |row: &Row<'_>| {
        Ok(Workspace { id: WorkspaceId(row.get(0)?), merchant: row.get(1)?, name: row.get(2)? })
    };
    let rows = statement.query_map([], workspace).map_err(failed)?;
    rows.collect::<Result<_, _>>().map_err(failed)
}

/// One workspace.
pub(super) fn workspace(
    conn: &Connection,
    id: WorkspaceId,
) -> Result<Option<Workspace>, StoreError> {
    Ok(workspaces(conn)?.into_iter().find(|workspace| workspace.id == id))
}

/// A workspace's projects, numbers ascending.
pub(super) fn projects(
    conn: &Connection,
    workspace: WorkspaceId,
) -> Result<Vec<Project>, StoreError> {
    let sql = "SELECT id, name FROM projects WHERE workspace_id = ?1 ORDER BY id";
    let mut statement = conn.prepare_cached(sql).map_err(failed)?;
    let project = |row: &Row<'_>| Ok(Project { id: ProjectId(row.get(0)?), name: row.get(1)? });
    let rows = statement.query_map([workspace.0], project).map_err(failed)?;
    rows.collect::<Result<_, _>>().map_err(failed)
}

/// Whether a workspace has a project.
pub(super) fn has_project(
    conn: &Connection,
    workspace: WorkspaceId,
    id: ProjectId,
) -> Result<bool, StoreError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM projects WHERE workspace_id = ?1 AND id = ?2)";
    conn.query_row(sql, params![workspace.0, id.0], |row| row.get(0)).map_err(failed)
}
