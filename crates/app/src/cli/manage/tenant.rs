//! `workspace` and `project`.

use anyhow::{Context, Result, anyhow};
use hookyard_core::catalogue;
use hookyard_core::id::{ProjectId, WorkspaceId};
use hookyard_core::model::{Project, QuotaSetting, Quotas, Workspace};
use hookyard_engine::tenants::check_full_name;
use hookyard_store::NewWorkspace;
use serde_json::json;

use super::Desk;
use crate::cli::output;
use crate::config::QuotaChange;
use crate::flags::values::Amount;
use crate::storage;

/// The number of a new workspace's project.
const FIRST_PROJECT: ProjectId = ProjectId(1);

impl Desk {
    pub(super) async fn list_workspaces(&self) -> Result<()> {
        let all = self.store.workspaces().await.context("cannot read the workspaces")?;
        all.iter().try_for_each(|workspace| self.show_workspace(workspace))
    }

    pub(super) async fn create_workspace(
        &self,
        merchant: String,
        id: Option<WorkspaceId>,
        name: Option<String>,
    ) -> Result<()> {
        let all = self.store.workspaces().await.context("cannot read the workspaces")?;
        let highest = all.last().map_or(0, |workspace| workspace.id.0);
        let id = id.or_else(|| highest.checked_add(1).map(WorkspaceId));
        let id = id.context("all numbers up to the highest are taken: name a free one")?;
        let name = name.unwrap_or_else(|| merchant.clone());
        checked("--name", &name)?;
        let workspace = Workspace { id, merchant, name };
        let new = NewWorkspace {
            workspace: workspace.clone(),
            project: Project { id: FIRST_PROJECT, name: "Default".to_owned() },
            catalogue: catalogue::initial().clone(),
            credentials: Vec::new(),
        };
        self.store.create_workspace(new).await.context("cannot make the workspace")?;
        self.show_workspace(&workspace)
    }

    pub(super) async fn rename_workspace(
        &self,
        workspace: Option<WorkspaceId>,
        name: String,
    ) -> Result<()> {
        checked("the name", &name)?;
        let workspace = self.workspace(workspace).await?;
        let renamed = self.store.rename_workspace(workspace, name).await;
        self.show_workspace(&renamed.context("cannot rename the workspace")?)
    }

    /// Changes the requested quotas, and shows all quotas.
    pub(super) async fn set_quotas(
        &self,
        workspace: Option<WorkspaceId>,
        change: &QuotaChange,
    ) -> Result<()> {
        let workspace = self.workspace(workspace).await?;
        let before = self.store.quotas(workspace).await.context("cannot read the quotas")?;
        let quotas = before
            .zip(*change, |there, asked: Option<Amount>| asked.map_or(there, |amount| amount.0));
        if quotas != before {
            let set = self.store.set_quotas(workspace, quotas).await;
            set.context("cannot set the quotas")?;
        }
        let usage = self.store.usage(workspace).await.context("cannot read what is used")?;
        let used = Quotas {
            endpoints: Some(usage.endpoints),
            event_types: Some(usage.event_types),
            sources: Some(usage.sources),
            datasets: Some(usage.datasets),
            events_hour: None,
            bytes_hour: None,
            stored_bytes: Some(usage.stored_bytes),
            journal_bytes: Some(usage.journal_bytes),
        };
        for (name, (limit, used)) in quotas.zip(used, |limit, used| (limit, used)).named() {
            let line = match self.json {
                true => json!({
                    "name": name,
                    "limit": limit.or(None),
                    "default": limit == QuotaSetting::Default,
                    "used": used,
                })
                .to_string(),
                false => {
                    let used: Option<u64> = used;
                    let used = used.map_or_else(|| "-".to_owned(), |used| used.to_string());
                    format!("{name}\t{}\t{used}", shown(limit))
                }
            };
            output::line(&line)?;
        }
        Ok(())
    }

    pub(super) async fn list_projects(&self, workspace: Option<WorkspaceId>) -> Result<()> {
        let workspace = self.workspace(workspace).await?;
        let all = self.store.projects(workspace).await.context("cannot read the projects")?;
        all.iter().try_for_each(|project| self.show_project(project))
    }

    pub(super) async fn create_project(
        &self,
        workspace: Option<WorkspaceId>,
        id: Option<ProjectId>,
        name: String,
    ) -> Result<()> {
        checked("the name", &name)?;
        let workspace = self.workspace(workspace).await?;
        let made = self.store.create_project(workspace, id, name).await;
        self.show_project(&made.context("cannot make the project")?)
    }

    pub(super) async fn rename_project(
        &self,
        workspace: Option<WorkspaceId>,
        id: ProjectId,
        name: String,
    ) -> Result<()> {
        checked("the name", &name)?;
        let workspace = self.workspace(workspace).await?;
        let renamed = self.store.rename_project(workspace, id, name).await;
        self.show_project(&renamed.with_context(|| format!("project {id}"))?)
    }

    pub(super) async fn delete_project(
        &self,
        workspace: Option<WorkspaceId>,
        id: ProjectId,
    ) -> Result<()> {
        let _lock = storage::lock(&self.common).with_context(|| {
            format!("a running server must do this itself: send it DELETE /v1/projects/{id}")
        })?;
        let workspace = self.workspace(workspace).await?;
        let deleted = self.store.delete_project(workspace, id).await;
        deleted.with_context(|| format!("project {id}"))?;
        match self.json {
            true => output::line(&json!({ "id": id }).to_string())?,
            false => output::line(&format!("project {id} is gone"))?,
        }
        Ok(())
    }

    fn show_workspace(&self, workspace: &Workspace) -> Result<()> {
        let Workspace { id, merchant, name } = workspace;
        let line = match self.json {
            true => json!({ "id": id, "merchant": merchant, "name": name }).to_string(),
            false => format!("{id}\t{merchant}\t{name}"),
        };
        Ok(output::line(&line)?)
    }

    fn show_project(&self, project: &Project) -> Result<()> {
        let Project { id, name } = project;
        let line = match self.json {
            true => json!({ "id": id, "name": name }).to_string(),
            false => format!("{id}\t{name}"),
        };
        Ok(output::line(&line)?)
    }
}

/// A quota in the form of its flag.
fn shown(quota: QuotaSetting) -> String {
    match quota {
        QuotaSetting::Default => "default".to_owned(),
        QuotaSetting::Off => "off".to_owned(),
        QuotaSetting::At(amount) => amount.to_string(),
    }
}

fn checked(what: &str, name: &str) -> Result<()> {
    check_full_name(what, name).map_err(|error| anyhow!(error.to_string()))
}
