//! The projects of a workspace.

use hookyard_core::id::{ProjectId, WorkspaceId};
use hookyard_core::model::Project;
use tokio_postgres::Row;

use super::columns::{Columns, count};
use super::database::Conn;
use crate::{PROJECTS_MAX, StoreError};

/// A workspace's projects, numbers ascending.
pub(super) async fn projects(
    conn: &Conn,
    workspace: WorkspaceId,
) -> Result<Vec<Project>, StoreError> {
    let sql = format!(
        "SELECT id, name FROM projects WHERE workspace_id = $1 ORDER BY id LIMIT {}",
        count(PROJECTS_MAX) + 1
    );
    let rows = conn.query(&sql, &[&workspace.0]).await?;
    let project = |row: &Row| Ok(Project { id: ProjectId(row.get_as(0)?), name: row.text(1)? });
    rows.iter().map(project).collect()
}

/// Whether the project belongs to the workspace. Within a transaction the project stays.
pub(super) async fn has_project(
    conn: &Conn,
    workspace: WorkspaceId,
    project: ProjectId,
) -> Result<bool, StoreError> {
    let sql = "SELECT FROM projects WHERE workspace_id = $1 AND id = $2 FOR KEY SHARE";
    Ok(conn.opt(sql, &[&workspace.0, &project.0]).await?.is_some())
}
