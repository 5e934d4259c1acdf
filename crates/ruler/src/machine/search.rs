//! Array consistency: choosing one leaf for each condition, so that no two are in different
//! elements of the same array.
//!
//! The search is exhaustive, but never repeats itself. What the choices so far mean for the
//! conditions still to come is only the elements they are in, and only of arrays that a later
//! condition has leaves in; where that has failed once, it is not tried again. Sibling arrays
//! therefore add up instead of multiplying. The leaves that agree with the choices so far are
//! reached by jumping over the array elements that do not, not by looking at each.

use std::collections::HashSet;

use crate::event::{Leaves, OUTSIDE};
use crate::limits::MAX_SEARCH_STEPS;

/// What a state counts for: it may have to be remembered, so this bounds memory as well.
const STATE_STEPS: u64 = 4;

/// More states than this are not worth keeping room for until the next search.
const MAX_KEPT_STATES: usize = 1 << 16;

/// The search for one sub-rule took more than [`MAX_SEARCH_STEPS`].
pub(super) struct TooManySteps;

/// One condition.
pub(super) struct Position {
    /// The leaves that satisfy it, ascending, as a range of the arena.
    pub(super) satisfying: (usize, usize),
    /// All leaves of its field, also in the arena, when their absence satisfies it too.
    pub(super) absent: Option<(usize, usize)>,
}

/// Memory for searches.
#[derive(Default)]
pub(super) struct Search {
    positions: Vec<Position>,
    /// For each array: the last position, from 1, that has leaves in it; 0 for none.
    last_use: Vec<u32>,
    /// For each array: the chosen element, or [`OUTSIDE`].
    chosen: Vec<u32>,
    /// The chosen elements, in order of choice.
    trail: Vec<u32>,
    /// States known to fail: the position, then the elements that matter.
    failed: HashSet<Box<[u32]>, foldhash::fast::RandomState>,
    steps: u64,
}

impl Search {
    pub(super) fn take_positions(&mut self) -> Vec<Position> {
        let mut positions = std::mem::take(&mut self.positions);
        positions.clear();
        positions
    }

    pub(super) fn give_positions(&mut self, positions: Vec<Position>) {
        self.positions = positions;
    }

    pub(super) fn run(
        &mut self,
        leaves: &Leaves,
        arena: &[u32],
        positions: &[Position],
    ) -> Result<bool, TooManySteps> {
        for per_array in [&mut self.last_use, &mut self.chosen] {
            per_array.clear();
            per_array.resize(leaves.array_count(), OUTSIDE);
        }
        self.trail.clear();
        if self.failed.capacity() > MAX_KEPT_STATES {
            self.failed = HashSet::default();
        }
        self.failed.clear();
        self.steps = 0;
        let mut attempt = Attempt { leaves, arena, positions, search: self };
        attempt.note_uses()?;
        attempt.choose(0)
    }
}

/// One search.
struct Attempt<'a> {
    leaves: &'a Leaves,
    arena: &'a [u32],
    positions: &'a [Position],
    search: &'a mut Search,
}

impl<'a> Attempt<'a> {
    fn step(&mut self) -> Result<(), TooManySteps> {
        self.search.steps += 1;
        if self.search.steps > MAX_SEARCH_STEPS { Err(TooManySteps) } else { Ok(()) }
    }

    fn list(&self, (start, end): (usize, usize)) -> &'a [u32] {
        self.arena.get(start..end).unwrap_or_default()
    }

    fn context_of(&self, leaf: u32) -> u32 {
        self.leaves.leaf(leaf).map_or(OUTSIDE, |leaf| leaf.context)
    }

    /// Notes for each array the last position that has leaves in it.
    fn note_uses(&mut self) -> Result<(), TooManySteps> {
        for (position, number) in self.positions.iter().zip(1..) {
            for leaf in self.list(position.satisfying) {
                self.note_use(self.context_of(*leaf), number)?;
            }
            for leaf in position.absent.map_or(&[][..], |range| self.list(range)) {
                self.note_use(self.context_of(*leaf), number)?;
            }
        }
        Ok(())
    }

    fn note_use(&mut self, mut context: u32, position: u32) -> Result<(), TooManySteps> {
        while let Some(element) = self.leaves.context(context) {
            self.step()?;
            match self.search.last_use.get_mut(element.array as usize) {
                Some(last) if *last != position => *last = position,
                _ => break, // and so it is for the arrays around
            }
            context = element.parent;
        }
        Ok(())
    }

    /// Whether the positions from this one on can be satisfied, given the choices so far.
    fn choose(&mut self, at: usize) -> Result<bool, TooManySteps> {
        let Some(position) = self.positions.get(at) else { return Ok(true) };
        let state = self.state(at)?;
        if self.search.failed.contains(&state) {
            return Ok(false);
        }
        let satisfying = self.list(position.satisfying);
        let mut from = 0;
        while let Some(next) = self.next_agreeing(satisfying, from)? {
            let mark = self.search.trail.len();
            let context = satisfying.get(next).map_or(OUTSIDE, |leaf| self.context_of(*leaf));
            self.take(context)?;
            if self.choose(at + 1)? {
                return Ok(true);
            }
            self.untake(mark);
            from = next + 1;
        }
        if let Some(range) = position.absent
            && self.next_agreeing(self.list(range), 0)?.is_none()
            && self.choose(at + 1)?
        {
            return Ok(true);
        }
        self.search.failed.insert(state);
        Ok(false)
    }

    /// The position and the chosen elements that matter from it on.
    fn state(&mut self, at: usize) -> Result<Box<[u32]>, TooManySteps> {
        let number = u32::try_from(at + 1).unwrap_or(u32::MAX);
        let mut state = vec![number];
        for context in &self.search.trail {
            let last = self
                .leaves
                .context(*context)
                .and_then(|element| self.search.last_use.get(element.array as usize));
            if last.is_some_and(|last| *last >= number) {
                state.push(*context);
            }
        }
        self.search.steps += STATE_STEPS + state.len() as u64;
        state.sort_unstable();
        self.step()?;
        Ok(state.into())
    }

    /// The index of the next leaf of a list that agrees with the choices so far.
    fn next_agreeing(
        &mut self,
        list: &[u32],
        mut from: usize,
    ) -> Result<Option<usize>, TooManySteps> {
        while let Some(leaf) = list.get(from) {
            let Some(resume) = self.conflict(*leaf)? else { return Ok(Some(from)) };
            let rest = list.get(from..).unwrap_or_default();
            from += rest.partition_point(|leaf| *leaf < resume);
        }
        Ok(None)
    }

    /// When the leaf is in another element than the chosen one: the number of the leaf at which
    /// to look next.
    fn conflict(&mut self, leaf: u32) -> Result<Option<u32>, TooManySteps> {
        let mut context = self.context_of(leaf);
        self.step()?;
        while let Some(element) = self.leaves.context(context) {
            self.step()?;
            let chosen = self.search.chosen.get(element.array as usize).copied().unwrap_or(OUTSIDE);
            if chosen == context {
                return Ok(None); // and so it is for the arrays around
            }
            if let Some(chosen) = self.leaves.context(chosen) {
                let before = leaf < chosen.first_leaf;
                let resume =
                    if before { chosen.first_leaf } else { self.leaves.array_end(element.array) };
                return Ok(Some(resume.max(leaf + 1)));
            }
            context = element.parent;
        }
        Ok(None)
    }

    /// Chooses the elements around a leaf.
    fn take(&mut self, mut context: u32) -> Result<(), TooManySteps> {
        while let Some(element) = self.leaves.context(context) {
            self.step()?;
            match self.search.chosen.get_mut(element.array as usize) {
                Some(chosen) if *chosen != context => *chosen = context,
                _ => break, // and so are the elements around
            }
            self.search.trail.push(context);
            context = element.parent;
        }
        Ok(())
    }

    fn untake(&mut self, mark: usize) {
        for context in self.search.trail.drain(mark..) {
            if let Some(element) = self.leaves.context(context)
                && let Some(chosen) = self.search.chosen.get_mut(element.array as usize)
            {
                *chosen = OUTSIDE;
            }
        }
    }
}
