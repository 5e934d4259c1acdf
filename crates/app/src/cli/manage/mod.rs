//! The commands that manage access, beside a running server.

use anyhow::{Context, Result, bail};
use hookyard_core::clock::{Clock, SystemClock};
use hookyard_core::id::WorkspaceId;
use hookyard_core::model::Workspace;
use hookyard_store::Actor;
use jiff::Timestamp;

use crate::config::{Common, Manage, Managed};
use crate::storage;

mod audit;
mod credential;
mod tenant;

/// The means of a command.
struct Desk {
    common: Common,
    store: Box<dyn storage::Managed>,
    now: Timestamp,
    json: bool,
}

/// Runs the command on behalf of the operator of the installation.
pub(crate) async fn run(command: Manage) -> Result<()> {
    let Manage { common, json, what } = command;
    let store = storage::open_managed(&common).await?;
    let now = SystemClock::new().now();
    let desk = Desk { common, store, now, json };
    Actor::command(now).scope(desk.run(what)).await
}

impl Desk {
    async fn run(&self, what: Managed) -> Result<()> {
        match what {
            Managed::CreateCredential { workspace, spec } => {
                self.create_credential(workspace, spec).await
            }
            Managed::ListCredentials { workspace } => self.list_credentials(workspace).await,
            Managed::DisableCredential { workspace, id, disabled } => {
                self.disable_credential(workspace, id, disabled).await
            }
            Managed::RevokeCredential { workspace, id } => {
                self.revoke_credential(workspace, id).await
            }
            Managed::RotateCredential { workspace, id, overlap } => {
                self.rotate_credential(workspace, id, overlap).await
            }
            Managed::ListWorkspaces => self.list_workspaces().await,
            Managed::CreateWorkspace { merchant, id, name } => {
                self.create_workspace(merchant, id, name).await
            }
            Managed::RenameWorkspace { workspace, name } => {
                self.rename_workspace(workspace, name).await
            }
            Managed::SetQuotas { workspace, change } => self.set_quotas(workspace, &change).await,
            Managed::ListProjects { workspace } => self.list_projects(workspace).await,
            Managed::CreateProject { workspace, id, name } => {
                self.create_project(workspace, id, name).await
            }
            Managed::RenameProject { workspace, id, name } => {
                self.rename_project(workspace, id, name).await
            }
            Managed::DeleteProject { workspace, id } => self.delete_project(workspace, id).await,
            Managed::ListAudit { workspace, query } => self.list_audit(workspace, query).await,
            Managed::ExportAudit { workspace, after } => self.export_audit(workspace, after).await,
        }
    }

    /// The named workspace, or the only one.
    async fn workspace(&self, asked: Option<WorkspaceId>) -> Result<WorkspaceId> {
        let there = self.store.workspaces().await.context("cannot read the workspaces")?;
        pick(asked, &there)
    }
}

/// The named workspace, or the only one.
pub(in crate::cli) fn pick(asked: Option<WorkspaceId>, there: &[Workspace]) -> Result<WorkspaceId> {
    let numbers: Vec<_> = there.iter().map(|workspace| workspace.id.to_string()).collect();
    match (asked, there) {
        (_, []) => bail!("there is no workspace yet: run `hookyard init` first"),
        (None, [only]) => Ok(only.id),
        (None, _) => bail!(
            "there are several workspaces: pass --workspace with one of {}",
            numbers.join(", ")
        ),
        (Some(id), there) if there.iter().any(|workspace| workspace.id == id) => Ok(id),
        (Some(id), _) => bail!("there is no workspace {id}: use one of {}", numbers.join(", ")),
    }
}
