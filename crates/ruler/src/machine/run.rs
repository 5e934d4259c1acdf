//! Matching one event: collect the candidates, then test each.

use super::Core;
use super::conditions::{Condition, ConditionId};
use super::scratch::Scratch;
use super::search::{Position, TooManySteps};
use crate::event::{self, FieldId, LeafList, OUTSIDE, flatten};
use crate::matcher::satisfied;

/// Fields with more leaves than this have the leaves that satisfy a condition listed once, for
/// all sub-rules that state it.
const LIST_FROM: u32 = 8;

/// The outcome of one condition on its own.
enum Alone {
    Holds,
    Fails,
    /// It depends on the array elements that the other conditions choose.
    Depends,
}

/// Calls `found` with the number of each rule that matches, once.
pub(super) fn run(
    core: &Core,
    event: &[u8],
    scratch: &mut Scratch,
    mut found: impl FnMut(u32),
) -> Result<(), event::Error> {
    prepare(core, event, scratch)?;
    scratch.sink.reset(core.sub_rules.bound(), core.index.node_count(), core.conditions.bound());
    scratch.owners.reset(core.owner_bound);
    core.index.candidates(&core.conditions, event, &scratch.leaves, &mut scratch.sink);
    let candidates = std::mem::take(&mut scratch.sink.sub_rules);
    let outcome = candidates.iter().try_for_each(|sub_rule| {
        let owner = core.sub_rules.owner(*sub_rule);
        if !scratch.owners.has(owner) && matches(core, event, scratch, *sub_rule)? {
            scratch.owners.add(owner);
            found(owner);
        }
        Ok(())
    });
    scratch.sink.sub_rules = candidates;
    outcome
}

/// Reads the event into the scratch.
pub(super) fn prepare(
    core: &Core,
    event: &[u8],
    scratch: &mut Scratch,
) -> Result<(), event::Error> {
    flatten(&core.paths, event, &mut scratch.leaves, &mut scratch.buffers)?;
    scratch.satisfying.clear();
    scratch.all.clear();
    scratch.arena.clear();
    Ok(())
}

/// Whether a sub-rule matches the event in the scratch.
pub(super) fn matches(
    core: &Core,
    event: &[u8],
    scratch: &mut Scratch,
    sub_rule: u32,
) -> Result<bool, event::Error> {
    scratch.open.clear();
    for id in core.sub_rules.conditions(sub_rule) {
        let Some(condition) = core.conditions.get(*id) else { return Ok(false) };
        match alone(condition, *id, event, scratch) {
            Alone::Holds => {}
            Alone::Fails => return Ok(false),
            Alone::Depends => scratch.open.push(*id),
        }
    }
    // The rest is about leaves in arrays. One condition alone constrains nothing.
    match scratch.open[..] {
        [] => Ok(true),
        [id] => Ok(core.conditions.get(id).is_some_and(|condition| {
            scratch
                .leaves
                .of(condition.field)
                .is_some_and(|list| any(condition, id, list, event, scratch))
        })),
        _ => together(core, event, scratch),
    }
}

/// Tests one condition as far as it can be on its own: fields outside arrays.
fn alone(condition: &Condition, id: ConditionId, event: &[u8], scratch: &mut Scratch) -> Alone {
    let Some(list) = scratch.leaves.of(condition.field) else {
        return if condition.absent { Alone::Holds } else { Alone::Fails };
    };
    if list.in_arrays {
        return Alone::Depends;
    }
    if any(condition, id, list, event, scratch) { Alone::Holds } else { Alone::Fails }
}

/// Whether any leaf of the field satisfies the condition.
fn any(
    condition: &Condition,
    id: ConditionId,
    list: LeafList,
    event: &[u8],
    scratch: &mut Scratch,
) -> bool {
    if list.count > LIST_FROM {
        let (start, end) = listed(condition, id, list, event, scratch);
        return start < end;
    }
    let leaves = &scratch.leaves;
    leaves.iter(list).any(|(_, leaf)| satisfied(&condition.alternatives, leaves.value(event, leaf)))
}

/// The leaves that satisfy the condition, as a range of the arena.
fn listed(
    condition: &Condition,
    id: ConditionId,
    list: LeafList,
    event: &[u8],
    scratch: &mut Scratch,
) -> (usize, usize) {
    if let Some(range) = scratch.satisfying.get(&id) {
        return *range;
    }
    let start = scratch.arena.len();
    let leaves = &scratch.leaves;
    for (number, leaf) in leaves.iter(list) {
        if satisfied(&condition.alternatives, leaves.value(event, leaf)) {
            scratch.arena.push(number);
        }
    }
    let range = (start, scratch.arena.len());
    scratch.satisfying.insert(id, range);
    range
}

/// All leaves of a field, as a range of the arena.
fn all_of(field: FieldId, list: LeafList, scratch: &mut Scratch) -> (usize, usize) {
    let Scratch { all, arena, leaves, .. } = scratch;
    *all.entry(field).or_insert_with(|| {
        let start = arena.len();
        arena.extend(leaves.iter(list).map(|(number, _)| number));
        (start, arena.len())
    })
}

/// Looks for leaves, one for each open condition, that agree on their array elements.
fn together(core: &Core, event: &[u8], scratch: &mut Scratch) -> Result<bool, event::Error> {
    let open = std::mem::take(&mut scratch.open);
    let any_absent = open.iter().any(|id| core.conditions.get(*id).is_some_and(|one| one.absent));
    let mut positions = scratch.search.take_positions();
    let mut possible = true;
    for id in &open {
        let Some(condition) = core.conditions.get(*id) else { continue };
        let Some(list) = scratch.leaves.of(condition.field) else { continue };
        let range = listed(condition, *id, list, event, scratch);
        let satisfying = scratch.arena.get(range.0..range.1).unwrap_or_default();
        possible &= condition.absent || !satisfying.is_empty();
        // A leaf outside arrays agrees with every other choice, so it is always a good one,
        // unless a choice could help by ruling out the leaves of an absent field.
        let outside =
            |leaf: &u32| scratch.leaves.leaf(*leaf).is_some_and(|leaf| leaf.context == OUTSIDE);
        if !any_absent && satisfying.iter().any(outside) {
            continue;
        }
        let absent = condition.absent.then(|| all_of(condition.field, list, scratch));
        positions.push(Position { satisfying: range, absent });
    }
    scratch.open = open;
    let outcome = if possible {
        scratch.search.run(&scratch.leaves, &scratch.arena, &positions)
    } else {
        Ok(false)
    };
    scratch.search.give_positions(positions);
    outcome.map_err(|TooManySteps| event::Error::TooAmbiguous)
}
