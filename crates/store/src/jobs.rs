use async_trait::async_trait;
use hookyard_core::id::{JobId, ProjectId, WorkspaceId};
use hookyard_core::model::Job;
use jiff::Timestamp;

use crate::StoreError;

/// The jobs kept for a workspace, the newest first. A client asks within moments, if at all.
pub const JOBS_KEPT: usize = 1_000;

/// A job on its way into the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewJob {
    /// The short name of the operation.
    pub operation: String,
    /// The path of the request.
    pub path: String,
    /// The result, a JSON object.
    pub response: String,
    /// The project of the operation.
    pub project: ProjectId,
}

/// Records of operations, for clients that ask afterwards.
#[async_trait]
pub trait JobStore: Send + Sync {
    /// Records a job. Beyond [`JOBS_KEPT`] the workspace's oldest job goes.
    async fn add_job(
        &self,
        workspace: WorkspaceId,
        new: NewJob,
        now: Timestamp,
    ) -> Result<Job, StoreError>;

    /// A job; `None` when the workspace never had the job or has dropped the job.
    async fn job(&self, workspace: WorkspaceId, id: JobId) -> Result<Option<Job>, StoreError>;
}
