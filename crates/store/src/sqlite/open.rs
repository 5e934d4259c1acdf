//! What the open transaction gathers, and writes once just before its commit.

use hookyard_core::id::VersionId;
use hookyard_core::model::{DatasetStats, VersionsKept};
use jiff::Timestamp;

use super::pack::Stored as Cell;

/// The state of a dataset in an open transaction.
#[derive(Debug)]
pub(super) struct Open {
    /// The version to become visible.
    pub(super) seen: Stored,
    /// Whether the version began in this transaction, so that none of its rows is written yet.
    pub(super) begun: bool,
    /// The last change of the rows, for people.
    pub(super) updated_ms: i64,
    pub(super) keep: VersionsKept,
    /// Versions replaced in this transaction, oldest first.
    pub(super) replaced: Vec<Replaced>,
    /// Whether versions may exceed the bound.
    pub(super) trim: bool,
    /// Whether the transaction added a row. The row has the highest number of all, and stays.
    pub(super) added: bool,
}

impl Open {
    /// The number of the version to become visible.
    pub(super) fn version(&self) -> VersionId {
        self.seen.id
    }

    /// The version's counters, for a change of the version's batches at `now`.
    pub(super) fn edit(&mut self, now: Timestamp) -> &mut DatasetStats {
        self.seen.edits += 1;
        self.updated_ms = now.as_millisecond();
        &mut self.seen.stats
    }

    /// Bounds the versions from now on.
    pub(super) fn keep(&mut self, keep: VersionsKept) {
        self.keep = keep;
        self.trim = true;
    }

    /// Shows another version from `at` on; `begun` marks a new version.
    pub(super) fn replace(&mut self, other: Stored, begun: bool, at: i64) {
        let version = std::mem::replace(&mut self.seen, other);
        let begun = std::mem::replace(&mut self.begun, begun);
        let updated_ms = std::mem::replace(&mut self.updated_ms, at);
        self.replaced.push(Replaced { version, begun, updated_ms, replaced_ms: at });
        self.trim = true;
    }
}

#[derive(Debug)]
pub(super) struct Replaced {
    pub(super) version: Stored,
    pub(super) begun: bool,
    pub(super) updated_ms: i64,
    pub(super) replaced_ms: i64,
}

/// A row added by the open transaction.
#[derive(Debug)]
pub(super) struct NewRow {
    pub(super) id: u64,
    pub(super) version: VersionId,
    pub(super) received_ms: i64,
    pub(super) cell: Cell,
}

/// A version in the stored form.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stored {
    pub(super) id: VersionId,
    pub(super) began_ms: i64,
    pub(super) stats: DatasetStats,
    /// Changes that move the places of rows.
    pub(super) edits: u64,
}

/// Deliveries of a source in the open transaction.
#[derive(Debug, Default)]
pub(super) struct Chunk {
    pub(super) heads: Vec<u8>,
    pub(super) count: u64,
    pub(super) newest_ms: i64,
    pub(super) bodies: Vec<u8>,
    pub(super) large: Option<Cell>,
}
