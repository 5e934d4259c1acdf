use async_trait::async_trait;
use hookyard_core::id::{BatchId, DatasetId, ProjectId, VersionId, WorkspaceId};
use hookyard_core::model::{Batch, BatchState, Row};
use jiff::Timestamp;

use crate::StoreError;

/// The rows to read, in the order of their batches' numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RowQuery {
    /// Of this version of the dataset; `None` for the visible version at the moment of the read.
    pub version: Option<VersionId>,
    /// Only rows beyond this batch, in the direction of the reading.
    pub after: Option<BatchId>,
    /// Highest numbers first.
    pub newest_first: bool,
    /// Only rows accepted at or after the moment.
    pub from: Option<Timestamp>,
    /// Only rows accepted before the moment.
    pub until: Option<Timestamp>,
}

/// The most that a read returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowLimit {
    /// Rows, at least 1.
    pub rows: usize,
    /// Bytes of the rows' cells; a page always has the first row, however large.
    pub bytes: u64,
}

impl RowLimit {
    /// No limit.
    pub const NONE: Self = Self { rows: usize::MAX, bytes: u64::MAX };
}

/// Some of a version's visible rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowPage {
    /// The version of the rows. A reader who names the version with the next page reads on in the same
    /// version, even if the dataset was replaced meanwhile.
    pub version: VersionId,
    /// The rows.
    pub rows: Vec<Row>,
    /// Where to read on, as [`RowQuery::after`]; `None` when there is no more. A page with a `next`
    /// may have few rows or none: a read looks at a bounded number of rows.
    pub next: Option<BatchId>,
}

/// The batches to list, numbers ascending unless said otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchQuery {
    /// Only batches in the state.
    pub state: Option<BatchState>,
    /// Only batches beyond the number, in the direction of the reading.
    pub after: Option<BatchId>,
    /// Only batches accepted at or after the moment.
    pub from: Option<Timestamp>,
    /// Only batches accepted before the moment.
    pub until: Option<Timestamp>,
    /// Highest numbers first.
    pub newest_first: bool,
    /// The number of batches to leave out.
    pub offset: u64,
    /// The most batches to return.
    pub limit: usize,
}

/// A change of batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchChange {
    /// Hides the rows of the batches.
    Suspend,
    /// Shows the rows of suspended batches again.
    Restore,
    /// Removes batches and rows for good.
    Delete,
}

impl BatchChange {
    /// The word for this change in the audit log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Suspend => "suspend",
            Self::Restore => "restore",
            Self::Delete => "delete",
        }
    }
}

/// The most batches of one change: a few milliseconds of the writing thread.
pub const BATCHES_CHANGED_MAX: usize = 1_000;

/// Rows and batches of datasets.
#[async_trait]
pub trait RowStore: Send + Sync {
    /// Visible rows from the place of a batch on. The cost depends on the rows returned, not on the place.
    ///
    /// The page shows a single moment. A reader who names the first page's version in [`RowQuery::version`]
    /// gets the rows of the version and no others, whatever replaces the dataset meanwhile; rows added to the
    /// version, suspended or deleted meanwhile count from the next page on. [`StoreError::NotFound`] when
    /// there is no such dataset, or when the version is no longer kept, so nobody takes the rest of the
    /// version for empty.
    async fn rows_after(
        &self,
        workspace: WorkspaceId,
        project: ProjectId,
        dataset: DatasetId,
        query: RowQuery,
        limit: RowLimit,
    ) -> Result<RowPage, StoreError>;

    /// The visible rows from `offset` on, oldest first, of the visible version. Reading on by offsets costs
    /// the same at the end as at the start. [`StoreError::NotFound`] when there is no such dataset.
    async fn rows_at(
        &self,
        workspace: WorkspaceId,
        project: ProjectId,
        dataset: DatasetId,
        offset: u64,
        limit: RowLimit,
    ) -> Result<RowPage, StoreError>;

    /// A page of the dataset's batches. [`StoreError::NotFound`] when there is no such dataset.
    async fn batches(
        &self,
        workspace: WorkspaceId,
        project: ProjectId,
        dataset: DatasetId,
        query: BatchQuery,
    ) -> Result<Vec<Batch>, StoreError>;

    /// A batch; `None` when the dataset has no such batch, or only an earlier version has the batch.
    async fn batch(
        &self,
        workspace: WorkspaceId,
        project: ProjectId,
        dataset: DatasetId,
        id: BatchId,
    ) -> Result<Option<Batch>, StoreError>;

    /// Suspends, restores or deletes batches in the given order, all or none. Suspending a suspended batch
    /// changes nothing; restoring an active batch changes nothing. [`StoreError::NotFound`] when the dataset
    /// or a batch is absent; [`StoreError::Conflict`] for more than [`BATCHES_CHANGED_MAX`].
    async fn change_batches(
        &self,
        workspace: WorkspaceId,
        project: ProjectId,
        dataset: DatasetId,
        changes: Vec<(BatchId, BatchChange)>,
        now: Timestamp,
    ) -> Result<(), StoreError>;
}
