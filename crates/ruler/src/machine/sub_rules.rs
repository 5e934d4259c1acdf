//! The sub-rules of a machine.

use super::conditions::ConditionId;
use crate::limits::narrow;

const NONE: u32 = u32::MAX;

/// The sub-rules of a machine, by number.
#[derive(Default)]
pub(super) struct SubRules {
    list: Vec<SubRule>,
    free: Vec<u32>,
}

struct SubRule {
    /// The rule of the sub-rule.
    owner: u32,
    /// The conditions in the order of testing.
    conditions: Box<[ConditionId]>,
}

impl SubRules {
    /// The highest number in use plus 1.
    pub(super) fn bound(&self) -> usize {
        self.list.len()
    }

    pub(super) fn len(&self) -> usize {
        self.list.len() - self.free.len()
    }

    pub(super) fn owner(&self, id: u32) -> u32 {
        self.list.get(id as usize).map_or(NONE, |sub_rule| sub_rule.owner)
    }

    pub(super) fn conditions(&self, id: u32) -> &[ConditionId] {
        self.list.get(id as usize).map_or(&[], |sub_rule| &sub_rule.conditions)
    }

    pub(super) fn add(&mut self, owner: u32, conditions: Box<[ConditionId]>) -> u32 {
        let sub_rule = SubRule { owner, conditions };
        match self.free.pop() {
            Some(id) => {
                if let Some(slot) = self.list.get_mut(id as usize) {
                    *slot = sub_rule;
                }
                id
            }
            None => {
                self.list.push(sub_rule);
                narrow(self.list.len() - 1)
            }
        }
    }

    pub(super) fn remove(&mut self, id: u32) -> Box<[ConditionId]> {
        let Some(slot) = self.list.get_mut(id as usize) else { return Box::default() };
        slot.owner = NONE;
        self.free.push(id);
        std::mem::take(&mut slot.conditions)
    }
}
