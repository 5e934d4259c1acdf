//! Conditions: a field with alternatives, shared by all sub-rules with the same condition.

use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, Hasher};
use std::sync::Arc;

use crate::event::FieldId;
use crate::limits::narrow;
use crate::matcher::{Cost, Matcher};

/// The number of a condition.
pub(super) type ConditionId = u32;

/// A field's test.
pub(super) struct Condition {
    pub(super) field: FieldId,
    uses: u32,
    /// The absence of the field is an alternative.
    pub(super) absent: bool,
    pub(super) alternatives: Arc<[Matcher]>,
    /// The cost of testing a value.
    pub(super) cost: Cost,
}

/// A hasher for already hashed keys.
#[derive(Default)]
pub(super) struct Hashed(u64);

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

/// A map with already hashed keys.
pub(super) type HashedMap<T> = HashMap<u64, T, BuildHasherDefault<Hashed>>;

/// All conditions of a machine.
#[derive(Default)]
pub(super) struct Conditions {
    list: Vec<Condition>,
    free: Vec<ConditionId>,
    /// By hash, found again by comparing; an equal hash of another condition takes the next key.
    by_hash: HashedMap<ConditionId>,
    hasher: foldhash::fast::RandomState,
}

impl Conditions {
    /// The highest number in use plus 1.
    pub(super) fn bound(&self) -> usize {
        self.list.len()
    }

    pub(super) fn get(&self, id: ConditionId) -> Option<&Condition> {
        self.list.get(id as usize)
    }

    fn hash(&self, field: FieldId, alternatives: &Arc<[Matcher]>) -> u64 {
        self.hasher.hash_one((field, &**alternatives))
    }

    /// The condition, if the machine has it.
    pub(super) fn find(
        &self,
        field: FieldId,
        alternatives: &Arc<[Matcher]>,
    ) -> Option<ConditionId> {
        let mut hash = self.hash(field, alternatives);
        loop {
            let id = *self.by_hash.get(&hash)?;
            let condition = self.get(id)?;
            if condition.field == field && condition.alternatives == *alternatives {
                return Some(id);
            }
            hash = hash.wrapping_add(1);
        }
    }

    /// The condition, made if need be; true when newly made. Counts a further use.
    pub(super) fn intern(
        &mut self,
        field: FieldId,
        alternatives: &Arc<[Matcher]>,
    ) -> (ConditionId, bool) {
        let found = self.find(field, alternatives);
        if let Some(condition) = found.and_then(|id| self.list.get_mut(id as usize)) {
            condition.uses += 1;
            return (found.unwrap_or_default(), false);
        }
        let condition = Condition {
            field,
            uses: 1,
            absent: alternatives.contains(&Matcher::Absent),
            cost: Cost::of(alternatives),
            alternatives: Arc::clone(alternatives),
        };
        let id = match self.free.pop() {
            Some(id) => {
                if let Some(slot) = self.list.get_mut(id as usize) {
                    *slot = condition;
                }
                id
            }
            None => {
                self.list.push(condition);
                narrow(self.list.len() - 1)
            }
        };
        let mut hash = self.hash(field, alternatives);
        while self.by_hash.contains_key(&hash) {
            hash = hash.wrapping_add(1);
        }
        self.by_hash.insert(hash, id);
        (id, true)
    }

    /// Counts a use less; gives the field back after the last use.
    pub(super) fn release(&mut self, id: ConditionId) -> Option<FieldId> {
        let condition = self.list.get_mut(id as usize)?;
        condition.uses = condition.uses.saturating_sub(1);
        if condition.uses > 0 {
            return None;
        }
        let field = condition.field;
        let alternatives = std::mem::replace(&mut condition.alternatives, Arc::new([]));
        let mut hash = self.hash(field, &alternatives);
        while self.by_hash.get(&hash).is_some_and(|other| *other != id) {
            hash = hash.wrapping_add(1);
        }
        self.by_hash.remove(&hash);
        self.free.push(id);
        Some(field)
    }
}
