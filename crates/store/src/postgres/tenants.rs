//! Workspaces and projects.

use async_trait::async_trait;
use hookyard_core::id::{ProjectId, WorkspaceId};
use hookyard_core::model::{Catalogue, Project, QuotaSettings, Workspace, WorkspaceUsage};
use serde_json::json;
use tokio_postgres::Row;

use super::columns::{Columns, Text};
use super::database::Conn;
use super::projects::projects;
use super::{PostgresStore, audit, credentials, event_types};
use crate::tenants::{PROJECT_IS_OPENED, USAGE};
use crate::{Entity, NewWorkspace, PROJECTS_MAX, StoreError, TenantStore, tenants};

#[async_trait]
impl TenantStore for PostgresStore {
    async fn create_workspace(&self, new: NewWorkspace) -> Result<(), StoreError> {
        let tx = self.db.begin().await?;
        create_workspace(&tx, &new).await?;
        tx.commit().await
    }

    async fn workspaces(&self) -> Result<Vec<Workspace>, StoreError> {
        let sql = "SELECT id, merchant, name FROM workspaces ORDER BY id";
        self.db.get().await?.query(sql, &[]).await?.iter().map(workspace).collect()
    }

    async fn workspace(&self, id: WorkspaceId) -> Result<Option<Workspace>, StoreError> {
        let sql = "SELECT id, merchant, name FROM workspaces WHERE id = $1";
        self.db.get().await?.opt(sql, &[&id.0]).await?.as_ref().map(workspace).transpose()
    }

    async fn rename_workspace(
        &self,
        id: WorkspaceId,
        name: String,
    ) -> Result<Workspace, StoreError> {
        let tx = self.db.begin().await?;
        let sql = "UPDATE workspaces SET name = $2 WHERE id = $1 RETURNING id, merchant, name";
        let row = tx.opt(sql, &[&id.0, &Text(&name)]).await?;
        let renamed = workspace(&row.ok_or(StoreError::NotFound(Entity::Workspace))?)?;
        audit::note(&tx, id, "workspace.rename", id, &json!({ "name": name })).await?;
        tx.commit().await?;
        Ok(renamed)
    }

    async fn quotas(&self, workspace: WorkspaceId) -> Result<QuotaSettings, StoreError> {
        let sql = "SELECT quotas FROM workspaces WHERE id = $1";
        let row = self.db.get().await?.opt(sql, &[&workspace.0]).await?;
        let row = row.ok_or(StoreError::NotFound(Entity::Workspace))?;
        let quotas = row.get_as::<Option<&str>>(0)?;
        quotas.map_or(Ok(QuotaSettings::default()), |text| {
            serde_json::from_str(text).map_err(|error| StoreError::Internal(error.into()))
        })
    }

    async fn set_quotas(
        &self,
        workspace: WorkspaceId,
        quotas: QuotaSettings,
    ) -> Result<(), StoreError> {
        let tx = self.db.begin().await?;
        let text = json!(quotas).to_string();
        let sql = "UPDATE workspaces SET quotas = $2 WHERE id = $1";
        if tx.execute(sql, &[&workspace.0, &Text(&text)]).await? == 0 {
            return Err(StoreError::NotFound(Entity::Workspace));
        }
        audit::note(&tx, workspace, "workspace.quotas", workspace, &json!(quotas)).await?;
        tx.commit().await
    }

    async fn usage(&self, workspace: WorkspaceId) -> Result<WorkspaceUsage, StoreError> {
        let row = self.db.get().await?.one(USAGE, &[&workspace.0]).await?;
        Ok(WorkspaceUsage {
            endpoints: row.unsigned(0)?,
            event_types: row.unsigned(1)?,
            sources: row.unsigned(2)?,
            datasets: row.unsigned(3)?,
            stored_bytes: row.unsigned(4)?,
            journal_bytes: row.unsigned(5)?,
        })
    }

    async fn projects(&self, workspace: WorkspaceId) -> Result<Vec<Project>, StoreError> {
        projects(&self.db.get().await?, workspace).await
    }

    async fn create_project(
        &self,
        workspace: WorkspaceId,
        id: Option<ProjectId>,
        name: String,
    ) -> Result<Project, StoreError> {
        let tx = self.db.begin().await?;
        hold(&tx, workspace).await?;
        let there = projects(&tx, workspace).await?;
        if there.len() >= PROJECTS_MAX {
            let message =
                format!("the workspace has {PROJECTS_MAX} projects, the most that it may");
            return Err(StoreError::Conflict(message));
        }
        let id = id.or_else(|| tenants::free_number(&there));
        let id = id.ok_or_else(|| StoreError::internal("project numbers are used up"))?;
        if there.iter().any(|project| project.id == id) {
            return Err(StoreError::Conflict(format!("the workspace has a project {id} already")));
        }
        let project = Project { id, name };
        insert_project(&tx, workspace, &project).await?;
        let detail = json!({ "name": project.name });
        audit::note(&tx, workspace, "project.create", id, &detail).await?;
        tx.commit().await?;
        Ok(project)
    }

    async fn rename_project(
        &self,
        workspace: WorkspaceId,
        id: ProjectId,
        name: String,
    ) -> Result<Project, StoreError> {
        let tx = self.db.begin().await?;
        let sql = "UPDATE projects SET name = $3 WHERE workspace_id = $1 AND id = $2";
        if tx.execute(sql, &[&workspace.0, &id.0, &Text(&name)]).await? == 0 {
            return Err(StoreError::NotFound(Entity::Project));
        }
        audit::note(&tx, workspace, "project.rename", id, &json!({ "name": name })).await?;
        tx.commit().await?;
        Ok(Project { id, name })
    }

    async fn delete_project(
        &self,
        workspace: WorkspaceId,
        id: ProjectId,
    ) -> Result<(), StoreError> {
        let tx = self.db.begin().await?;
        hold(&tx, workspace).await.map_err(|_| StoreError::NotFound(Entity::Project))?;
        let there = projects(&tx, workspace).await?;
        if there.iter().all(|project| project.id != id) {
            return Err(StoreError::NotFound(Entity::Project));
        }
        if there.len() == 1 {
            let message = "it is the workspace's only project: make another one first";
            return Err(StoreError::Conflict(message.to_owned()));
        }
        // Nothing gets into the project from here on; all contents refer to the project.
        let sql = "SELECT FROM projects WHERE workspace_id = $1 AND id = $2 FOR UPDATE";
        tx.query(sql, &[&workspace.0, &id.0]).await?;
        let sql = "SELECT EXISTS (SELECT FROM datasets WHERE workspace_id = $1 AND project_id = $2) \
                   OR EXISTS (SELECT FROM sources WHERE workspace_id = $1 AND project_id = $2) \
                   OR EXISTS (SELECT FROM folders WHERE workspace_id = $1 AND project_id = $2)";
        if tx.one(sql, &[&workspace.0, &id.0]).await?.get_as(0)? {
            let message = "the project is not empty: delete its sources, folders and datasets first, also \
                 those in the trash";
            return Err(StoreError::Conflict(message.to_owned()));
        }
        let sql = "SELECT EXISTS (SELECT FROM credentials WHERE workspace_id = $1 \
                   AND project_id = $2 AND revoked_ms IS NULL)";
        if tx.one(sql, &[&workspace.0, &id.0]).await?.get_as(0)? {
            return Err(StoreError::Conflict(PROJECT_IS_OPENED.to_owned()));
        }
        let sql = "DELETE FROM projects WHERE workspace_id = $1 AND id = $2";
        tx.execute(sql, &[&workspace.0, &id.0]).await?;
        audit::note(&tx, workspace, "project.delete", id, &json!({})).await?;
        tx.commit().await
    }
}

/// Locks the workspace's projects against changes by other transactions.
async fn hold(tx: &Conn, workspace: WorkspaceId) -> Result<(), StoreError> {
    let sql = "SELECT FROM workspaces WHERE id = $1 FOR NO KEY UPDATE";
    let there = tx.opt(sql, &[&workspace.0]).await?;
    there.map(drop).ok_or(StoreError::NotFound(Entity::Workspace))
}

async fn create_workspace(tx: &Conn, new: &NewWorkspace) -> Result<(), StoreError> {
    let NewWorkspace { workspace, project, catalogue, credentials } = new;
    let id = workspace.id;
    let sql = "INSERT INTO workspaces (id, merchant, name) VALUES ($1, $2, $3) \
               ON CONFLICT DO NOTHING";
    let row = [Text(&workspace.merchant), Text(&workspace.name)];
    if tx.execute(sql, &[&id.0, &row[0], &row[1]]).await? == 0 {
        let sql = "SELECT id, merchant, name FROM workspaces WHERE id = $1 OR merchant = $2";
        let known = tx.one(sql, &[&id.0, &row[0]]).await?;
        return Err(StoreError::Conflict(format!(
            "workspace {} has the merchant code {} already",
            known.get_as::<i32>(0)?,
            known.text(1)?
        )));
    }
    insert_project(tx, id, project).await?;
    insert_catalogue(tx, id, catalogue).await?;
    for credential in credentials {
        credentials::insert(tx, id, credential).await?;
    }
    let detail = json!({ "merchant": workspace.merchant, "name": workspace.name });
    audit::note(tx, id, "workspace.create", id, &detail).await
}

async fn insert_catalogue(
    tx: &Conn,
    workspace: WorkspaceId,
    catalogue: &Catalogue,
) -> Result<(), StoreError> {
    for (position, category) in (0..).zip(&catalogue.categories) {
        event_types::insert_category(tx, workspace, position, category).await?;
        for kind in &category.event_types {
            event_types::insert(tx, workspace, position, kind).await?;
        }
    }
    Ok(())
}

async fn insert_project(
    tx: &Conn,
    workspace: WorkspaceId,
    project: &Project,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO projects (workspace_id, id, name) VALUES ($1, $2, $3)";
    tx.execute(sql, &[&workspace.0, &project.id.0, &Text(&project.name)]).await.map(drop)
}

fn workspace(row: &Row) -> Result<Workspace, StoreError> {
    Ok(Workspace { id: WorkspaceId(row.get_as(0)?), merchant: row.text(1)?, name: row.text(2)? })
}
