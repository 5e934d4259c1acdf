use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Source;
use crate::id::{BatchId, DatasetId, FolderId, JobId, ProjectId, VersionId, WorkspaceId};

/// The counters of a dataset or of a single version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DatasetStats {
    /// Visible rows. Exact.
    pub rows: u64,
    /// Bytes of the cells.
    pub bytes: u64,
    /// Batches with a hidden row, until somebody restores the batch.
    pub suspended: u64,
}

impl DatasetStats {
    /// The number of all batches, suspended batches included.
    pub fn batches(&self) -> u64 {
        self.rows + self.suspended
    }

    /// Counts the move of a batch with `bytes` bytes of cell from a state to another, or the batch's removal.
    pub fn turn(&mut self, from: BatchState, to: Option<BatchState>, bytes: u64) {
        match from {
            BatchState::Active => {
                self.rows -= 1;
                self.bytes -= bytes;
            }
            BatchState::Suspended => self.suspended -= 1,
        }
        match to {
            Some(BatchState::Active) => {
                self.rows += 1;
                self.bytes += bytes;
            }
            Some(BatchState::Suspended) => self.suspended += 1,
            None => {}
        }
    }
}

/// A dataset: the rows of a source's deliveries and of appends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dataset {
    /// The dataset's number.
    pub id: DatasetId,
    /// The owning workspace.
    pub workspace: WorkspaceId,
    /// The dataset's project.
    pub project: ProjectId,
    /// The dataset's name.
    pub name: String,
    /// The enclosing folder; `None` at the top of the project.
    pub folder: Option<FolderId>,
    /// The number of the settings' revision: counts from 1 and grows with each change of settings.
    pub revision: u32,
    /// When the dataset was made.
    pub created_at: Timestamp,
    /// When the rows last changed.
    pub updated_at: Timestamp,
    /// The source with the dataset as target; `None` without a source, or after the source's deletion.
    pub source: Option<std::sync::Arc<Source>>,
    /// The version shown to readers.
    pub version: VersionId,
    /// The dataset's counters.
    pub stats: DatasetStats,
    /// The bounds for earlier versions.
    pub keep: VersionsKept,
    /// The display of the columns.
    pub columns: Columns,
    /// Since when it is in the trash; `None` when it is not.
    pub trashed: Option<Trashed>,
}

/// What is kept of a dataset in the trash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trashed {
    /// When it was put there.
    pub at: Timestamp,
    /// The names of the folders that it is to be in again, from the outside. They may be gone.
    pub path: Vec<String>,
}

/// The earlier versions kept at a replacement of a dataset: the newest, up to both bounds. The newest earlier
/// version stays whatever its size, unless `count` is 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VersionsKept {
    /// The most earlier versions.
    pub count: u32,
    /// The most bytes of the kept versions' cells together.
    pub bytes: u64,
}

impl VersionsKept {
    /// The largest `count` in a setting. A dataset's versions are all listed at once.
    pub const COUNT_MAX: u32 = 100;
}

impl Default for VersionsKept {
    /// Ten, because people notice a bad delivery within a few replacements. 256 MiB, because a dataset must
    /// not grow the store unasked: room for ten of a source's largest bodies.
    fn default() -> Self {
        Self { count: 10, bytes: 256 << 20 }
    }
}

/// How the columns of a dataset are shown where rows are a table.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Columns {
    /// The name of the column with the cells; `None` for `JSON`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Columns about the batches, in the order of their addition.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub batch: Vec<BatchColumn>,
}

/// A column with a fact about each row's batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BatchColumn {
    /// The batch's number.
    Id,
    /// The batch's number of rows.
    RowCount,
    /// When the batch was accepted.
    Date,
    /// The kind of the batch's source.
    Source,
    /// The batch's name.
    Name,
}

/// The contents of a dataset from a replacement to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Version {
    /// The version's number.
    pub id: VersionId,
    /// When the first row was accepted, or the dataset was made.
    pub began_at: Timestamp,
    /// When the rows last changed.
    pub updated_at: Timestamp,
    /// When another version took over; `None` for the version shown to readers.
    pub replaced_at: Option<Timestamp>,
    /// The version's counters.
    pub stats: DatasetStats,
}

/// Whether a batch counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchState {
    /// The batch's row is visible.
    Active,
    /// The batch's row is hidden until somebody restores the batch.
    Suspended,
}

/// An accepted delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// The batch's number.
    pub id: BatchId,
    /// When the batch was accepted.
    pub received_at: Timestamp,
    /// Whether the batch's row is visible.
    pub state: BatchState,
    /// Bytes of the cell.
    pub bytes: u64,
}

/// A visible row of a dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The row's batch.
    pub batch: BatchId,
    /// When the batch was accepted.
    pub received_at: Timestamp,
    /// The delivery, as JSON text.
    pub cell: Bytes,
    /// Whether the stored bytes differ from the written bytes. The number is known even then, and the cell
    /// says "damaged".
    pub damaged: bool,
}

/// A part of a project: a group of datasets and other folders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder {
    /// The folder's number.
    pub id: FolderId,
    /// The owning workspace.
    pub workspace: WorkspaceId,
    /// The folder's project.
    pub project: ProjectId,
    /// The folder's name.
    pub name: String,
    /// The enclosing folder; `None` at the top of the project.
    pub parent: Option<FolderId>,
    /// When the folder was made.
    pub created_at: Timestamp,
    /// When the name or place last changed.
    pub updated_at: Timestamp,
}

/// The record of a finished operation, for clients with a question about the result. The record is written
/// after all the work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// The job's number.
    pub id: JobId,
    /// When the operation ended.
    pub created_at: Timestamp,
    /// The operation, a short name.
    pub operation: String,
    /// The path of the request.
    pub path: String,
    /// The result, a JSON object.
    pub response: String,
    /// The project of the operation; `None` for records older than the field.
    pub project: Option<ProjectId>,
}
