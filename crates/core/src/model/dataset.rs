use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Source;
use crate::id::{BatchId, DatasetId, FolderId, JobId, ProjectId, VersionId, WorkspaceId};

/// The counters of a dataset, or of one of its versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DatasetStats {
    /// Visible rows. Exact.
    pub rows: u64,
    /// Bytes of their cells.
    pub bytes: u64,
    /// Batches whose row is hidden until they are restored.
    pub suspended: u64,
}

impl DatasetStats {
    /// All batches, suspended ones too.
    pub fn batches(&self) -> u64 {
        self.rows + self.suspended
    }

    /// Counts that a batch, whose cell has so many bytes, goes from one state to another, or is
    /// removed.
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

/// What a source, or whoever appends to it, fills.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dataset {
    /// Its number.
    pub id: DatasetId,
    /// The workspace that owns it.
    pub workspace: WorkspaceId,
    /// The project that it is in.
    pub project: ProjectId,
    /// Its name.
    pub name: String,
    /// The folder that it is in; `None` at the top of the project.
    pub folder: Option<FolderId>,
    /// Counts the changes of its settings, from 1.
    pub revision: u32,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its rows last changed.
    pub updated_at: Timestamp,
    /// The source that fills it; `None` when there is none, or it was deleted.
    pub source: Option<std::sync::Arc<Source>>,
    /// The version that readers see.
    pub version: VersionId,
    /// Its counters.
    pub stats: DatasetStats,
    /// Which earlier versions stay.
    pub keep: VersionsKept,
    /// How its columns are shown.
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

/// Which earlier versions of a dataset stay when it is replaced: the newest ones, up to both bounds,
/// but the newest one of all whatever its size, unless `count` is 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VersionsKept {
    /// The most earlier versions.
    pub count: u32,
    /// The most bytes of their cells together.
    pub bytes: u64,
}

impl VersionsKept {
    /// The most versions that can be asked for. All of a dataset are listed at once.
    pub const COUNT_MAX: u32 = 100;
}

impl Default for VersionsKept {
    /// A bad delivery is noticed within a few of them, so ten; and 256 MiB, which is ten of the
    /// largest that a source can take, so that no dataset grows the store without anyone asking.
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
    /// Columns about the batches, in the order in which they were added.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub batch: Vec<BatchColumn>,
}

/// A column that says something of each row's batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BatchColumn {
    /// Its number.
    Id,
    /// How many rows it has.
    RowCount,
    /// When it was accepted.
    Date,
    /// What kind of source it came from.
    Source,
    /// Its name.
    Name,
}

/// What a dataset held from one replacement to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Version {
    /// Its number.
    pub id: VersionId,
    /// When its first row was accepted, or the dataset was made.
    pub began_at: Timestamp,
    /// When its rows last changed.
    pub updated_at: Timestamp,
    /// When another took its place; `None` for the one that readers see.
    pub replaced_at: Option<Timestamp>,
    /// Its counters.
    pub stats: DatasetStats,
}

/// Whether a batch counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchState {
    /// Its row is visible.
    Active,
    /// Its row is hidden until it is restored.
    Suspended,
}

/// One accepted delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Its number.
    pub id: BatchId,
    /// When it was accepted.
    pub received_at: Timestamp,
    /// Whether it counts.
    pub state: BatchState,
    /// Bytes of its cell.
    pub bytes: u64,
}

/// One visible row of a dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The batch that it came with.
    pub batch: BatchId,
    /// When it was accepted.
    pub received_at: Timestamp,
    /// The delivery, as JSON text.
    pub cell: Bytes,
    /// Whether the store has other bytes than were written. The number is known then, and the cell
    /// says that the row is damaged.
    pub damaged: bool,
}

/// A part of a project that groups datasets and other folders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder {
    /// Its number.
    pub id: FolderId,
    /// The workspace that owns it.
    pub workspace: WorkspaceId,
    /// The project that it is in.
    pub project: ProjectId,
    /// Its name.
    pub name: String,
    /// The folder that it is in; `None` at the top of the project.
    pub parent: Option<FolderId>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its name or place last changed.
    pub updated_at: Timestamp,
}

/// The record of an operation that a client may ask after. Everything is done when it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Its number.
    pub id: JobId,
    /// When it was done.
    pub created_at: Timestamp,
    /// What was done, a short name.
    pub operation: String,
    /// The path of the request.
    pub path: String,
    /// What came of it, a JSON object.
    pub response: String,
    /// The project that it was done in; `None` for one that is older than this note.
    pub project: Option<ProjectId>,
}
