//! Jobs of the Mammoth API: the record of a change that its clients ask for afterwards.

use hookyard_core::id::WorkspaceId;
use hookyard_core::model::Job;
use hookyard_store::{NewJob, StoreError};

use crate::Engine;

impl Engine {
    /// Records a finished job.
    pub async fn add_job(&self, workspace: WorkspaceId, new: NewJob) -> Result<Job, StoreError> {
        self.store().add_job(workspace, new, self.clock().now()).await
    }
}
