//! Matching an event: collect the candidates, then test each.

use super::Core;
use super::conditions::{Condition, ConditionId};
use super::scratch::{Satisfying, Scratch};
use super::search::Position;
use crate::event::{self, FieldId, LeafList, OUTSIDE, flatten};
use crate::matcher::satisfied;
use crate::steps::{OutOfSteps, Steps};

/// For fields with more leaves, the leaves that satisfy a condition are listed once, for all
/// sub-rules with the condition.
const LIST_FROM: u32 = 8;

/// The outcome of a condition on its own.
enum Alone {
    Holds,
    Fails,
    /// The outcome depends on the array elements chosen for the other conditions.
    Depends,
}

/// Calls `found` once with the number of each matching rule.
pub(super) fn run(
    core: &Core,
    event: &[u8],
    scratch: &mut Scratch,
    steps: u64,
    mut found: impl FnMut(u32),
) -> Result<(), event::Error> {
    prepare(core, event, scratch, steps)?;
    scratch.sink.reset(core.sub_rules.bound(), core.index.node_count(), core.conditions.bound());
    scratch.owners.reset(core.owner_bound);
    let Scratch { leaves, sink, steps, .. } = scratch;
    let collected = core.index.candidates(&core.conditions, event, leaves, sink, steps);
    let candidates = std::mem::take(&mut scratch.sink.sub_rules);
    let outcome = collected.and_then(|()| {
        candidates.iter().try_for_each(|sub_rule| {
            let owner = core.sub_rules.owner(*sub_rule);
            scratch.owner = Some(owner);
            if !scratch.owners.has(owner) && matches(core, event, scratch, *sub_rule)? {
                scratch.owners.add(owner);
                found(owner);
            }
            Ok(())
        })
    });
    scratch.sink.sub_rules = candidates;
    outcome.map_err(|OutOfSteps| event::Error::too_costly(scratch.steps))
}

impl Core {
    /// Reads an event, for [`Core::test`], with a budget of steps.
    pub(crate) fn read(
        &self,
        event: &[u8],
        scratch: &mut Scratch,
        steps: u64,
    ) -> Result<(), event::Error> {
        prepare(self, event, scratch, steps)
    }

    /// Tests a sub-rule on the event read before, whether or not the index leads to the sub-rule.
    pub(crate) fn test(
        &self,
        event: &[u8],
        scratch: &mut Scratch,
        sub_rule: u32,
    ) -> Result<bool, OutOfSteps> {
        matches(self, event, scratch, sub_rule)
    }
}

/// Reads the event into the scratch, with a budget of steps.
fn prepare(
    core: &Core,
    event: &[u8],
    scratch: &mut Scratch,
    steps: u64,
) -> Result<(), event::Error> {
    scratch.owner = None;
    scratch.steps = Steps::allow(steps);
    flatten(&core.paths, event, &mut scratch.leaves, &mut scratch.buffers)?;
    scratch.search.reset(scratch.leaves.array_count());
    scratch.satisfying.clear();
    scratch.all.clear();
    scratch.arena.clear();
    Ok(())
}

/// Whether a sub-rule matches the event in the scratch.
fn matches(
    core: &Core,
    event: &[u8],
    scratch: &mut Scratch,
    sub_rule: u32,
) -> Result<bool, OutOfSteps> {
    scratch.open.clear();
    for id in core.sub_rules.conditions(sub_rule) {
        scratch.steps.spend(1)?;
        let Some(condition) = core.conditions.get(*id) else { return Ok(false) };
        match alone(condition, *id, event, scratch)? {
            Alone::Holds => {}
            Alone::Fails => return Ok(false),
            Alone::Depends => scratch.open.push(*id),
        }
    }
    // The rest is about leaves in arrays. A single condition constrains nothing.
    match scratch.open[..] {
        [] => Ok(true),
        [id] => {
            let Some(condition) = core.conditions.get(id) else { return Ok(false) };
            let Some(list) = scratch.leaves.of(condition.field) else { return Ok(false) };
            any(condition, id, list, event, scratch)
        }
        _ => together(core, event, scratch),
    }
}

/// Tests a condition as far as possible on its own: fields outside arrays.
fn alone(
    condition: &Condition,
    id: ConditionId,
    event: &[u8],
    scratch: &mut Scratch,
) -> Result<Alone, OutOfSteps> {
    let Some(list) = scratch.leaves.of(condition.field) else {
        return Ok(if condition.absent { Alone::Holds } else { Alone::Fails });
    };
    if list.in_arrays {
        return Ok(Alone::Depends);
    }
    let holds = any(condition, id, list, event, scratch)?;
    Ok(if holds { Alone::Holds } else { Alone::Fails })
}

/// Whether any leaf of the field satisfies the condition.
fn any(
    condition: &Condition,
    id: ConditionId,
    list: LeafList,
    event: &[u8],
    scratch: &mut Scratch,
) -> Result<bool, OutOfSteps> {
    if list.count > LIST_FROM {
        let (start, end) = listed(condition, id, list, event, scratch)?.range;
        return Ok(start < end);
    }
    let Scratch { leaves, steps, .. } = scratch;
    for (_, leaf) in leaves.iter(list) {
        let value = leaves.value(event, leaf);
        steps.spend(condition.cost.steps(value))?;
        if satisfied(&condition.alternatives, value) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The leaves satisfying the condition.
fn listed(
    condition: &Condition,
    id: ConditionId,
    list: LeafList,
    event: &[u8],
    scratch: &mut Scratch,
) -> Result<Satisfying, OutOfSteps> {
    if let Some(known) = scratch.satisfying.get(&id) {
        return Ok(*known);
    }
    let start = scratch.arena.len();
    let mut any_outside = false;
    let Scratch { leaves, steps, arena, .. } = scratch;
    for (number, leaf) in leaves.iter(list) {
        let value = leaves.value(event, leaf);
        steps.spend(condition.cost.steps(value))?;
        if satisfied(&condition.alternatives, value) {
            any_outside |= leaf.context == OUTSIDE;
            arena.push(number);
        }
    }
    let found = Satisfying { range: (start, arena.len()), any_outside };
    scratch.satisfying.insert(id, found);
    Ok(found)
}

/// All leaves of a field, as a range of the arena.
fn all_of(
    field: FieldId,
    list: LeafList,
    scratch: &mut Scratch,
) -> Result<(usize, usize), OutOfSteps> {
    let Scratch { all, arena, leaves, steps, .. } = scratch;
    if let Some(known) = all.get(&field) {
        return Ok(*known);
    }
    steps.spend(u64::from(list.count))?;
    let start = arena.len();
    arena.extend(leaves.iter(list).map(|(number, _)| number));
    let range = (start, arena.len());
    all.insert(field, range);
    Ok(range)
}

/// Looks for leaves that agree on the array elements, a leaf for each open condition.
fn together(core: &Core, event: &[u8], scratch: &mut Scratch) -> Result<bool, OutOfSteps> {
    let open = std::mem::take(&mut scratch.open);
    let mut positions = scratch.search.take_positions();
    let possible = positions_of(core, event, &open, scratch, &mut positions);
    scratch.open = open;
    let outcome = match possible {
        Ok(true) => {
            let Scratch { search, leaves, arena, steps, .. } = scratch;
            search.run(leaves, arena, &positions, steps)
        }
        other => other,
    };
    scratch.search.give_positions(positions);
    outcome
}

/// The choices for each open condition that constrains the others; false when a condition cannot be
/// satisfied at all.
fn positions_of(
    core: &Core,
    event: &[u8],
    open: &[ConditionId],
    scratch: &mut Scratch,
    positions: &mut Vec<Position>,
) -> Result<bool, OutOfSteps> {
    let any_absent = open.iter().any(|id| core.conditions.get(*id).is_some_and(|one| one.absent));
    for id in open {
        scratch.steps.spend(1)?;
        let Some(condition) = core.conditions.get(*id) else { continue };
        let Some(list) = scratch.leaves.of(condition.field) else { continue };
        let Satisfying { range, any_outside } = listed(condition, *id, list, event, scratch)?;
        if !condition.absent && range.0 == range.1 {
            return Ok(false);
        }
        // A leaf outside arrays agrees with every other choice, so such a leaf is always a good
        // choice, unless a choice could help by ruling out the leaves of an absent field.
        if !any_absent && any_outside {
            continue;
        }
        let absent = match condition.absent {
            true => Some(all_of(condition.field, list, scratch)?),
            false => None,
        };
        positions.push(Position { satisfying: range, absent });
    }
    Ok(true)
}
