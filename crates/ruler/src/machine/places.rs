//! Where the alternatives of a condition stand in a field's index.

use std::hash::BuildHasher;

use super::conditions::{Condition, ConditionId};
use super::ranges::End;
use crate::fold::IgnoreCase;
use crate::ip::{Address, Cidr};
use crate::matcher::Matcher;
use crate::number::Number;
use crate::wildcard::Wildcard;

/// A place in a field's index. Every value that satisfies an alternative leads to the alternative's
/// place. The reverse need not hold, as candidates are verified.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Place {
    /// The hash of a value as a whole.
    Exact(u64, Kind),
    /// The hash of a block of addresses.
    Block(u64, Cidr),
    /// The start of a text.
    Prefix(Box<[u8]>),
    /// The end of a text, back to front.
    Suffix(Box<[u8]>),
    /// The start of a folded text.
    FoldedPrefix(Box<[u8]>),
    /// The end of a folded text, back to front.
    FoldedSuffix(Box<[u8]>),
    /// A range of number keys with two different ends.
    Range(u64, u64, End),
    /// The field has no leaf, or none in the chosen array elements.
    Absent,
    /// Nothing to look up: the condition is evaluated for every value.
    Scan(ConditionId),
}

/// The kinds of exact keys. Each hashes apart from the others, and a field's index notes the kinds
/// in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    Text = 1,
    Folded = 2,
    Number = 4,
    NumberText = 8,
    Address = 16,
    True = 32,
    False = 64,
    Null = 128,
}

/// Hashes of keys, seeded for each machine so nobody can build colliding events.
#[derive(Clone, Default)]
pub(super) struct Keys(foldhash::fast::RandomState);

impl Keys {
    #[inline]
    pub(super) fn bytes(&self, kind: Kind, bytes: &[u8]) -> u64 {
        self.0.hash_one((kind as u8, bytes))
    }

    pub(super) fn number(&self, number: Number) -> u64 {
        self.0.hash_one((Kind::Number as u8, number.key()))
    }

    pub(super) fn address(&self, address: Address) -> u64 {
        self.0.hash_one((Kind::Address as u8, address))
    }

    pub(super) fn literal(&self, kind: Kind) -> u64 {
        self.0.hash_one(kind as u8)
    }

    pub(super) fn block(&self, block: Cidr) -> u64 {
        self.0.hash_one(block)
    }
}

/// The places of a condition. A single alternative without a look-up makes the whole condition a
/// scanned condition.
pub(super) fn places(keys: &Keys, id: ConditionId, condition: &Condition) -> Vec<Place> {
    let mut places = Vec::with_capacity(condition.alternatives.len());
    for alternative in condition.alternatives.iter() {
        if add_place(keys, alternative, &mut places).is_none() {
            places.clear();
            places.push(Place::Scan(id));
            if condition.absent {
                places.push(Place::Absent);
            }
            break;
        }
    }
    places
}

/// Adds the place of an alternative; `None` when the alternative needs a scan.
fn add_place(keys: &Keys, alternative: &Matcher, places: &mut Vec<Place>) -> Option<()> {
    let text = |kind, text: &str| Place::Exact(keys.bytes(kind, text.as_bytes()), kind);
    let literal = |kind| Place::Exact(keys.literal(kind), kind);
    let place = match alternative {
        Matcher::Text(one) => text(Kind::Text, one),
        Matcher::NumberText(one) => text(Kind::NumberText, one),
        Matcher::Number(number) => Place::Exact(keys.number(*number), Kind::Number),
        Matcher::Ip(address) => Place::Exact(keys.address(*address), Kind::Address),
        Matcher::True => literal(Kind::True),
        Matcher::False => literal(Kind::False),
        Matcher::Null => literal(Kind::Null),
        Matcher::Prefix(one) => Place::Prefix(one.as_bytes().into()),
        Matcher::Suffix(one) => Place::Suffix(reversed(one.as_bytes())),
        Matcher::Equals(one) => Place::Exact(folded(keys, one)?, Kind::Folded),
        Matcher::PrefixIgnoreCase(one) => Place::FoldedPrefix(one.key()?.into()),
        Matcher::SuffixIgnoreCase(one) => Place::FoldedSuffix(reversed(&one.key()?)),
        Matcher::Wildcard(one) => wildcard(keys, one)?,
        Matcher::Range(range) => {
            let (low, high) = range.keys();
            if low > high {
                return Some(()); // between two neighbouring doubles: nothing to find
            }
            if low == high {
                Place::Exact(keys.0.hash_one((Kind::Number as u8, low)), Kind::Number)
            } else {
                places.push(Place::Range(low, high, End::Low));
                Place::Range(low, high, End::High)
            }
        }
        Matcher::Cidr(block) => Place::Block(keys.block(*block), *block),
        Matcher::Absent => Place::Absent,
        Matcher::Exists | Matcher::AnythingBut(_) => return None,
    };
    places.push(place);
    Some(())
}

fn folded(keys: &Keys, pattern: &IgnoreCase) -> Option<u64> {
    Some(keys.bytes(Kind::Folded, &pattern.key()?))
}

/// A wildcard is found by the longer of the two literal ends.
fn wildcard(keys: &Keys, pattern: &Wildcard) -> Option<Place> {
    let (head, tail) = (pattern.head(), pattern.tail());
    if pattern.stars() == 0 {
        return Some(Place::Exact(keys.bytes(Kind::Text, head), Kind::Text));
    }
    match head.len().max(tail.len()) {
        0 => None,
        length if length == head.len() => Some(Place::Prefix(head.into())),
        _ => Some(Place::Suffix(reversed(tail))),
    }
}

fn reversed(text: &[u8]) -> Box<[u8]> {
    text.iter().rev().copied().collect()
}
