use async_trait::async_trait;
use bytes::Bytes;
use hookyard_core::id::{BatchId, DatasetId, ProjectId, SourceId, WorkspaceId};
use hookyard_core::model::{Batch, Dataset, Row};
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

/// Which batches to list, numbers ascending unless said otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchQuery {
    /// Highest numbers first.
    pub newest_first: bool,
    /// Leave out this many.
    pub offset: u64,
    /// The most batches to return.
    pub limit: usize,
}

/// Datasets and their rows.
#[async_trait]
pub trait DatasetStore: Send + Sync {
    /// Stores one delivery of a source as a batch of one row, by the mode that the source has at
    /// this moment: `combine` adds the row, `replace` makes it the only one. Readers see the dataset
    /// before or after, never in between. [`StoreError::NotFound`] when the source is gone.
    async fn receive(
        &self,
        source: SourceId,
        cell: Bytes,
        now: Timestamp,
    ) -> Result<Received, StoreError>;

    /// A project's datasets, numbers ascending.
    async fn datasets(
        &self,
        workspace: WorkspaceId,
        project: ProjectId,
    ) -> Result<Vec<Dataset>, StoreError>;

    /// A dataset; `None` when the project has no such one.
    async fn dataset(
        &self,
        workspace: WorkspaceId,
        project: ProjectId,
        id: DatasetId,
    ) -> Result<Option<Dataset>, StoreError>;

    /// Removes a dataset with its rows and its source. `false` when there is none.
    async fn delete_dataset(
        &self,
        workspace: WorkspaceId,
        project: ProjectId,
        id: DatasetId,
    ) -> Result<bool, StoreError>;

    /// The visible rows from `offset` on, oldest first. [`StoreError::NotFound`] when there is no
    /// such dataset.
    async fn rows(
        &self,
        workspace: WorkspaceId,
        project: ProjectId,
        dataset: DatasetId,
        offset: u64,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError>;

    /// A page of the dataset's batches. [`StoreError::NotFound`] when there is no such dataset.
    async fn batches(
        &self,
        workspace: WorkspaceId,
        project: ProjectId,
        dataset: DatasetId,
        query: BatchQuery,
    ) -> Result<Vec<Batch>, StoreError>;

    /// A batch; `None` when the dataset has no such one.
    async fn batch(
        &self,
        workspace: WorkspaceId,
        project: ProjectId,
        dataset: DatasetId,
        id: BatchId,
    ) -> Result<Option<Batch>, StoreError>;
}
