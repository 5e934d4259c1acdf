//! Windows shared by workspaces: the surplus comes from the workspace with most entries, oldest first. So no
//! workspace pushes out the share of another.

use std::collections::{BTreeSet, HashMap, VecDeque};

use hookyard_core::id::WorkspaceId;

/// The window of events, of all workspaces, for recognising a repeated id and source: at a thousand events a
/// second, a quarter of an hour, the reach of any publisher's retries. Each workspace always has at least its
/// newest million events divided by the number of workspaces.
pub const EVENTS_KNOWN_MAX: usize = 1_000_000;

/// The workspace of entries stored by versions that did not write the workspace down. All such entries have
/// one share.
pub(crate) const UNKNOWN: WorkspaceId = WorkspaceId(0);

/// Each workspace's entries in a window, in the order of arrival.
#[derive(Debug)]
pub(crate) struct Shares<T> {
    of: HashMap<WorkspaceId, VecDeque<T>>,
    /// How much each has.
    sizes: BTreeSet<(usize, WorkspaceId)>,
    /// How much all have.
    all: usize,
}

impl<T> Default for Shares<T> {
    fn default() -> Self {
        Self { of: HashMap::new(), sizes: BTreeSet::new(), all: 0 }
    }
}

impl<T> Shares<T> {
    /// How much all workspaces have.
    pub(crate) fn len(&self) -> usize {
        self.all
    }

    /// How many workspaces have something.
    pub(crate) fn workspaces(&self) -> usize {
        self.sizes.len()
    }

    /// The workspace with most entries.
    pub(crate) fn largest(&self) -> Option<WorkspaceId> {
        self.sizes.last().map(|(_, workspace)| *workspace)
    }

    /// The entries of a workspace.
    #[cfg(test)]
    pub(crate) fn of(&self, workspace: WorkspaceId) -> Option<&VecDeque<T>> {
        self.of.get(&workspace)
    }

    /// Changes the entries of a workspace.
    pub(crate) fn change<R>(
        &mut self,
        workspace: WorkspaceId,
        work: impl FnOnce(&mut VecDeque<T>) -> R,
    ) -> R {
        let share = self.of.entry(workspace).or_default();
        self.sizes.remove(&(share.len(), workspace));
        self.all -= share.len();
        let done = work(share);
        self.all += share.len();
        if share.is_empty() {
            self.of.remove(&workspace);
        } else {
            self.sizes.insert((share.len(), workspace));
        }
        done
    }

    /// Changes the entries of each workspace.
    pub(crate) fn change_all(&mut self, mut work: impl FnMut(&mut VecDeque<T>)) {
        let workspaces: Vec<_> = self.of.keys().copied().collect();
        for workspace in workspaces {
            self.change(workspace, &mut work);
        }
    }

    /// Takes the oldest entry of the workspace with most entries.
    pub(crate) fn take_oldest(&mut self) -> Option<T> {
        let largest = self.largest()?;
        self.change(largest, VecDeque::pop_front)
    }
}

/// The most entries for each workspace where all together may have `most`. The bound leaves the same entries
/// as [`Shares`] does. `None` when nothing is too much.
pub(crate) fn level(mut counts: Vec<u64>, most: u64) -> Option<u64> {
    counts.sort_unstable();
    let mut left = most;
    let mut others = counts.len() as u64;
    for count in counts {
        let each = left / others;
        if count > each {
            return Some(each);
        }
        left -= count;
        others -= 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn who_has_little_keeps_it() {
        assert_eq!(level(vec![], 10), None);
        assert_eq!(level(vec![3, 4], 10), None);
        assert_eq!(level(vec![3, 100], 10), Some(7));
        assert_eq!(level(vec![100, 3, 100], 11), Some(4));
        assert_eq!(level(vec![5; 20], 10), Some(0));
    }

    proptest! {
        /// What is worked out at once is what goes when it goes one by one.
        #[test]
        fn a_level_is_what_is_left(counts in prop::collection::vec(0_usize..40, 1..8), most in 8_usize..60) {
            let mut shares = Shares::default();
            let places = counts.iter().enumerate();
            for (place, count) in places.clone() {
                let workspace = WorkspaceId(i32::try_from(place).unwrap());
                shares.change(workspace, |share| share.extend(0..*count));
            }
            while shares.len() > most {
                shares.take_oldest();
            }
            let level = level(counts.iter().map(|count| *count as u64).collect(), most as u64);
            for (place, count) in places {
                let left = shares.of(WorkspaceId(i32::try_from(place).unwrap())).map_or(0, VecDeque::len);
                let level = level.map_or(usize::MAX, |level| usize::try_from(level).unwrap());
                // The places that are left over when all is divided go to some of them.
                prop_assert!(left == *count || (level..=level + 1).contains(&left), "{left} of {count}, {level}");
            }
        }
    }
}
