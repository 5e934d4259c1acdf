//! Many rules, matched at once.

mod conditions;
mod core;
mod error;
mod field_index;
mod index;
mod places;
mod posting;
mod ranges;
mod run;
mod scratch;
mod search;
mod sub_rules;

pub use error::Error;
pub use scratch::Scratch;

pub(crate) use self::core::Core;

use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};

use crate::event;
use crate::limits::{MAX_EVENT_STEPS, narrow};
use crate::rule::{Rule, SubRule};
use posting::List;

/// A set of rules, each under an id, to match events against.
///
/// Matching takes `&self`, so a machine can serve many threads. The work for an event depends on
/// the event and on the rules with a match or a near match, not on the number of rules.
///
/// ```
/// use hookyard_ruler::{Machine, Rule};
///
/// let mut machine = Machine::new();
/// machine.add("paid", &Rule::parse(r#"{"state": ["paid"]}"#)?)?;
/// machine.add("large", &Rule::parse(r#"{"total": [{"numeric": [">", 100]}]}"#)?)?;
///
/// let mut ids = machine.matches(br#"{"state": "paid", "total": 250}"#)?;
/// ids.sort();
/// assert_eq!(ids, ["large", "paid"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Machine<Id> {
    core: Core,
    owners: Vec<Option<Owner<Id>>>,
    free: Vec<u32>,
    by_id: HashMap<Id, u32, foldhash::fast::RandomState>,
    /// Scratches for [`Machine::matches`].
    pool: Mutex<Vec<Scratch>>,
}

/// The rules added under an id.
struct Owner<Id> {
    id: Id,
    sub_rules: List,
}

/// Scratches kept for calls without a scratch; further threads at the same time allocate new
/// scratches.
const MAX_POOLED: usize = 16;

/// A scratch that has seen a larger event is not kept, as the scratch has grown with the event.
const MAX_POOLED_EVENT: usize = 1 << 20;

impl<Id: Clone + Eq + Hash> Machine<Id> {
    /// A machine without rules, matching nothing.
    pub fn new() -> Self {
        Machine {
            core: Core::new(),
            owners: Vec::new(),
            free: Vec::new(),
            by_id: HashMap::default(),
            pool: Mutex::new(Vec::new()),
        }
    }

    /// Adds a rule under an id. Several rules under an id match when any rule matches; adding an
    /// equal rule again changes nothing.
    ///
    /// # Errors
    ///
    /// The machine is full, and remains unchanged.
    pub fn add(&mut self, id: Id, rule: &Rule) -> Result<(), Error> {
        self.core.check_room(rule.sub_rules.len())?;
        let owner = self.owner(id);
        for sub_rule in &rule.sub_rules {
            self.add_sub_rule(owner, sub_rule);
        }
        Ok(())
    }

    fn owner(&mut self, id: Id) -> u32 {
        if let Some(owner) = self.by_id.get(&id) {
            return *owner;
        }
        let entry = Some(Owner { id: id.clone(), sub_rules: List::None });
        let owner = match self.free.pop() {
            Some(owner) => {
                if let Some(slot) = self.owners.get_mut(owner as usize) {
                    *slot = entry;
                }
                owner
            }
            None => {
                self.owners.push(entry);
                narrow(self.owners.len() - 1)
            }
        };
        self.core.owner_bound = self.owners.len();
        self.by_id.insert(id, owner);
        owner
    }

    fn add_sub_rule(&mut self, owner: u32, sub_rule: &SubRule) {
        let Some(Some(entry)) = self.owners.get_mut(owner as usize) else { return };
        if self.core.position(entry.sub_rules.as_slice(), sub_rule).is_none() {
            entry.sub_rules.push(self.core.add(owner, sub_rule));
        }
    }

    /// Removes all rules of an id; false when there are none.
    pub fn remove(&mut self, id: &Id) -> bool {
        let Some(owner) = self.by_id.remove(id) else { return false };
        if let Some(entry) = self.owners.get_mut(owner as usize).and_then(Option::take) {
            entry.sub_rules.as_slice().iter().for_each(|sub_rule| self.core.remove(*sub_rule));
            self.free.push(owner);
        }
        true
    }

    /// Removes a rule or a part of a rule from an id: the values listed in `rule`, for exactly the
    /// fields named, match no longer. Removing `{"a": [1]}` from `{"a": [1, 2]}` leaves
    /// `{"a": [2]}`. False when nothing changed.
    ///
    /// # Errors
    ///
    /// The machine is full: the remainder of a rule with several fields may be several sub-rules.
    /// Nothing is removed then.
    pub fn remove_rule(&mut self, id: &Id, rule: &Rule) -> Result<bool, Error> {
        let Some(owner) = self.by_id.get(id).copied() else { return Ok(false) };
        let mut changed = false;
        for removed in &rule.sub_rules {
            changed |= self.remove_sub_rule(owner, removed)?;
        }
        let Some(Some(entry)) = self.owners.get(owner as usize) else { return Ok(changed) };
        if entry.sub_rules.as_slice().is_empty() {
            self.remove(id);
        }
        Ok(changed)
    }

    fn remove_sub_rule(&mut self, owner: u32, removed: &SubRule) -> Result<bool, Error> {
        let Some(Some(entry)) = self.owners.get(owner as usize) else { return Ok(false) };
        let stored: Vec<(u32, Vec<SubRule>)> = entry
            .sub_rules
            .as_slice()
            .iter()
            .filter_map(|id| Some((*id, self.core.without(*id, removed)?)))
            .collect();
        self.core.check_room(stored.iter().map(|(_, rest)| rest.len()).sum())?;
        for (id, rest) in &stored {
            if let Some(Some(entry)) = self.owners.get_mut(owner as usize) {
                entry.sub_rules.remove(*id);
            }
            self.core.remove(*id);
            rest.iter().for_each(|sub_rule| self.add_sub_rule(owner, sub_rule));
        }
        Ok(!stored.is_empty())
    }

    /// The ids of the rules matching an event, each once, in no particular order.
    ///
    /// # Errors
    ///
    /// The event is not a JSON object, or exceeds one of the [`limits`](crate::limits).
    pub fn matches(&self, event: &[u8]) -> Result<Vec<Id>, event::Error> {
        let pooled = self.pool.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut scratch = pooled.unwrap_or_default();
        let mut ids = Vec::new();
        let outcome = self.matches_with(event, &mut scratch, |id| ids.push(id.clone()));
        let mut pool = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        if pool.len() < MAX_POOLED && event.len() <= MAX_POOLED_EVENT {
            pool.push(scratch);
        }
        outcome.map(|()| ids)
    }

    /// Calls `found` once with the id of each rule matching an event, in no particular order. A
    /// scratch that has seen such events before makes the call free of allocations.
    ///
    /// ```
    /// # use hookyard_ruler::{Machine, Rule, Scratch};
    /// # let mut machine = Machine::new();
    /// # machine.add(7, &Rule::parse(r#"{"state": ["paid"]}"#)?)?;
    /// let mut scratch = Scratch::new();
    /// let mut count = 0;
    /// for event in [&br#"{"state": "paid"}"#[..], br#"{"state": "open"}"#] {
    ///     machine.matches_with(event, &mut scratch, |_id| count += 1)?;
    /// }
    /// assert_eq!(count, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`Machine::matches`]. Ids may have been found before an event turns out to be
    /// [too costly](event::Error::TooCostly).
    pub fn matches_with(
        &self,
        event: &[u8],
        scratch: &mut Scratch,
        found: impl FnMut(&Id),
    ) -> Result<(), event::Error> {
        self.matches_within(event, scratch, MAX_EVENT_STEPS, found).map(drop)
    }

    /// Like [`Machine::matches_with`], with another budget than
    /// [`MAX_EVENT_STEPS`](crate::limits::MAX_EVENT_STEPS) for all rules together. The answer is how
    /// many steps were taken.
    ///
    /// The budget never changes the outcome of a match within the budget. Reading the event takes
    /// no steps: the reading is linear in the event's bytes.
    ///
    /// ```
    /// # use hookyard_ruler::{Machine, Rule, Scratch, event};
    /// # let mut machine = Machine::new();
    /// # machine.add(7, &Rule::parse(r#"{"state": ["paid"]}"#)?)?;
    /// let mut scratch = Scratch::new();
    /// let event = br#"{"state": "paid"}"#;
    /// let steps = machine.matches_within(event, &mut scratch, 1_000, |_id| {})?;
    /// assert!(steps < 10);
    /// let refused = machine.matches_within(event, &mut scratch, 1, |_id| {});
    /// assert_eq!(refused, Err(event::Error::TooCostly { steps: 1 }));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`Machine::matches_with`]. [`Machine::costly`] names the rule under test at the end
    /// of the budget.
    pub fn matches_within(
        &self,
        event: &[u8],
        scratch: &mut Scratch,
        steps: u64,
        mut found: impl FnMut(&Id),
    ) -> Result<u64, event::Error> {
        run::run(&self.core, event, scratch, steps, |owner| {
            if let Some(Some(entry)) = self.owners.get(owner as usize) {
                found(&entry.id);
            }
        })?;
        Ok(scratch.steps.spent())
    }

    /// After [`event::Error::TooCostly`] with this scratch: the rule under test when the budget
    /// ended; `None` when the budget ended before the first test, on the way to the rules.
    pub fn costly(&self, scratch: &Scratch) -> Option<&Id> {
        let owner = self.owners.get(scratch.owner? as usize)?.as_ref()?;
        Some(&owner.id)
    }

    /// The number of ids with rules.
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Whether no id has rules.
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    /// The number of sub-rules, from expanding the rules at each `$or`.
    pub fn sub_rule_count(&self) -> usize {
        self.core.sub_rules.len()
    }
}

impl<Id: Clone + Eq + Hash> Default for Machine<Id> {
    fn default() -> Self {
        Machine::new()
    }
}

impl<Id> fmt::Debug for Machine<Id> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Machine")
            .field("ids", &self.by_id.len())
            .field("sub_rules", &self.core.sub_rules.len())
            .finish_non_exhaustive()
    }
}

impl Rule {
    /// Whether the rule matches an event. To match many events, or many rules, use a
    /// [`Machine`]: this builds one for the one call.
    ///
    /// # Errors
    ///
    /// The event is not a JSON object or exceeds a limit.
    pub fn matches(&self, event: &[u8]) -> Result<bool, event::Error> {
        let mut machine = Machine::new();
        // A rule is far smaller than a machine's capacity, so adding a rule cannot fail.
        let _ = machine.add((), self);
        machine.matches(event).map(|ids| !ids.is_empty())
    }
}
