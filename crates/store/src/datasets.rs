use async_trait::async_trait;
use bytes::Bytes;
use hookyard_core::id::{
    BatchId, DatasetId, FolderId, ProjectId, SourceId, VersionId, WorkspaceId,
};
use hookyard_core::model::{Columns, Dataset, Version, VersionsKept};
use jiff::Timestamp;

use crate::StoreError;

/// What an accepted delivery became.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Received {
    /// Its batch.
    pub batch: BatchId,
    /// The dataset that has it.
    pub dataset: DatasetId,
}

/// A dataset on its way into the store, without a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDataset {
    /// The workspace that owns it.
    pub workspace: WorkspaceId,
    /// The project that it is in.
    pub project: ProjectId,
    /// Its name.
    pub name: String,
    /// The folder that it is in.
    pub folder: Option<FolderId>,
    /// Which earlier versions stay.
    pub keep: VersionsKept,
}

/// A change of a dataset's settings; `None` leaves what is there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DatasetChange {
    /// The revision that is to be changed; `None` for any.
    pub if_revision: Option<u32>,
    /// The new name, also of the dataset's source.
    pub name: Option<String>,
    /// The new folder; `Some(None)` for the top of the project.
    pub folder: Option<Option<FolderId>>,
    /// Which earlier versions stay from now on.
    pub keep: Option<VersionsKept>,
    /// How its columns are shown from now on.
    pub columns: Option<Columns>,
}

/// Which datasets of a workspace to list, numbers ascending.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DatasetQuery {
    /// Only those of this project.
    pub project: Option<ProjectId>,
    /// Only those in this folder itself; `Some(None)` for those at the top of their project.
    pub folder: Option<Option<FolderId>>,
    /// Only those whose name has this text in it, in any case of ASCII letters.
    pub name: Option<String>,
    /// Only those in the trash; otherwise those in it are left out.
    pub trashed: bool,
    /// Only those with a higher number.
    pub after: Option<DatasetId>,
    /// The most datasets to return.
    pub limit: usize,
}

/// Datasets: what fills them and what is said of them. Their rows are [`crate::RowStore`]'s.
#[async_trait]
pub trait DatasetStore: Send + Sync {
    /// Stores one delivery of a source as a batch of one row, by the mode that the source has at
    /// this moment: `combine` adds the row, `replace` begins a version that has it alone. Readers
    /// see the dataset before or after, never in between. [`StoreError::NotFound`] when the source
    /// is gone.
    async fn receive(
        &self,
        source: SourceId,
        cell: Bytes,
        now: Timestamp,
    ) -> Result<Received, StoreError>;

    /// Adds a batch of one row to a dataset, whether or not it has a source. The cell must be JSON
    /// text. [`StoreError::NotFound`] when the workspace has no such dataset.
    async fn append_row(
        &self,
        workspace: WorkspaceId,
        dataset: DatasetId,
        cell: Bytes,
        now: Timestamp,
    ) -> Result<Received, StoreError>;

    /// Makes a dataset without a source. [`StoreError::NotFound`] when there is no such project, or
    /// no such folder in it.
    async fn create_dataset(&self, new: NewDataset, now: Timestamp) -> Result<Dataset, StoreError>;

    /// A project's datasets without those in the trash, numbers ascending.
    async fn datasets(
        &self,
        workspace: WorkspaceId,
        project: ProjectId,
    ) -> Result<Vec<Dataset>, StoreError>;

    /// A page of a workspace's datasets, of all its projects unless the query names one.
    async fn find_datasets(
        &self,
        workspace: WorkspaceId,
        query: DatasetQuery,
    ) -> Result<Vec<Dataset>, StoreError>;

    /// A dataset, in the trash or not; `None` when the project has no such one.
    async fn dataset(
        &self,
        workspace: WorkspaceId,
        project: ProjectId,
        id: DatasetId,
    ) -> Result<Option<Dataset>, StoreError>;

    /// A dataset of whichever project, in the trash or not; `None` when the workspace has no such one.
    async fn find_dataset(
        &self,
        workspace: WorkspaceId,
        id: DatasetId,
    ) -> Result<Option<Dataset>, StoreError>;

    /// Changes a dataset's settings, wholly or not at all. [`StoreError::NotFound`] when there is no
    /// such dataset, or no such folder in its project; [`StoreError::Conflict`] when it is at another
    /// revision. Versions that are no longer kept are gone with it.
    async fn update_dataset(
        &self,
        workspace: WorkspaceId,
        project: ProjectId,
        id: DatasetId,
        change: DatasetChange,
    ) -> Result<Dataset, StoreError>;

    /// Removes a dataset with its rows, its versions and its source. `false` when there is none.
    async fn delete_dataset(
        &self,
        workspace: WorkspaceId,
        project: ProjectId,
        id: DatasetId,
    ) -> Result<bool, StoreError>;
}

/// What a dataset held before it was replaced.
///
/// A replacement hides rows and copies none, and a restoration shows them again: both take the same
/// short time however many rows there are. Versions beyond what [`VersionsKept`] says are dropped by
/// the transaction that would keep one more; their rows are deleted at leisure.
#[async_trait]
pub trait VersionStore: Send + Sync {
    /// A dataset's versions: the one that readers see, then the earlier ones, the last replaced
    /// first. Earlier versions without any batch are not kept. [`StoreError::NotFound`] when there
    /// is no such dataset.
    async fn versions(
        &self,
        workspace: WorkspaceId,
        project: ProjectId,
        dataset: DatasetId,
    ) -> Result<Vec<Version>, StoreError>;

    /// Makes an earlier version the one that readers see, and that deliveries add to; the one that
    /// they saw becomes an earlier version. Does nothing when it is that already.
    /// [`StoreError::NotFound`] when there is no such version any more.
    async fn restore_version(
        &self,
        workspace: WorkspaceId,
        project: ProjectId,
        dataset: DatasetId,
        version: VersionId,
        now: Timestamp,
    ) -> Result<(), StoreError>;

    /// Drops an earlier version. `false` when there is no such one; [`StoreError::Conflict`] when it
    /// is the one that readers see.
    async fn delete_version(
        &self,
        workspace: WorkspaceId,
        project: ProjectId,
        dataset: DatasetId,
        version: VersionId,
    ) -> Result<bool, StoreError>;
}
