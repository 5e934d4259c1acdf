//! Workspaces and projects.
//!
//! The command line makes workspaces from another process while a server runs, so a workspace unknown to
//! memory is looked up in the file.

use async_trait::async_trait;
use hookyard_core::id::{ProjectId, WorkspaceId};
use hookyard_core::model::{Catalogue, Project, QuotaSettings, Workspace, WorkspaceUsage};
use rusqlite::{Connection, ErrorCode, OptionalExtension, params};
use serde_json::json;

use super::access::Access;
use super::rows::{count, from_json, to_json, unsigned};
use super::tenant_rows::{has_project, projects, workspace, workspaces};
use super::{audit, credentials, event_types, failed, tenant_rows};
use crate::tenants::{PROJECT_IS_OPENED, USAGE};
use crate::{Entity, NewWorkspace, PROJECTS_MAX, StoreError, TenantStore, tenants};

#[async_trait]
impl<A: Access> TenantStore for A {
    async fn create_workspace(&self, new: NewWorkspace) -> Result<(), StoreError> {
        self.change(move |conn| create_workspace(conn, &new)).await
    }

    async fn workspaces(&self) -> Result<Vec<Workspace>, StoreError> {
        self.look(workspaces).await
    }

    async fn workspace(&self, id: WorkspaceId) -> Result<Option<Workspace>, StoreError> {
        self.look(move |conn| workspace(conn, id)).await
    }

    async fn rename_workspace(
        &self,
        id: WorkspaceId,
        name: String,
    ) -> Result<Workspace, StoreError> {
        self.change(move |conn| {
            let own = workspace(conn, id)?.ok_or(StoreError::NotFound(Entity::Workspace))?;
            let sql = "UPDATE workspaces SET name = ?2 WHERE id = ?1";
            conn.execute(sql, params![id.0, name]).map_err(failed)?;
            audit::note(conn, id, "workspace.rename", id, &json!({ "name": name }))?;
            Ok(Workspace { name, ..own })
        })
        .await
    }

    async fn quotas(&self, workspace: WorkspaceId) -> Result<QuotaSettings, StoreError> {
        self.look(move |conn| {
            let sql = "SELECT quotas FROM workspaces WHERE id = ?1";
            let found = conn.query_row(sql, [workspace.0], |row| row.get::<_, Option<String>>(0));
            let quotas = found.optional().map_err(failed)?;
            let quotas = quotas.ok_or(StoreError::NotFound(Entity::Workspace))?;
            quotas.map_or(Ok(QuotaSettings::default()), |text| from_json(&text))
        })
        .await
    }

    async fn set_quotas(
        &self,
        workspace: WorkspaceId,
        quotas: QuotaSettings,
    ) -> Result<(), StoreError> {
        self.change(move |conn| {
            let sql = "UPDATE workspaces SET quotas = ?2 WHERE id = ?1";
            let row = params![workspace.0, to_json(&quotas)?];
            if conn.execute(sql, row).map_err(failed)? == 0 {
                return Err(StoreError::NotFound(Entity::Workspace));
            }
            audit::note(conn, workspace, "workspace.quotas", workspace, &json!(quotas))
        })
        .await
    }

    async fn usage(&self, workspace: WorkspaceId) -> Result<WorkspaceUsage, StoreError> {
        let before = self.uncounted(workspace);
        let usage = self.look(move |conn| {
            let usage = conn.query_row(USAGE, [workspace.0], |row| {
                Ok(WorkspaceUsage {
                    endpoints: unsigned(row, 0)?,
                    event_types: unsigned(row, 1)?,
                    sources: unsigned(row, 2)?,
                    datasets: unsigned(row, 3)?,
                    stored_bytes: unsigned(row, 4)?,
                    journal_bytes: unsigned(row, 5)?,
                })
            });
            usage.map_err(failed)
        });
        let usage: WorkspaceUsage = usage.await?;
        // A checkpoint in between moves the uncounted bytes to disk. Bytes are never counted twice, since a
        // double count would refuse too much.
        let uncounted = before.min(self.uncounted(workspace));
        Ok(WorkspaceUsage { journal_bytes: usage.journal_bytes + uncounted, ..usage })
    }

    async fn projects(&self, workspace: WorkspaceId) -> Result<Vec<Project>, StoreError> {
        self.look(move |conn| projects(conn, workspace)).await
    }

    async fn create_project(
        &self,
        workspace: WorkspaceId,
        id: Option<ProjectId>,
        name: String,
    ) -> Result<Project, StoreError> {
        self.change(move |conn| create_project(conn, workspace, id, name)).await
    }

    async fn rename_project(
        &self,
        workspace: WorkspaceId,
        id: ProjectId,
        name: String,
    ) -> Result<Project, StoreError> {
        self.change(move |conn| {
            let sql = "UPDATE projects SET name = ?3 WHERE workspace_id = ?1 AND id = ?2";
            let renamed = conn.execute(sql, params![workspace.0, id.0, name]).map_err(failed)?;
            if renamed == 0 {
                return Err(StoreError::NotFound(Entity::Project));
            }
            audit::note(conn, workspace, "project.rename", id, &json!({ "name": name }))?;
            Ok(Project { id, name })
        })
        .await
    }

    async fn delete_project(
        &self,
        workspace: WorkspaceId,
        id: ProjectId,
    ) -> Result<(), StoreError> {
        self.change(move |conn| delete_project(conn, workspace, id)).await?;
        self.project_is_gone(workspace, id);
        Ok(())
    }
}

fn create_workspace(conn: &Connection, new: &NewWorkspace) -> Result<(), StoreError> {
    let NewWorkspace { workspace, project, catalogue, credentials } = new;
    let taken = workspaces(conn)?
        .into_iter()
        .find(|known| known.id == workspace.id || known.merchant == workspace.merchant);
    if let Some(known) = taken {
        return Err(StoreError::Conflict(format!(
            "workspace {} has the merchant code {} already",
            known.id, known.merchant
        )));
    }
    let id = workspace.id;
    let sql = "INSERT INTO workspaces (id, merchant, name) VALUES (?1, ?2, ?3)";
    conn.execute(sql, params![id.0, workspace.merchant, workspace.name]).map_err(failed)?;
    insert_project(conn, id, project)?;
    insert_catalogue(conn, id, catalogue)?;
    for credential in credentials {
        credentials::insert(conn, id, credential)?;
    }
    let detail = json!({ "merchant": workspace.merchant, "name": workspace.name });
    audit::note(conn, id, "workspace.create", id, &detail)
}

fn insert_catalogue(
    conn: &Connection,
    workspace: WorkspaceId,
    catalogue: &Catalogue,
) -> Result<(), StoreError> {
    for (position, category) in catalogue.categories.iter().enumerate() {
        let sql = "INSERT INTO categories (workspace_id, position, name, expansions, system) \
                   VALUES (?1, ?2, ?3, ?4, ?5)";
        let expansions = to_json(&category.expansions)?;
        let row = params![workspace.0, count(position), category.name, expansions, category.system];
        conn.execute(sql, row).map_err(failed)?;
        for kind in &category.event_types {
            event_types::insert(conn, workspace, position, kind)?;
        }
    }
    Ok(())
}

fn insert_project(
    conn: &Connection,
    workspace: WorkspaceId,
    project: &Project,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO projects (workspace_id, id, name) VALUES (?1, ?2, ?3)";
    conn.execute(sql, params![workspace.0, project.id.0, project.name]).map_err(failed)?;
    Ok(())
}

fn create_project(
    conn: &Connection,
    workspace: WorkspaceId,
    id: Option<ProjectId>,
    name: String,
) -> Result<Project, StoreError> {
    if tenant_rows::workspace(conn, workspace)?.is_none() {
        return Err(StoreError::NotFound(Entity::Workspace));
    }
    let there = projects(conn, workspace)?;
    if there.len() >= PROJECTS_MAX {
        let message = format!("the workspace has {PROJECTS_MAX} projects, the most that it may");
        return Err(StoreError::Conflict(message));
    }
    let id = id.or_else(|| tenants::free_number(&there));
    let id = id.ok_or_else(|| StoreError::internal("project numbers are used up"))?;
    if there.iter().any(|project| project.id == id) {
        return Err(StoreError::Conflict(format!("the workspace has a project {id} already")));
    }
    let project = Project { id, name };
    insert_project(conn, workspace, &project)?;
    audit::note(conn, workspace, "project.create", id, &json!({ "name": project.name }))?;
    Ok(project)
}

fn delete_project(
    conn: &Connection,
    workspace: WorkspaceId,
    id: ProjectId,
) -> Result<(), StoreError> {
    if !has_project(conn, workspace, id)? {
        return Err(StoreError::NotFound(Entity::Project));
    }
    if projects(conn, workspace)?.len() == 1 {
        let message = "it is the workspace's only project: make another one first";
        return Err(StoreError::Conflict(message.to_owned()));
    }
    let sql = "SELECT EXISTS (SELECT 1 FROM credentials WHERE workspace_id = ?1 \
               AND project_id = ?2 AND revoked_ms IS NULL)";
    let opened = conn.query_row(sql, params![workspace.0, id.0], |row| row.get(0));
    if opened.map_err(failed)? {
        return Err(StoreError::Conflict(PROJECT_IS_OPENED.to_owned()));
    }
    let sql = "DELETE FROM projects WHERE workspace_id = ?1 AND id = ?2";
    match conn.execute(sql, params![workspace.0, id.0]) {
        Ok(_) => audit::note(conn, workspace, "project.delete", id, &json!({})),
        // Everything in a project refers to the project.
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) => {
            let message = "the project is not empty: delete its sources, folders and datasets first, also \
                 those in the trash";
            Err(StoreError::Conflict(message.to_owned()))
        }
        Err(error) => Err(failed(error)),
    }
}
