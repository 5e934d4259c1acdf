use async_trait::async_trait;
use hookyard_core::id::{DatasetId, FolderId, ProjectId, WorkspaceId};
use hookyard_core::model::Dataset;
use jiff::Timestamp;

use crate::StoreError;

/// The trash of each project: datasets outside of all lists, until somebody restores a dataset or its
/// time is over.
///
/// The trash changes nothing else about a dataset: the number finds the dataset, the source goes on
/// filling the dataset, and rows are kept and counted.
#[async_trait]
pub trait TrashStore: Send + Sync {
    /// Puts datasets in the trash, all in one transaction. Returns the project's datasets of the list.
    /// A dataset in the trash already stays unchanged.
    async fn trash_datasets(
        &self,
        workspace: WorkspaceId,
        project: ProjectId,
        ids: Vec<DatasetId>,
        now: Timestamp,
    ) -> Result<Vec<Dataset>, StoreError>;

    /// Takes datasets out of the trash, all in one transaction. Returns the project's datasets of the
    /// list. Each dataset returns to its folder. Where the folder is gone, the store looks up folders
    /// with the names of the path, and makes the missing ones; in a project without room for more
    /// folders the dataset returns to the top. A dataset outside of the trash stays unchanged.
    async fn restore_datasets(
        &self,
        workspace: WorkspaceId,
        project: ProjectId,
        ids: Vec<DatasetId>,
        now: Timestamp,
    ) -> Result<Vec<Dataset>, StoreError>;

    /// Puts the datasets of a folder and of all folders inside in the trash, and removes the folders.
    /// Returns the datasets, numbers ascending; `None` without such a folder.
    async fn trash_folder(
        &self,
        workspace: WorkspaceId,
        project: ProjectId,
        id: FolderId,
        now: Timestamp,
    ) -> Result<Option<Vec<Dataset>>, StoreError>;

    /// Removes for good, of all workspaces, at most `limit` datasets in the trash since this moment or
    /// longer, oldest first. Returns the number of removed datasets.
    async fn purge_trash(&self, until: Timestamp, limit: usize) -> Result<usize, StoreError>;
}
