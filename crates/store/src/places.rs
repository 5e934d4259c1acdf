//! Where rows with high offsets are.
//!
//! Rows are found by their numbers, and an offset counts visible rows, so a page must count up to its offset.
//! A backend counts through an index in steps. This cache remembers the last row of each step, so the next
//! page starts from the last step.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};

use hookyard_core::id::VersionId;

/// Rows of a step: counting them takes a fraction of a millisecond.
pub(crate) const STEP: u64 = 4_096;

/// Remembered steps of all versions together: a megabyte or two, for some 200 million rows.
const STEPS_MAX: usize = 50_000;

/// The remembered steps.
#[derive(Debug, Default)]
pub(crate) struct Places(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    versions: HashMap<VersionId, Steps>,
    count: usize,
}

/// The steps of a version: the number of the row after which an offset begins.
#[derive(Debug, Default)]
struct Steps {
    /// The version's edits at the count; an edit moves the places.
    edits: u64,
    after: BTreeMap<u64, u64>,
}

impl Places {
    /// The last known step at or before `offset`: its end, and the number of its last row.
    pub(crate) fn nearest(&self, version: VersionId, edits: u64, offset: u64) -> (u64, u64) {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let steps = known.versions.get(&version).filter(|steps| steps.edits == edits);
        let nearest = steps.and_then(|steps| steps.after.range(..=offset).next_back());
        nearest.map_or((0, 0), |(at, after)| (*at, *after))
    }

    /// Remembers where a step ends.
    pub(crate) fn remember(&self, version: VersionId, edits: u64, at: u64, after: u64) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
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
