use async_trait::async_trait;
use hookyard_core::id::{JobId, ProjectId, WorkspaceId};
use hookyard_core::model::Job;
use jiff::Timestamp;

use crate::StoreError;

/// The newest jobs of a workspace that are kept. A client asks within moments, if at all.
pub const JOBS_KEPT: usize = 1_000;

/// A job on its way into the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewJob {
    /// What was done, a short name.
    pub operation: String,
    /// The path of the request.
    pub path: String,
    /// What came of it, a JSON object.
    pub response: String,
    /// The project that it was done in.
    pub project: ProjectId,
}

/// Records of what was done, for clients that ask after it.
#[async_trait]
pub trait JobStore: Send + Sync {
    /// Records a job. Beyond [`JOBS_KEPT`] the workspace's oldest one goes.
    async fn add_job(
        &self,
        workspace: WorkspaceId,
        new: NewJob,
        now: Timestamp,
    ) -> Result<Job, StoreError>;

    /// A job; `None` when the workspace has no such one, or no longer.
    async fn job(&self, workspace: WorkspaceId, id: JobId) -> Result<Option<Job>, StoreError>;
}
