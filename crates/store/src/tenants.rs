use async_trait::async_trait;
use hookyard_core::id::{ProjectId, WorkspaceId};
use hookyard_core::model::{Project, QuotaSettings, Workspace, WorkspaceUsage};

use crate::{NewWorkspace, StoreError};

/// The most projects of a workspace. People make them one by one to tell sources and datasets apart.
pub const PROJECTS_MAX: usize = 1_000;

/// Why a project stays that a credential is limited to.
pub(crate) const PROJECT_IS_OPENED: &str =
    "there are credentials for this project alone: revoke them first";

/// The number of a new project beside these, which are by number: the next one or, where that is used
/// up, the lowest that is free.
pub(crate) fn free_number(there: &[Project]) -> Option<ProjectId> {
    let highest = there.last().map_or(0, |project| project.id.0);
    let taken = |number: &i32| there.iter().any(|project| project.id.0 == *number);
    highest.checked_add(1).or_else(|| (1..highest).find(|number| !taken(number))).map(ProjectId)
}

/// What [`TenantStore::usage`] counts, of the workspace `$1`; also as SQLite reads it.
pub(crate) const USAGE: &str = "SELECT (SELECT count(*) FROM endpoints WHERE workspace_id = $1), \
     (SELECT count(*) FROM event_types WHERE workspace_id = $1), \
     (SELECT count(*) FROM sources WHERE workspace_id = $1), \
     (SELECT count(*) FROM datasets WHERE workspace_id = $1), \
     CAST((SELECT coalesce(sum(bytes), 0) FROM datasets WHERE workspace_id = $1) AS bigint) \
     + CAST((SELECT coalesce(sum(v.bytes), 0) FROM dataset_versions v JOIN datasets d \
     ON d.id = v.dataset_id WHERE d.workspace_id = $1) AS bigint), \
     CAST((SELECT coalesce(sum(bytes), 0) FROM journal_shares WHERE workspace_id = $1) AS bigint)";

/// Workspaces and their projects. All of it may be called by another process than the one that
/// serves, which sees what was made at once.
#[async_trait]
pub trait TenantStore: Send + Sync {
    /// Makes a workspace with all that it starts with. [`StoreError::Conflict`] when its number or
    /// merchant code is taken.
    async fn create_workspace(&self, new: NewWorkspace) -> Result<(), StoreError>;

    /// All workspaces, numbers ascending.
    async fn workspaces(&self) -> Result<Vec<Workspace>, StoreError>;

    /// A workspace; `None` when there is none.
    async fn workspace(&self, id: WorkspaceId) -> Result<Option<Workspace>, StoreError>;

    /// Gives a workspace another name; what it is then. [`StoreError::NotFound`] when there is none.
    async fn rename_workspace(
        &self,
        id: WorkspaceId,
        name: String,
    ) -> Result<Workspace, StoreError>;

    /// How much a workspace may have and take. [`StoreError::NotFound`] when there is none.
    async fn quotas(&self, workspace: WorkspaceId) -> Result<QuotaSettings, StoreError>;

    /// Sets how much a workspace may have and take; what it has already stays.
    /// [`StoreError::NotFound`] when there is none.
    async fn set_quotas(
        &self,
        workspace: WorkspaceId,
        quotas: QuotaSettings,
    ) -> Result<(), StoreError>;

    /// How much a workspace has. It is counted when it is asked for, but for the bytes of its events: those
    /// are counted as they come and go, and a process beside the serving one may see them a checkpoint late.
    async fn usage(&self, workspace: WorkspaceId) -> Result<WorkspaceUsage, StoreError>;

    /// A workspace's projects, numbers ascending.
    async fn projects(&self, workspace: WorkspaceId) -> Result<Vec<Project>, StoreError>;

    /// Adds a project, with a free number when none is asked for. [`StoreError::NotFound`] when there
    /// is no such workspace, [`StoreError::Conflict`] when the number is taken or the workspace has
    /// [`PROJECTS_MAX`].
    async fn create_project(
        &self,
        workspace: WorkspaceId,
        id: Option<ProjectId>,
        name: String,
    ) -> Result<Project, StoreError>;

    /// Gives a project another name; what it is then. [`StoreError::NotFound`] when there is none.
    async fn rename_project(
        &self,
        workspace: WorkspaceId,
        id: ProjectId,
        name: String,
    ) -> Result<Project, StoreError>;

    /// Removes a project that is empty, not the only one, and the only one of no credential but revoked
    /// ones, else [`StoreError::Conflict`]: whoever makes another with its number would open it to them.
    /// [`StoreError::NotFound`] when there is none. Where a server is running, it must be the one that
    /// does this.
    async fn delete_project(&self, workspace: WorkspaceId, id: ProjectId)
    -> Result<(), StoreError>;
}
