//! The part of a machine independent of the type of ids.

use std::sync::Arc;

use super::conditions::{ConditionId, Conditions};
use super::error::Error;
use super::index::{Index, Tables};
use super::sub_rules::SubRules;
use crate::event::{FieldId, Paths};
use crate::limits::MAX_MACHINE_SUB_RULES;
use crate::matcher::Matcher;
use crate::rule::{Field, SubRule};

pub(crate) struct Core {
    pub(super) paths: Paths,
    /// By field: the path, and the number of conditions about the field.
    fields: Vec<(Arc<str>, u32)>,
    pub(super) conditions: Conditions,
    pub(super) sub_rules: SubRules,
    pub(super) index: Index,
    /// The highest number of a rule plus 1.
    pub(super) owner_bound: usize,
}

impl Core {
    pub(crate) fn new() -> Self {
        Core {
            paths: Paths::new(),
            fields: Vec::new(),
            conditions: Conditions::default(),
            sub_rules: SubRules::default(),
            index: Index::new(),
            owner_bound: 0,
        }
    }

    pub(super) fn check_room(&self, more: usize) -> Result<(), Error> {
        if self.sub_rules.len() + more > MAX_MACHINE_SUB_RULES { Err(Error::Full) } else { Ok(()) }
    }

    pub(crate) fn add(&mut self, owner: u32, sub_rule: &SubRule) -> u32 {
        let conditions = sub_rule.fields.iter().map(|field| self.condition(field)).collect();
        let id = self.sub_rules.add(owner, conditions);
        self.owner_bound = self.owner_bound.max(owner as usize + 1);
        let tables = Tables { conditions: &self.conditions, sub_rules: &self.sub_rules };
        self.index.insert(tables, id);
        id
    }

    fn condition(&mut self, field: &Field) -> ConditionId {
        let id = self.paths.intern(&field.path);
        if self.fields.len() <= id as usize {
            self.fields.push((Arc::clone(&field.path), 0));
        }
        let (condition, is_new) = self.conditions.intern(id, &field.alternatives);
        if is_new && let Some((path, conditions)) = self.fields.get_mut(id as usize) {
            if *conditions == 0 {
                *path = Arc::clone(&field.path);
            }
            *conditions += 1;
        }
        condition
    }

    pub(super) fn remove(&mut self, sub_rule: u32) {
        let tables = Tables { conditions: &self.conditions, sub_rules: &self.sub_rules };
        self.index.remove(tables, sub_rule);
        for condition in self.sub_rules.remove(sub_rule) {
            if let Some(field) = self.conditions.release(condition) {
                self.release(field);
            }
        }
    }

    fn release(&mut self, field: FieldId) {
        let Some((path, conditions)) = self.fields.get_mut(field as usize) else { return };
        *conditions = conditions.saturating_sub(1);
        if *conditions == 0 {
            self.paths.remove(path);
        }
    }

    /// The sub-rule among `ids` equal to `sub_rule`.
    pub(super) fn position(&self, ids: &[u32], sub_rule: &SubRule) -> Option<u32> {
        if ids.is_empty() {
            return None;
        }
        let find = |field: &Field| {
            self.conditions.find(self.paths.find(&field.path)?, &field.alternatives)
        };
        let conditions: Option<Vec<ConditionId>> = sub_rule.fields.iter().map(find).collect();
        let conditions = conditions?;
        ids.iter().copied().find(|id| *self.sub_rules.conditions(*id) == *conditions)
    }

    /// What remains of a stored sub-rule without the combinations of values in `removed`; `None`
    /// when the two have no combination in common, or name other fields.
    pub(super) fn without(&self, id: u32, removed: &SubRule) -> Option<Vec<SubRule>> {
        let stored = self.stored(id)?;
        if stored.fields.len() != removed.fields.len() {
            return None;
        }
        let mut common = Vec::new();
        for (ours, theirs) in stored.fields.iter().zip(&removed.fields) {
            let both = filtered(ours, |one| theirs.alternatives.contains(one))?;
            if ours.path != theirs.path {
                return None;
            }
            common.push(both);
        }
        // Disjoint parts: the n-th keeps only removed values in the fields before n, only values
        // not removed in field n, and any values after field n.
        let mut rest = Vec::new();
        for (nth, ours) in stored.fields.iter().enumerate() {
            let both = common.get(nth).map(|field| Arc::clone(&field.alternatives))?;
            let Some(kept) = filtered(ours, |one| !both.contains(one)) else { continue };
            let mut part = stored.clone();
            part.fields.iter_mut().zip(&common).take(nth).for_each(|(slot, both)| {
                *slot = both.clone();
            });
            if let Some(slot) = part.fields.get_mut(nth) {
                *slot = kept;
            }
            rest.push(part);
        }
        Some(rest)
    }

    fn stored(&self, id: u32) -> Option<SubRule> {
        let field = |condition: &ConditionId| {
            let condition = self.conditions.get(*condition)?;
            let (path, _) = self.fields.get(condition.field as usize)?;
            let alternatives = Arc::clone(&condition.alternatives);
            Some(Field { path: Arc::clone(path), alternatives })
        };
        let fields = self.sub_rules.conditions(id).iter().map(field).collect::<Option<_>>()?;
        Some(SubRule { fields })
    }

    /// The field of a path, for looking at the leaves of a tested event.
    pub(crate) fn field(&self, path: &str) -> Option<FieldId> {
        self.paths.find(path)
    }
}

/// The field with some of the alternatives; `None` when none are left.
fn filtered(field: &Field, keep: impl Fn(&Matcher) -> bool) -> Option<Field> {
    let alternatives: Arc<[Matcher]> =
        field.alternatives.iter().filter(|one| keep(one)).cloned().collect();
    let path = Arc::clone(&field.path);
    (!alternatives.is_empty()).then_some(Field { path, alternatives })
}
