//! The leaves of one event and the array elements around them.

use crate::limits::narrow;
use crate::matcher::Value;
use crate::number::Number;

use super::paths::FieldId;

/// The context of a leaf outside array elements.
pub(crate) const OUTSIDE: u32 = 0;

const NONE: u32 = u32::MAX;

/// A scalar of an event, at a path named by a rule.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Leaf {
    kind: Kind,
    /// The innermost array element around the leaf, or [`OUTSIDE`].
    pub(crate) context: u32,
    start: u32,
    end: u32,
    /// The next leaf of the same field.
    next: u32,
    number: Option<Number>,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    /// A string without escapes: a range of the event.
    Text,
    /// A string with escapes: a range of the decoded texts.
    Decoded,
    Number,
    True,
    False,
    Null,
}

/// An array element that is an object or an array.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Context {
    /// The element around the array.
    pub(crate) parent: u32,
    pub(crate) array: u32,
    /// The number of the first leaf inside ...
    pub(crate) first_leaf: u32,
    /// ... to before here.
    pub(crate) end_leaf: u32,
}

/// Where the leaves of a field start and end, valid in the round that wrote the slot.
#[derive(Clone, Copy, Default)]
struct Slot {
    round: u32,
    head: u32,
    tail: u32,
    count: u32,
    in_arrays: bool,
}

/// The leaves of an event, numbered in document order, so the leaves inside an array or an array
/// element are a run.
#[derive(Default)]
pub(crate) struct Leaves {
    leaves: Vec<Leaf>,
    contexts: Vec<Context>,
    /// For each array, the number of the leaf after the array's last leaf.
    array_ends: Vec<u32>,
    decoded: Vec<u8>,
    slots: Vec<Slot>,
    round: u32,
    present: Vec<FieldId>,
}

/// The leaves of a field.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LeafList {
    head: u32,
    pub(crate) count: u32,
    /// Some of the leaves are in array elements.
    pub(crate) in_arrays: bool,
}

impl Leaves {
    /// Starts a new event for a machine of `field_count` fields.
    pub(crate) fn reset(&mut self, field_count: usize) {
        self.leaves.clear();
        self.contexts.clear();
        self.array_ends.clear();
        self.decoded.clear();
        self.present.clear();
        self.round = self.round.wrapping_add(1);
        if self.round == 0 {
            self.slots.clear();
            self.round = 1;
        }
        if self.slots.len() < field_count {
            self.slots.resize(field_count, Slot::default());
        }
        // Contexts and arrays number from 1: 0 is "outside" and "no choice".
        self.contexts.push(Context { parent: 0, array: 0, first_leaf: 0, end_leaf: NONE });
        self.array_ends.push(NONE);
    }

    /// The fields with leaves.
    pub(crate) fn present(&self) -> &[FieldId] {
        &self.present
    }

    #[inline]
    pub(crate) fn of(&self, field: FieldId) -> Option<LeafList> {
        let slot = self.slots.get(field as usize).filter(|slot| slot.round == self.round)?;
        Some(LeafList { head: slot.head, count: slot.count, in_arrays: slot.in_arrays })
    }

    /// The leaves of a list with the leaves' numbers, ascending.
    #[inline]
    pub(crate) fn iter(&self, list: LeafList) -> impl Iterator<Item = (u32, &Leaf)> {
        let mut at = list.head;
        std::iter::from_fn(move || {
            let leaf = self.leaves.get(at as usize)?;
            let number = at;
            at = leaf.next;
            Some((number, leaf))
        })
    }

    pub(crate) fn leaf(&self, number: u32) -> Option<&Leaf> {
        self.leaves.get(number as usize)
    }

    pub(crate) fn context(&self, id: u32) -> Option<&Context> {
        self.contexts.get(id as usize).filter(|_| id != OUTSIDE)
    }

    pub(crate) fn array_count(&self) -> usize {
        self.array_ends.len()
    }

    /// The number of the leaf after the last of an array.
    pub(crate) fn array_end(&self, array: u32) -> u32 {
        self.array_ends.get(array as usize).copied().unwrap_or(NONE)
    }

    /// The value of a leaf.
    #[inline]
    pub(crate) fn value<'a>(&'a self, event: &'a [u8], leaf: &Leaf) -> Value<'a> {
        let range = leaf.start as usize..leaf.end as usize;
        match leaf.kind {
            Kind::Text => Value::Text(event.get(range).unwrap_or_default()),
            Kind::Decoded => Value::Text(self.decoded.get(range).unwrap_or_default()),
            Kind::Number => Value::Number(event.get(range).unwrap_or_default(), leaf.number),
            Kind::True => Value::True,
            Kind::False => Value::False,
            Kind::Null => Value::Null,
        }
    }

    pub(super) fn open_array(&mut self) -> u32 {
        self.array_ends.push(NONE);
        narrow(self.array_ends.len() - 1)
    }

    pub(super) fn close_array(&mut self, array: u32) {
        let end = narrow(self.leaves.len());
        if let Some(slot) = self.array_ends.get_mut(array as usize) {
            *slot = end;
        }
    }

    pub(super) fn open_element(&mut self, parent: u32, array: u32) -> u32 {
        let first_leaf = narrow(self.leaves.len());
        self.contexts.push(Context { parent, array, first_leaf, end_leaf: NONE });
        narrow(self.contexts.len() - 1)
    }

    pub(super) fn close_element(&mut self, context: u32) {
        let end = narrow(self.leaves.len());
        if let Some(slot) = self.contexts.get_mut(context as usize) {
            slot.end_leaf = end;
        }
    }

    pub(super) fn push_text(&mut self, field: FieldId, context: u32, start: usize, end: usize) {
        self.push(field, context, Kind::Text, start, end, None);
    }

    pub(super) fn push_escaped(&mut self, field: FieldId, context: u32, raw: &[u8]) {
        let start = self.decoded.len();
        crate::json::decode(raw, &mut self.decoded);
        self.push(field, context, Kind::Decoded, start, self.decoded.len(), None);
    }

    pub(super) fn push_number(
        &mut self,
        field: FieldId,
        context: u32,
        start: usize,
        end: usize,
        number: Option<Number>,
    ) {
        self.push(field, context, Kind::Number, start, end, number);
    }

    /// Adds `true`, `false` or `null`, known by its first letter.
    pub(super) fn push_literal(&mut self, field: FieldId, context: u32, first: u8) {
        let kind = match first {
            b't' => Kind::True,
            b'f' => Kind::False,
            _ => Kind::Null,
        };
        self.push(field, context, kind, 0, 0, None);
    }

    #[inline]
    fn push(
        &mut self,
        field: FieldId,
        context: u32,
        kind: Kind,
        start: usize,
        end: usize,
        number: Option<Number>,
    ) {
        let id = narrow(self.leaves.len());
        let (start, end) = (narrow(start), narrow(end));
        self.leaves.push(Leaf { kind, context, start, end, next: NONE, number });
        let Some(slot) = self.slots.get_mut(field as usize) else { return };
        if slot.round != self.round {
            *slot = Slot { round: self.round, head: id, tail: id, count: 1, in_arrays: false };
            self.present.push(field);
        } else {
            if let Some(last) = self.leaves.get_mut(slot.tail as usize) {
                last.next = id;
            }
            slot.tail = id;
            slot.count += 1;
        }
        slot.in_arrays |= context != OUTSIDE;
    }
}
