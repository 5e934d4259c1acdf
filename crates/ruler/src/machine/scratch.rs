//! Working memory for matching an event, kept for the next event.

use std::collections::HashMap;

use super::conditions::{ConditionId, Conditions};
use super::posting::Posting;
use super::search::Search;
use crate::event::{Buffers, FieldId, Leaves};
use crate::matcher::satisfied;
use crate::steps::{OutOfSteps, Steps, count};

/// The working memory of a match. Matching with the same scratch again allocates nothing once the
/// scratch has grown to the size of the events. Any machine can use any scratch.
#[derive(Default)]
pub struct Scratch {
    pub(crate) leaves: Leaves,
    pub(super) buffers: Buffers,
    pub(super) sink: Sink,
    /// The matching rules so far.
    pub(super) owners: Marks,
    /// For conditions over many leaves: the satisfying leaves, as a range of `arena`.
    pub(super) satisfying: HashMap<ConditionId, Satisfying, foldhash::fast::RandomState>,
    /// For fields with `exists: false`: all leaves, as a range of `arena`.
    pub(super) all: HashMap<FieldId, (usize, usize), foldhash::fast::RandomState>,
    pub(super) arena: Vec<u32>,
    pub(super) search: Search,
    /// The present sub-rule's conditions about leaves in arrays.
    pub(super) open: Vec<ConditionId>,
    /// The event's remaining budget.
    pub(crate) steps: Steps,
    /// The rule at hand.
    pub(super) owner: Option<u32>,
}

/// The leaves satisfying a condition.
#[derive(Clone, Copy)]
pub(super) struct Satisfying {
    /// As a range of the arena.
    pub(super) range: (usize, usize),
    /// A leaf is outside array elements.
    pub(super) any_outside: bool,
}

impl Scratch {
    /// An empty scratch.
    pub fn new() -> Self {
        Self::default()
    }
}

impl std::fmt::Debug for Scratch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scratch").finish_non_exhaustive()
    }
}

/// A set of small numbers, emptied at no cost.
#[derive(Default)]
pub(super) struct Marks {
    round: u32,
    marks: Vec<u32>,
}

impl Marks {
    /// Empties the set, for numbers below `bound`.
    pub(super) fn reset(&mut self, bound: usize) {
        self.round = self.round.wrapping_add(1);
        if self.round == 0 {
            self.marks.clear();
            self.round = 1;
        }
        if self.marks.len() < bound {
            self.marks.resize(bound, 0);
        }
    }

    /// Adds a number; true when the number is new.
    #[inline]
    pub(super) fn add(&mut self, number: u32) -> bool {
        match self.marks.get_mut(number as usize) {
            Some(mark) if *mark != self.round => {
                *mark = self.round;
                true
            }
            _ => false,
        }
    }

    pub(super) fn has(&self, number: u32) -> bool {
        self.marks.get(number as usize) == Some(&self.round)
    }
}

/// Collects candidates, each once.
#[derive(Default)]
pub(super) struct Sink {
    pub(super) sub_rules: Vec<u32>,
    /// Nodes of the index still to visit.
    pub(super) nodes: Vec<u32>,
    seen_sub_rules: Marks,
    seen_nodes: Marks,
    /// Scanned conditions satisfied by a leaf.
    scanned: Marks,
    /// For folded or reversed texts.
    pub(super) buffer: Vec<u8>,
}

impl Sink {
    pub(super) fn reset(&mut self, sub_rules: usize, nodes: usize, conditions: usize) {
        self.sub_rules.clear();
        self.nodes.clear();
        self.seen_sub_rules.reset(sub_rules);
        self.seen_nodes.reset(nodes);
        self.scanned.reset(conditions);
    }

    /// Takes the sub-rules behind a posting. Returns the steps taken.
    #[inline]
    pub(super) fn take(&mut self, posting: &Posting) -> u64 {
        match posting {
            Posting::List(list) => self.take_all(list.as_slice()),
            Posting::Node(node) => {
                if self.seen_nodes.add(*node) {
                    self.nodes.push(*node);
                }
                1
            }
        }
    }

    #[inline]
    pub(super) fn take_all(&mut self, sub_rules: &[u32]) -> u64 {
        for id in sub_rules {
            if self.seen_sub_rules.add(*id) {
                self.sub_rules.push(*id);
            }
        }
        count(sub_rules.len())
    }

    /// Evaluates conditions without a look-up.
    #[inline]
    pub(super) fn scan(
        &mut self,
        conditions: &Conditions,
        scans: &[(ConditionId, Posting)],
        value: crate::matcher::Value<'_>,
        steps: &mut Steps,
    ) -> Result<(), OutOfSteps> {
        steps.spend(count(scans.len()))?;
        for (id, posting) in scans {
            if self.scanned.has(*id) {
                continue;
            }
            let Some(condition) = conditions.get(*id) else { continue };
            steps.spend(condition.cost.steps(value))?;
            if satisfied(&condition.alternatives, value) {
                self.scanned.add(*id);
                let taken = self.take(posting);
                steps.spend(taken)?;
            }
        }
        Ok(())
    }
}
