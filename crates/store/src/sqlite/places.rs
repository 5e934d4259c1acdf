//! Where rows with high offsets are.
//!
//! Rows are found by their numbers, and an offset counts those that are visible, so a page at an offset
//! has to count up to it. The counting goes through an index in steps; the row at the end of each is
//! remembered, so that the next page starts from the last step.

use std::collections::{BTreeMap, HashMap};
use std::sync::Mutex;

use hookyard_core::id::VersionId;
use rusqlite::{Connection, OptionalExtension, params};

use super::failed;
use super::memory::lock;
use super::rows::{signed, unsigned};
use crate::StoreError;

/// Rows of a step: counting them takes a fraction of a millisecond.
const STEP: u64 = 4_096;

/// Steps that are remembered, of all versions together: a megabyte or two, for some 200 million rows.
const STEPS_MAX: usize = 50_000;

/// Counts visible rows in the index alone: which rows are suspended is in an index of its own.
pub(super) const SKIP: &str = "SELECT id FROM rows INDEXED BY rows_by_dataset \
    WHERE version_id = ?1 AND id > ?2 AND NOT EXISTS (SELECT 1 FROM rows AS hidden \
    INDEXED BY rows_suspended WHERE hidden.version_id = ?1 AND hidden.id = rows.id \
    AND hidden.suspended = 1) ORDER BY id LIMIT 1 OFFSET ?3";

/// What is remembered.
#[derive(Debug, Default)]
pub(super) struct Places(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    versions: HashMap<VersionId, Steps>,
    count: usize,
}

/// The steps of a version: the number of the row after which an offset begins.
#[derive(Debug, Default)]
struct Steps {
    /// The version's edits when they were counted; other edits, other places.
    edits: u64,
    after: BTreeMap<u64, u64>,
}

impl Places {
    /// The number after which the rows from `offset` on begin; `None` when there are not so many.
    pub(super) fn find(
        &self,
        conn: &Connection,
        version: VersionId,
        edits: u64,
        offset: u64,
    ) -> Result<Option<u64>, StoreError> {
        let (mut at, mut after) = self.nearest(version, edits, offset);
        let mut skip = conn.prepare_cached(SKIP).map_err(failed)?;
        while at < offset {
            let step = STEP.min(offset - at);
            let row = params![signed(version.0), signed(after), signed(step - 1)];
            let found = skip.query_row(row, |row| unsigned(row, 0)).optional().map_err(failed)?;
            let Some(found) = found else { return Ok(None) };
            (at, after) = (at + step, found);
            if step == STEP {
                self.remember(version, edits, at, after);
            }
        }
        Ok(Some(after))
    }

    fn nearest(&self, version: VersionId, edits: u64, offset: u64) -> (u64, u64) {
        let known = lock(&self.0);
        let steps = known.versions.get(&version).filter(|steps| steps.edits == edits);
        let nearest = steps.and_then(|steps| steps.after.range(..=offset).next_back());
        nearest.map_or((0, 0), |(at, after)| (*at, *after))
    }

    fn remember(&self, version: VersionId, edits: u64, at: u64, after: u64) {
        let mut known = lock(&self.0);
        if known.count >= STEPS_MAX {
            *known = Known::default();
        }
        let steps = known.versions.entry(version).or_default();
        if steps.edits > edits {
            // Somebody has read a later state already.
            return;
        }
        let mut added = 0_isize;
        if steps.edits < edits {
            added -= steps.after.len().cast_signed();
            *steps = Steps { edits, ..Steps::default() };
        }
        added += isize::from(steps.after.insert(at, after).is_none());
        known.count = known.count.saturating_add_signed(added);
    }
}
