use async_trait::async_trait;
use hookyard_core::id::{ProjectId, WorkspaceId};
use hookyard_core::model::{Project, QuotaSettings, Workspace, WorkspaceUsage};

use crate::{NewWorkspace, StoreError};

/// The most projects of a workspace. People make them one by one to tell sources and datasets apart.
pub const PROJECTS_MAX: usize = 1_000;

/// Why a project with a credential of its own cannot be deleted.
pub(crate) const PROJECT_IS_OPENED: &str =
    "there are credentials for this project alone: revoke them first";

/// The number of a new project beside the projects `there`, ordered by number: the next number or, after the
/// highest possible number, the lowest free one.
pub(crate) fn free_number(there: &[Project]) -> Option<ProjectId> {
    let highest = there.last().map_or(0, |project| project.id.0);
    let taken = |number: &i32| there.iter().any(|project| project.id.0 == *number);
    highest.checked_add(1).or_else(|| (1..highest).find(|number| !taken(number))).map(ProjectId)
}

/// The counts of [`TenantStore::usage`] for the workspace `$1`; SQLite reads the same text.
pub(crate) const USAGE: &str = "SELECT (SELECT count(*) FROM endpoints WHERE workspace_id = $1), \
     (SELECT count(*) FROM event_types WHERE workspace_id = $1), \
     (SELECT count(*) FROM sources WHERE workspace_id = $1), \
     (SELECT count(*) FROM datasets WHERE workspace_id = $1), \
     CAST((SELECT coalesce(sum(bytes), 0) FROM datasets WHERE workspace_id = $1) AS bigint) \
     + CAST((SELECT coalesce(sum(v.bytes), 0) FROM dataset_versions v JOIN datasets d \
     ON d.id = v.dataset_id WHERE d.workspace_id = $1) AS bigint), \
     CAST((SELECT coalesce(sum(bytes), 0) FROM journal_shares WHERE workspace_id = $1) AS bigint)";

/// Workspaces and their projects. A process beside the serving one may call all methods; the serving process
/// sees the changes at once.
#[async_trait]
pub trait TenantStore: Send + Sync {
    /// Makes a workspace with its first contents. [`StoreError::Conflict`] when its number or merchant code
    /// is taken.
    async fn create_workspace(&self, new: NewWorkspace) -> Result<(), StoreError>;

    /// All workspaces, numbers ascending.
    async fn workspaces(&self) -> Result<Vec<Workspace>, StoreError>;

    /// A workspace; `None` when absent.
    async fn workspace(&self, id: WorkspaceId) -> Result<Option<Workspace>, StoreError>;

    /// Renames a workspace and returns the changed workspace. [`StoreError::NotFound`] when there is none.
    async fn rename_workspace(
        &self,
        id: WorkspaceId,
        name: String,
    ) -> Result<Workspace, StoreError>;

    /// A workspace's quotas. [`StoreError::NotFound`] when there is no such workspace.
    async fn quotas(&self, workspace: WorkspaceId) -> Result<QuotaSettings, StoreError>;

    /// Sets a workspace's quotas; existing contents stay. [`StoreError::NotFound`] when there is no such
    /// workspace.
    async fn set_quotas(
        &self,
        workspace: WorkspaceId,
        quotas: QuotaSettings,
    ) -> Result<(), StoreError>;

    /// A workspace's usage, counted at the call. The bytes of events alone are counted as events come and go,
    /// and a process beside the serving one may see the bytes a checkpoint late.
    async fn usage(&self, workspace: WorkspaceId) -> Result<WorkspaceUsage, StoreError>;

    /// A workspace's projects, numbers ascending.
    async fn projects(&self, workspace: WorkspaceId) -> Result<Vec<Project>, StoreError>;

    /// Adds a project, with a free number when the call names no number. [`StoreError::NotFound`] when there
    /// is no such workspace, [`StoreError::Conflict`] when the number is taken or the workspace has
    /// [`PROJECTS_MAX`].
    async fn create_project(
        &self,
        workspace: WorkspaceId,
        id: Option<ProjectId>,
        name: String,
    ) -> Result<Project, StoreError>;

    /// Renames a project and returns the changed project. [`StoreError::NotFound`] when there is none.
    async fn rename_project(
        &self,
        workspace: WorkspaceId,
        id: ProjectId,
        name: String,
    ) -> Result<Project, StoreError>;

    /// Removes an empty project. [`StoreError::Conflict`] when the project has contents, is the workspace's
    /// only project, or is the only project of a credential that is not revoked: a later project with the
    /// same number would be open to the credential. [`StoreError::NotFound`] when there is no such project.
    /// While a server runs, the server must remove projects.
    async fn delete_project(&self, workspace: WorkspaceId, id: ProjectId)
    -> Result<(), StoreError>;
}
