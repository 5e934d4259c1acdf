use async_trait::async_trait;
use bytes::Bytes;
use hookyard_core::id::{
    BatchId, DatasetId, FolderId, ProjectId, SourceId, VersionId, WorkspaceId,
};
use hookyard_core::model::{Columns, Dataset, Version, VersionsKept};
use jiff::Timestamp;

use crate::StoreError;

/// The place of an accepted delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Received {
    /// The delivery's batch.
    pub batch: BatchId,
    /// The dataset of the batch.
    pub dataset: DatasetId,
}

/// A new dataset without a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDataset {
    /// The owning workspace.
    pub workspace: WorkspaceId,
    /// The project of the dataset.
    pub project: ProjectId,
    /// The dataset's name.
    pub name: String,
    /// The folder of the dataset.
    pub folder: Option<FolderId>,
    /// The earlier versions to keep.
    pub keep: VersionsKept,
}

/// A change of a dataset's settings; `None` leaves the present value.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DatasetChange {
    /// The revision to change; `None` for any.
    pub if_revision: Option<u32>,
    /// The new name, also of the dataset's source.
    pub name: Option<String>,
    /// The new folder; `Some(None)` for the top of the project.
    pub folder: Option<Option<FolderId>>,
    /// The earlier versions to keep from now on.
    pub keep: Option<VersionsKept>,
    /// The display of the dataset's columns from now on.
    pub columns: Option<Columns>,
}

/// The datasets of a workspace to list, numbers ascending.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DatasetQuery {
    /// Only datasets of the project.
    pub project: Option<ProjectId>,
    /// Only datasets directly in the folder; `Some(None)` for datasets at the top of their project.
    pub folder: Option<Option<FolderId>>,
    /// Only datasets with the text in the name, in any case of ASCII letters.
    pub name: Option<String>,
    /// Only datasets in the trash; otherwise only datasets outside of the trash.
    pub trashed: bool,
    /// Only datasets with a higher number.
    pub after: Option<DatasetId>,
    /// The most datasets to return.
    pub limit: usize,
}

/// Datasets, their settings and the writes that fill them. [`crate::RowStore`] has the rows.
#[async_trait]
pub trait DatasetStore: Send + Sync {
    /// Stores one delivery of a source as a batch of one row, by the source's present mode: `combine` adds
    /// the row, `replace` begins a version with the row alone. Readers see the dataset before or after, never
    /// in between. [`StoreError::NotFound`] when the source is gone.
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

    /// Makes a dataset without a source. [`StoreError::NotFound`] when there is no such project, or no such
    /// folder in the project.
    async fn create_dataset(&self, new: NewDataset, now: Timestamp) -> Result<Dataset, StoreError>;

    /// A project's datasets outside of the trash, numbers ascending.
    async fn datasets(
        &self,
        workspace: WorkspaceId,
        project: ProjectId,
    ) -> Result<Vec<Dataset>, StoreError>;

    /// A page of a workspace's datasets, of all projects unless the query names a project.
    async fn find_datasets(
        &self,
        workspace: WorkspaceId,
        query: DatasetQuery,
    ) -> Result<Vec<Dataset>, StoreError>;

    /// A dataset, in the trash or not; `None` when the project has no such dataset.
    async fn dataset(
        &self,
        workspace: WorkspaceId,
        project: ProjectId,
        id: DatasetId,
    ) -> Result<Option<Dataset>, StoreError>;

    /// A dataset of any project, in the trash or not; `None` when the workspace has no such dataset.
    async fn find_dataset(
        &self,
        workspace: WorkspaceId,
        id: DatasetId,
    ) -> Result<Option<Dataset>, StoreError>;

    /// Changes a dataset's settings, wholly or not at all. [`StoreError::NotFound`] when there is no such
    /// dataset, or no such folder in the project; [`StoreError::Conflict`] when the dataset is at another
    /// revision. Versions beyond the new bound go with the change.
    async fn update_dataset(
        &self,
        workspace: WorkspaceId,
        project: ProjectId,
        id: DatasetId,
        change: DatasetChange,
    ) -> Result<Dataset, StoreError>;

    /// Removes a dataset with all rows and versions and the source. `false` when the dataset is absent.
    async fn delete_dataset(
        &self,
        workspace: WorkspaceId,
        project: ProjectId,
        id: DatasetId,
    ) -> Result<bool, StoreError>;
}

/// The contents of a dataset before its replacements.
///
/// A replacement hides rows and copies none. A restoration shows the rows again. Both take the same short
/// time, however many rows there are. The transaction that exceeds [`VersionsKept`] drops the surplus
/// versions; the rows are deleted at leisure.
#[async_trait]
pub trait VersionStore: Send + Sync {
    /// A dataset's versions: the visible version, then the earlier versions, the last replaced first. Earlier
    /// versions without any batch are not kept. [`StoreError::NotFound`] when there is no such dataset.
    async fn versions(
        &self,
        workspace: WorkspaceId,
        project: ProjectId,
        dataset: DatasetId,
    ) -> Result<Vec<Version>, StoreError>;

    /// Makes an earlier version the visible version, to which deliveries add. The version visible before
    /// becomes an earlier version. Restoring the visible version does nothing. [`StoreError::NotFound`] when
    /// the version is gone.
    async fn restore_version(
        &self,
        workspace: WorkspaceId,
        project: ProjectId,
        dataset: DatasetId,
        version: VersionId,
        now: Timestamp,
    ) -> Result<(), StoreError>;

    /// Drops an earlier version. `false` when the version is absent; [`StoreError::Conflict`] for the visible
    /// version.
    async fn delete_version(
        &self,
        workspace: WorkspaceId,
        project: ProjectId,
        dataset: DatasetId,
        version: VersionId,
    ) -> Result<bool, StoreError>;
}
