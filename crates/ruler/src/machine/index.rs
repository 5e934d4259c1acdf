//! From the leaves of an event to the candidate sub-rules.
//!
//! A sub-rule stands under a single field, the most selective when the sub-rule is added; the other
//! fields are tested when the first is hit. Where a value of a field leads to many sub-rules
//! (`account = acme`, in every rule), a second field tells the sub-rules apart again, and so on. So
//! an event reaches few sub-rules without a match, whatever fields the sub-rules share.

use super::conditions::{Condition, Conditions};
use super::field_index::FieldIndex;
use super::places::{Keys, Place, places};
use super::posting::Posting;
use super::scratch::Sink;
use super::sub_rules::SubRules;
use crate::event::{FieldId, Leaves};
use crate::limits::narrow;
use crate::steps::{OutOfSteps, Steps};

/// A list with this many sub-rules is replaced by a node that tells the sub-rules apart. For a
/// shorter list, testing the sub-rules in turn is as fast, and a node costs memory.
const SPLIT_AT: usize = 32;

/// Longer lists of values are not used to tell the sub-rules of a node apart: each value is an
/// entry, again in every node the sub-rule is in.
const MAX_SPLIT_VALUES: usize = 8;

/// The index of a machine: nodes, the first being the root.
pub(super) struct Index {
    nodes: Vec<Node>,
    free: Vec<u32>,
    pub(super) keys: Keys,
}

/// Sub-rules, told apart by a field each.
#[derive(Default)]
struct Node {
    /// Sorted by field.
    fields: Vec<(FieldId, FieldIndex)>,
    /// Candidates when the field is absent, or may be in some array element. Sorted by field.
    absent: Vec<(FieldId, Posting)>,
    /// Candidates always.
    direct: Vec<u32>,
    /// The fields that led the sub-rules here by value.
    used: Vec<FieldId>,
}

/// The parts of the machine needed by the index.
#[derive(Clone, Copy)]
pub(super) struct Tables<'a> {
    pub(super) conditions: &'a Conditions,
    pub(super) sub_rules: &'a SubRules,
}

impl Index {
    pub(super) fn new() -> Self {
        Index { nodes: vec![Node::default()], free: Vec::new(), keys: Keys::default() }
    }

    pub(super) fn node_count(&self) -> usize {
        self.nodes.len()
    }

    /// Adds a sub-rule.
    pub(super) fn insert(&mut self, tables: Tables<'_>, sub_rule: u32) {
        self.insert_into(tables, 0, sub_rule);
    }

    fn insert_into(&mut self, tables: Tables<'_>, node_id: u32, sub_rule: u32) {
        let Some(node) = self.nodes.get(node_id as usize) else { return };
        let anchor = node.anchor(&self.keys, tables, node_id == 0, sub_rule);
        let Some((field, places)) = anchor else {
            if let Some(node) = self.nodes.get_mut(node_id as usize) {
                node.direct.push(sub_rule);
            }
            return;
        };
        for place in places {
            self.insert_at(tables, node_id, field, &place, sub_rule);
        }
    }

    fn insert_at(
        &mut self,
        tables: Tables<'_>,
        node_id: u32,
        field: FieldId,
        place: &Place,
        sub_rule: u32,
    ) {
        let new_id = self.free.last().copied().unwrap_or(narrow(self.nodes.len()));
        let Some(node) = self.nodes.get_mut(node_id as usize) else { return };
        let mut used = node.used.clone();
        let Some(posting) = node.get_or_insert(field, place) else { return };
        let list = match posting {
            Posting::Node(inner) => {
                let inner = *inner;
                return self.insert_into(tables, inner, sub_rule);
            }
            Posting::List(list) => list,
        };
        list.push(sub_rule);
        if list.as_slice().len() < SPLIT_AT {
            return;
        }
        let list = std::mem::take(list);
        *posting = Posting::Node(new_id);
        used.push(field);
        let node = Node { used, ..Node::default() };
        match self.free.pop().and_then(|id| self.nodes.get_mut(id as usize)) {
            Some(slot) => *slot = node,
            None => self.nodes.push(node),
        }
        for sub_rule in list.as_slice() {
            self.insert_into(tables, new_id, *sub_rule);
        }
    }

    /// Removes a sub-rule; the tables must still hold the sub-rule.
    pub(super) fn remove(&mut self, tables: Tables<'_>, sub_rule: u32) {
        self.remove_from(tables, 0, sub_rule);
    }

    fn remove_from(&mut self, tables: Tables<'_>, node_id: u32, sub_rule: u32) {
        let Some(node) = self.nodes.get_mut(node_id as usize) else { return };
        if let Some(at) = node.direct.iter().position(|id| *id == sub_rule) {
            node.direct.swap_remove(at);
            return;
        }
        for id in tables.sub_rules.conditions(sub_rule) {
            let Some(condition) = tables.conditions.get(*id) else { continue };
            for place in places(&self.keys, *id, condition) {
                self.remove_at(tables, node_id, condition.field, &place, sub_rule);
            }
        }
    }

    fn remove_at(
        &mut self,
        tables: Tables<'_>,
        node_id: u32,
        field: FieldId,
        place: &Place,
        sub_rule: u32,
    ) {
        let Some(node) = self.nodes.get_mut(node_id as usize) else { return };
        // A field used above this node is in no index here.
        if node.get(field, place).is_none() {
            return;
        }
        let Some(posting) = node.get_or_insert(field, place) else { return };
        let emptied = match posting {
            Posting::List(list) => {
                list.remove(sub_rule);
                posting.is_empty()
            }
            Posting::Node(inner) => {
                let inner = *inner;
                self.remove_from(tables, inner, sub_rule);
                let emptied = self.nodes.get(inner as usize).is_some_and(Node::is_empty);
                if emptied {
                    self.free.push(inner);
                }
                emptied
            }
        };
        if emptied && let Some(node) = self.nodes.get_mut(node_id as usize) {
            node.remove(field, place);
        }
    }

    /// Collects the sub-rules for the leaves.
    pub(super) fn candidates(
        &self,
        conditions: &Conditions,
        event: &[u8],
        leaves: &Leaves,
        sink: &mut Sink,
        steps: &mut Steps,
    ) -> Result<(), OutOfSteps> {
        sink.nodes.push(0);
        while let Some(id) = sink.nodes.pop() {
            let Some(node) = self.nodes.get(id as usize) else { continue };
            steps.spend(sink.take_all(&node.direct))?;
            node.each_present(leaves, |field, index| {
                steps.spend(1)?;
                let Some(list) = leaves.of(field) else { return Ok(()) };
                for (_, leaf) in leaves.iter(list) {
                    let value = leaves.value(event, leaf);
                    let mut taken = 0;
                    let mut buffer = std::mem::take(&mut sink.buffer);
                    let visited = index.visit(&self.keys, value, &mut buffer, |posting| {
                        taken += sink.take(posting);
                    });
                    sink.buffer = buffer;
                    steps.spend(visited + taken)?;
                    sink.scan(conditions, index.scans(), value, steps)?;
                }
                Ok(())
            })?;
            for (field, posting) in &node.absent {
                steps.spend(1)?;
                // A leaf in an array element leaves the others without.
                if leaves.of(*field).is_none_or(|list| list.in_arrays) {
                    steps.spend(sink.take(posting))?;
                }
            }
        }
        Ok(())
    }
}

impl Node {
    fn is_empty(&self) -> bool {
        self.fields.is_empty() && self.absent.is_empty() && self.direct.is_empty()
    }

    fn each_present<'a>(
        &'a self,
        leaves: &Leaves,
        mut each: impl FnMut(FieldId, &'a FieldIndex) -> Result<(), OutOfSteps>,
    ) -> Result<(), OutOfSteps> {
        if self.fields.len() <= leaves.present().len() {
            return self.fields.iter().try_for_each(|(field, index)| each(*field, index));
        }
        for field in leaves.present() {
            if let Some(index) = self.index(*field) {
                each(*field, index)?;
            }
        }
        Ok(())
    }

    fn index(&self, field: FieldId) -> Option<&FieldIndex> {
        let at = self.fields.binary_search_by_key(&field, |(field, _)| *field).ok()?;
        self.fields.get(at).map(|(_, index)| index)
    }

    fn get(&self, field: FieldId, place: &Place) -> Option<&Posting> {
        if *place == Place::Absent {
            let at = self.absent.binary_search_by_key(&field, |(field, _)| *field).ok()?;
            return self.absent.get(at).map(|(_, posting)| posting);
        }
        self.index(field)?.get(place)
    }

    fn get_or_insert(&mut self, field: FieldId, place: &Place) -> Option<&mut Posting> {
        if *place == Place::Absent {
            return Some(slot(&mut self.absent, field));
        }
        slot(&mut self.fields, field).get_or_insert(place)
    }

    fn remove(&mut self, field: FieldId, place: &Place) {
        if *place == Place::Absent {
            self.absent.retain(|(other, _)| *other != field);
            return;
        }
        let Ok(at) = self.fields.binary_search_by_key(&field, |(field, _)| *field) else { return };
        if let Some((_, index)) = self.fields.get_mut(at) {
            index.remove(place);
            if index.is_empty() {
                self.fields.remove(at);
            }
        }
    }

    /// The best field for a sub-rule, with the sub-rule's places there; `None` to keep the sub-rule
    /// among the constant candidates, never in the root.
    fn anchor(
        &self,
        keys: &Keys,
        tables: Tables<'_>,
        is_root: bool,
        sub_rule: u32,
    ) -> Option<(FieldId, Vec<Place>)> {
        let mut best: Option<(usize, FieldId, Vec<Place>)> = None;
        for id in tables.sub_rules.conditions(sub_rule) {
            let Some(condition) = tables.conditions.get(*id) else { continue };
            if self.used.contains(&condition.field) || !(is_root || splits(condition)) {
                continue;
            }
            let places = places(keys, *id, condition);
            let found_at_all = |place: &Place| !matches!(place, Place::Absent | Place::Scan(_));
            if !is_root && !places.iter().all(found_at_all) {
                continue;
            }
            let cost = places.iter().map(|place| self.cost(condition.field, place)).sum();
            if best.as_ref().is_none_or(|(least, ..)| cost < *least) {
                best = Some((cost, condition.field, places));
            }
        }
        best.map(|(_, field, places)| (field, places))
    }

    /// An estimate of how many candidates an event will share the place with.
    fn cost(&self, field: FieldId, place: &Place) -> usize {
        let kind = match place {
            Place::Exact(..) => 0,
            Place::Block(..) | Place::Prefix(_) | Place::Suffix(_) => 1,
            Place::FoldedPrefix(_) | Place::FoldedSuffix(_) => 1,
            Place::Range(..) => 4,
            Place::Absent => 2 * SPLIT_AT,
            Place::Scan(_) => 4 * SPLIT_AT,
        };
        let shared = match self.get(field, place) {
            None => 0,
            Some(Posting::List(list)) => list.as_slice().len(),
            Some(Posting::Node(_)) => SPLIT_AT,
        };
        kind + shared
    }
}

/// Whether a condition may tell the sub-rules of a node apart.
fn splits(condition: &Condition) -> bool {
    condition.alternatives.len() <= MAX_SPLIT_VALUES && !condition.absent
}

/// The entry of a field in a sorted list, made if need be.
fn slot<T: Default>(list: &mut Vec<(FieldId, T)>, field: FieldId) -> &mut T {
    let at = match list.binary_search_by_key(&field, |(field, _)| *field) {
        Ok(at) => at,
        Err(at) => {
            list.insert(at, (field, T::default()));
            at
        }
    };
    &mut list[at].1
}
