//! Array consistency: choosing a leaf for each condition, with no two leaves in different elements
//! of the same array.
//!
//! The search is exhaustive, but never repeats a failed state. For the conditions still to come,
//! the choices so far matter only by the chosen elements, and only in arrays where a later
//! condition has leaves. A failed state is not tried again. Sibling arrays therefore add up instead
//! of multiplying. The search reaches the leaves in agreement with the choices so far by jumping
//! over conflicting array elements, not by looking at each leaf.
//!
//! The key of a failed state is the conditions still to come, not the sub-rule, and a failure holds
//! for the whole event. So sub-rules with the same ending, such as combinations of `$or` branches,
//! share failed states.

use std::collections::{HashMap, HashSet};

use crate::event::{Leaves, OUTSIDE};
use crate::limits::{MAX_REMEMBERED, narrow};
use crate::steps::{OutOfSteps, Steps, count};

/// The steps of a state. A state may have to be remembered, so the number bounds memory as well.
const STATE_STEPS: u64 = 4;

/// Room for further states is not worth keeping until the next event.
const MAX_KEPT_STATES: usize = 1 << 16;

/// The overhead of a remembered state beside its numbers, in numbers.
const STATE_OVERHEAD: usize = 12;

/// A condition.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Position {
    /// The satisfying leaves, ascending, as a range of the arena.
    pub(super) satisfying: (usize, usize),
    /// All leaves of the condition's field, also in the arena, when absence satisfies the condition
    /// too.
    pub(super) absent: Option<(usize, usize)>,
}

/// Memory for the searches of an event.
#[derive(Default)]
pub(super) struct Search {
    positions: Vec<Position>,
    /// For each position, the number of the ending: the position with all later positions. Equal
    /// endings have equal numbers.
    endings: Vec<u32>,
    /// From a position and the number of the ending after the position to the number of both.
    known_endings: HashMap<(Position, u32), u32, foldhash::fast::RandomState>,
    /// For each position met in the event, the arrays with leaves of the position, a range of
    /// `arrays`.
    uses: HashMap<Position, (usize, usize), foldhash::fast::RandomState>,
    arrays: Vec<u32>,
    /// For each array: the last position of `uses` with leaves in the array.
    seen: Vec<u32>,
    /// For each array: the last position, from 1, with leaves in the array; 0 for none.
    last_use: Vec<u32>,
    /// For each array: the chosen element, or [`OUTSIDE`].
    chosen: Vec<u32>,
    /// The chosen elements, in order of choice.
    trail: Vec<u32>,
    /// States known to fail: the number of the ending, then the elements still relevant.
    failed: HashSet<Box<[u32]>, foldhash::fast::RandomState>,
    /// How much room `failed` takes, in numbers.
    remembered: usize,
}

impl Search {
    /// Starts a new event of `arrays` arrays.
    pub(super) fn reset(&mut self, arrays: usize) {
        if self.failed.capacity() > MAX_KEPT_STATES {
            self.failed = HashSet::default();
        }
        self.failed.clear();
        self.remembered = 0;
        self.known_endings.clear();
        self.uses.clear();
        self.arrays.clear();
        self.trail.clear();
        for per_array in [&mut self.seen, &mut self.last_use, &mut self.chosen] {
            per_array.clear();
            per_array.resize(arrays, OUTSIDE);
        }
    }

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
        steps: &mut Steps,
    ) -> Result<bool, OutOfSteps> {
        let mut attempt = Attempt { leaves, arena, positions, search: self, steps };
        attempt.note_uses()?;
        attempt.number_endings();
        let found = attempt.choose(0)?;
        attempt.forget();
        Ok(found)
    }
}

/// A search.
struct Attempt<'a> {
    leaves: &'a Leaves,
    arena: &'a [u32],
    positions: &'a [Position],
    search: &'a mut Search,
    steps: &'a mut Steps,
}

impl<'a> Attempt<'a> {
    fn step(&mut self) -> Result<(), OutOfSteps> {
        self.steps.spend(1)
    }

    fn list(&self, (start, end): (usize, usize)) -> &'a [u32] {
        self.arena.get(start..end).unwrap_or_default()
    }

    fn context_of(&self, leaf: u32) -> u32 {
        self.leaves.leaf(leaf).map_or(OUTSIDE, |leaf| leaf.context)
    }

    /// Notes for each array the last position with leaves there.
    fn note_uses(&mut self) -> Result<(), OutOfSteps> {
        for (position, number) in self.positions.iter().zip(1..) {
            let (start, end) = self.uses_of(position)?;
            self.steps.spend(count(end - start))?;
            let Search { arrays, last_use, .. } = &mut *self.search;
            for array in arrays.get(start..end).unwrap_or_default() {
                if let Some(last) = last_use.get_mut(*array as usize) {
                    *last = number;
                }
            }
        }
        Ok(())
    }

    /// The arrays with leaves of a position.
    fn uses_of(&mut self, position: &Position) -> Result<(usize, usize), OutOfSteps> {
        if let Some(known) = self.search.uses.get(position) {
            return Ok(*known);
        }
        let start = self.search.arrays.len();
        let number = narrow(self.search.uses.len() + 1);
        for leaf in self.list(position.satisfying) {
            self.note_use(self.context_of(*leaf), number)?;
        }
        for leaf in position.absent.map_or(&[][..], |range| self.list(range)) {
            self.note_use(self.context_of(*leaf), number)?;
        }
        let range = (start, self.search.arrays.len());
        self.search.uses.insert(*position, range);
        Ok(range)
    }

    fn note_use(&mut self, mut context: u32, position: u32) -> Result<(), OutOfSteps> {
        self.step()?;
        while let Some(element) = self.leaves.context(context) {
            match self.search.seen.get_mut(element.array as usize) {
                Some(last) if *last != position => *last = position,
                _ => break, // and so it is for the arrays around
            }
            self.search.arrays.push(element.array);
            context = element.parent;
            self.step()?;
        }
        Ok(())
    }

    /// Numbers the ending of each position: the position with all later positions.
    fn number_endings(&mut self) {
        let Search { endings, known_endings, .. } = &mut *self.search;
        endings.clear();
        let mut rest = 0;
        for position in self.positions.iter().rev() {
            let next = narrow(known_endings.len() + 1);
            rest = *known_endings.entry((*position, rest)).or_insert(next);
            endings.push(rest);
        }
        endings.reverse();
    }

    /// Leaves no choice and no use to the next search.
    fn forget(&mut self) {
        self.untake(0);
        let Search { uses, arrays, last_use, .. } = &mut *self.search;
        for position in self.positions {
            let (start, end) = uses.get(position).copied().unwrap_or_default();
            for array in arrays.get(start..end).unwrap_or_default() {
                if let Some(last) = last_use.get_mut(*array as usize) {
                    *last = 0;
                }
            }
        }
    }

    fn remember(&mut self, state: Box<[u32]>) {
        let room = state.len() + STATE_OVERHEAD;
        if self.search.remembered + room <= MAX_REMEMBERED {
            self.search.remembered += room;
            self.search.failed.insert(state);
        }
    }

    /// Whether the positions from `at` on can be satisfied, given the choices so far.
    fn choose(&mut self, at: usize) -> Result<bool, OutOfSteps> {
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
        self.remember(state);
        Ok(false)
    }

    /// The ending still to come, and the chosen elements relevant for the ending.
    fn state(&mut self, at: usize) -> Result<Box<[u32]>, OutOfSteps> {
        let number = u32::try_from(at + 1).unwrap_or(u32::MAX);
        let ending = self.search.endings.get(at).copied().unwrap_or_default();
        let mut state = vec![ending];
        for context in &self.search.trail {
            let last = self
                .leaves
                .context(*context)
                .and_then(|element| self.search.last_use.get(element.array as usize));
            if last.is_some_and(|last| *last >= number) {
                state.push(*context);
            }
        }
        self.steps.spend(STATE_STEPS + count(self.search.trail.len() + state.len()))?;
        // The number of the ending stays in front: the rest is a set.
        state.get_mut(1..).unwrap_or_default().sort_unstable();
        Ok(state.into())
    }

    /// The index of a list's next leaf in agreement with the choices so far.
    fn next_agreeing(
        &mut self,
        list: &[u32],
        mut from: usize,
    ) -> Result<Option<usize>, OutOfSteps> {
        while let Some(leaf) = list.get(from) {
            let Some(resume) = self.conflict(*leaf)? else { return Ok(Some(from)) };
            let rest = list.get(from..).unwrap_or_default();
            from += rest.partition_point(|leaf| *leaf < resume);
        }
        Ok(None)
    }

    /// When the leaf is in another element than the chosen element: the number of the leaf at which
    /// to look next.
    fn conflict(&mut self, leaf: u32) -> Result<Option<u32>, OutOfSteps> {
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
    fn take(&mut self, mut context: u32) -> Result<(), OutOfSteps> {
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
