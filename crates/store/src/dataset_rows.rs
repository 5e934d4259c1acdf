use async_trait::async_trait;
use hookyard_core::id::{BatchId, DatasetId, ProjectId, VersionId, WorkspaceId};
use hookyard_core::model::{Batch, BatchState, Row};
use jiff::Timestamp;

use crate::StoreError;

/// Which rows to read, in the order of their batches' numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RowQuery {
    /// Of this version of the dataset; `None` for the one that is seen at the moment of the read.
    pub version: Option<VersionId>,
    /// Only rows beyond this batch, in the direction of the reading.
    pub after: Option<BatchId>,
    /// Highest numbers first.
    pub newest_first: bool,
    /// Only rows that were accepted at or after this moment.
    pub from: Option<Timestamp>,
    /// Only rows that were accepted before this moment.
    pub until: Option<Timestamp>,
}

/// How much one read returns at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowLimit {
    /// Rows, at least 1.
    pub rows: usize,
    /// Bytes of their cells; a page always has its first row, however large.
    pub bytes: u64,
}

impl RowLimit {
    /// No limit.
    pub const NONE: Self = Self { rows: usize::MAX, bytes: u64::MAX };
}

/// Some of a version's visible rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowPage {
    /// The version that they are of. A reader who asks for it again with the next page reads on in
    /// it, even if the dataset was replaced meanwhile.
    pub version: VersionId,
    /// The rows.
    pub rows: Vec<Row>,
    /// Where to read on, as [`RowQuery::after`]; `None` when there is no more. A page with a `next`
    /// may have few rows or none: a read looks at a bounded number of rows.
    pub next: Option<BatchId>,
}

/// Which batches to list, numbers ascending unless said otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchQuery {
    /// Only those in this state.
    pub state: Option<BatchState>,
    /// Only those beyond this one, in the direction of the reading.
    pub after: Option<BatchId>,
    /// Only those that were accepted at or after this moment.
    pub from: Option<Timestamp>,
    /// Only those that were accepted before this moment.
    pub until: Option<Timestamp>,
    /// Highest numbers first.
    pub newest_first: bool,
    /// Leave out this many.
    pub offset: u64,
    /// The most batches to return.
    pub limit: usize,
}

/// What is done to batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchChange {
    /// Hides their rows.
    Suspend,
    /// Shows the rows of suspended ones again.
    Restore,
    /// Removes them with their rows, for good.
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

/// The most batches that one change can be about: a few milliseconds of the writing thread.
pub const BATCHES_CHANGED_MAX: usize = 1_000;

/// Rows and batches of datasets.
#[async_trait]
pub trait RowStore: Send + Sync {
    /// Visible rows from a place on that is given by a batch. What it costs depends on what it
    /// returns, not on where that is.
    ///
    /// The page is of one moment. Readers of several pages who name the version of the first one in
    /// [`RowQuery::version`] get that version's rows and no others, whatever replaces the dataset
    /// meanwhile; rows that are added to it, suspended or deleted meanwhile count from the next page
    /// on. [`StoreError::NotFound`] when there is no such dataset, or when the version is no longer
    /// kept, so that nobody takes the rest of it for empty.
    async fn rows_after(
        &self,
        workspace: WorkspaceId,
        project: ProjectId,
        dataset: DatasetId,
        query: RowQuery,
        limit: RowLimit,
    ) -> Result<RowPage, StoreError>;

    /// The visible rows from `offset` on, oldest first, of the version that is seen now. Reading on
    /// by offsets costs the same at the end as at the start.
    /// [`StoreError::NotFound`] when there is no such dataset.
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

    /// A batch; `None` when the dataset has no such one, or only an earlier version has it.
    async fn batch(
        &self,
        workspace: WorkspaceId,
        project: ProjectId,
        dataset: DatasetId,
        id: BatchId,
    ) -> Result<Option<Batch>, StoreError>;

    /// Suspends, restores or deletes batches in the given order, all or none. Suspending one that is suspended changes
    /// nothing, and so does restoring an active one. [`StoreError::NotFound`] when the dataset or
    /// one of the batches is not there; [`StoreError::Conflict`] for more than
    /// [`BATCHES_CHANGED_MAX`].
    async fn change_batches(
        &self,
        workspace: WorkspaceId,
        project: ProjectId,
        dataset: DatasetId,
        changes: Vec<(BatchId, BatchChange)>,
        now: Timestamp,
    ) -> Result<(), StoreError>;
}
