//! The index of a field: from a value to the sub-rules that may want the value.

use std::collections::BTreeMap;
use std::ops::Bound;

use super::conditions::{ConditionId, HashedMap};
use super::places::{Keys, Kind, Place};
use super::posting::Posting;
use super::ranges::Ranges;
use crate::fold::fold;
use crate::ip::{Address, Cidr};
use crate::matcher::Value;
use crate::number::Number;
use crate::steps::reading;

/// The cost of reversing or case-folding a text, in readings of the text: both go byte by byte.
const FOLDING: u64 = 8;

/// Steps for finding a key in order.
const LOOKUP: u64 = 4;

/// From values of a field to postings.
#[derive(Default)]
pub(super) struct FieldIndex {
    exact: HashedMap<Posting>,
    /// The [`Kind`]s held by `exact` now or before.
    kinds: u8,
    /// Conditions to evaluate for every value, sorted.
    scans: Vec<(ConditionId, Posting)>,
    /// Patterns, which most fields do without.
    patterns: Option<Box<Patterns>>,
}

#[derive(Default)]
struct Patterns {
    prefixes: Affixes,
    suffixes: Affixes,
    folded_prefixes: Affixes,
    folded_suffixes: Affixes,
    ranges: Ranges,
    /// The sizes of the blocks in use, bit n for n bits. The blocks' postings are in `exact`.
    v4_bits: u32,
    v6_bits: u128,
}

impl Patterns {
    fn is_empty(&self) -> bool {
        self.prefixes.0.is_empty()
            && self.suffixes.0.is_empty()
            && self.folded_prefixes.0.is_empty()
            && self.folded_suffixes.0.is_empty()
            && self.ranges.is_empty()
    }
}

impl FieldIndex {
    pub(super) fn scans(&self) -> &[(ConditionId, Posting)] {
        &self.scans
    }

    pub(super) fn is_empty(&self) -> bool {
        self.exact.is_empty()
            && self.scans.is_empty()
            && self.patterns.as_ref().is_none_or(|patterns| patterns.is_empty())
    }

    /// The posting at a place of the field.
    pub(super) fn get(&self, place: &Place) -> Option<&Posting> {
        let patterns = self.patterns.as_deref();
        match place {
            Place::Exact(hash, _) | Place::Block(hash, _) => self.exact.get(hash),
            Place::Prefix(key) => patterns?.prefixes.0.get(key),
            Place::Suffix(key) => patterns?.suffixes.0.get(key),
            Place::FoldedPrefix(key) => patterns?.folded_prefixes.0.get(key),
            Place::FoldedSuffix(key) => patterns?.folded_suffixes.0.get(key),
            Place::Range(low, high, end) => patterns?.ranges.get(*low, *high, *end),
            Place::Scan(id) => {
                let at = self.scans.binary_search_by_key(id, |(id, _)| *id).ok()?;
                self.scans.get(at).map(|(_, posting)| posting)
            }
            Place::Absent => None,
        }
    }

    /// The posting at a place of the field, made if need be; `None` for [`Place::Absent`], not a
    /// place of a field.
    pub(super) fn get_or_insert(&mut self, place: &Place) -> Option<&mut Posting> {
        let patterns = &mut self.patterns;
        Some(match place {
            Place::Exact(hash, kind) => {
                self.kinds |= *kind as u8;
                self.exact.entry(*hash).or_default()
            }
            Place::Block(hash, block) => {
                let patterns = patterns.get_or_insert_default();
                match block.base {
                    Address::V4(_) => patterns.v4_bits |= 1 << block.bits,
                    Address::V6(_) => patterns.v6_bits |= 1 << block.bits,
                }
                self.exact.entry(*hash).or_default()
            }
            Place::Prefix(key) => patterns.get_or_insert_default().prefixes.entry(key),
            Place::Suffix(key) => patterns.get_or_insert_default().suffixes.entry(key),
            Place::FoldedPrefix(key) => patterns.get_or_insert_default().folded_prefixes.entry(key),
            Place::FoldedSuffix(key) => patterns.get_or_insert_default().folded_suffixes.entry(key),
            Place::Range(low, high, end) => {
                patterns.get_or_insert_default().ranges.get_or_insert(*low, *high, *end)
            }
            Place::Scan(id) => {
                let at = match self.scans.binary_search_by_key(id, |(id, _)| *id) {
                    Ok(at) => at,
                    Err(at) => {
                        self.scans.insert(at, (*id, Posting::default()));
                        at
                    }
                };
                return self.scans.get_mut(at).map(|(_, posting)| posting);
            }
            Place::Absent => return None,
        })
    }

    /// Forgets the posting at a place.
    pub(super) fn remove(&mut self, place: &Place) {
        let Some(patterns) = &mut self.patterns else {
            match place {
                Place::Exact(hash, _) => drop(self.exact.remove(hash)),
                Place::Scan(id) => self.scans.retain(|(at, _)| at != id),
                _ => {}
            }
            return;
        };
        match place {
            Place::Exact(hash, _) | Place::Block(hash, _) => drop(self.exact.remove(hash)),
            Place::Prefix(key) => drop(patterns.prefixes.0.remove(key)),
            Place::Suffix(key) => drop(patterns.suffixes.0.remove(key)),
            Place::FoldedPrefix(key) => drop(patterns.folded_prefixes.0.remove(key)),
            Place::FoldedSuffix(key) => drop(patterns.folded_suffixes.0.remove(key)),
            Place::Range(low, high, end) => patterns.ranges.remove(*low, *high, *end),
            Place::Scan(id) => self.scans.retain(|(at, _)| at != id),
            Place::Absent => {}
        }
    }

    fn has(&self, kind: Kind) -> bool {
        self.kinds & kind as u8 != 0
    }

    /// Visits the postings for a value, other than postings to scan. Returns the steps taken,
    /// without the steps for the found postings.
    #[inline]
    pub(super) fn visit<'a>(
        &'a self,
        keys: &Keys,
        value: Value<'_>,
        buffer: &mut Vec<u8>,
        mut found: impl FnMut(&'a Posting),
    ) -> u64 {
        let literal = |kind| self.exact.get(&keys.literal(kind));
        match value {
            Value::Text(text) => return self.visit_text(keys, text, buffer, found),
            Value::Number(text, number) => return self.visit_number(keys, text, number, found),
            Value::True if self.has(Kind::True) => literal(Kind::True).into_iter().for_each(found),
            Value::False if self.has(Kind::False) => {
                literal(Kind::False).into_iter().for_each(found);
            }
            Value::Null if self.has(Kind::Null) => {
                literal(Kind::Null).into_iter().for_each(&mut found);
            }
            _ => {}
        }
        1
    }

    fn visit_text<'a>(
        &'a self,
        keys: &Keys,
        text: &[u8],
        buffer: &mut Vec<u8>,
        mut found: impl FnMut(&'a Posting),
    ) -> u64 {
        let mut steps = 1;
        if self.has(Kind::Text) {
            let hash = keys.bytes(Kind::Text, text);
            self.exact.get(&hash).into_iter().for_each(&mut found);
            steps += reading(text.len());
        }
        if self.has(Kind::Folded) {
            steps += FOLDING * reading(text.len());
            buffer.clear();
            fold(text, buffer);
            let hash = keys.bytes(Kind::Folded, buffer);
            self.exact.get(&hash).into_iter().for_each(&mut found);
        }
        let has_blocks =
            self.patterns.as_ref().is_some_and(|all| all.v4_bits != 0 || all.v6_bits != 0);
        if (self.has(Kind::Address) || has_blocks)
            && let Some(address) = Address::parse(text)
        {
            let hash = keys.address(address);
            self.exact.get(&hash).into_iter().for_each(&mut found);
            steps += self.visit_blocks(keys, address, &mut found);
        }
        if let Some(patterns) = &self.patterns {
            steps += patterns.visit_affixes(text, buffer, &mut found);
        }
        steps
    }

    fn visit_blocks<'a>(
        &'a self,
        keys: &Keys,
        address: Address,
        mut found: impl FnMut(&'a Posting),
    ) -> u64 {
        let Some(patterns) = &self.patterns else { return 0 };
        let mut sizes = match address {
            Address::V4(_) => u128::from(patterns.v4_bits),
            Address::V6(_) => patterns.v6_bits,
        };
        let mut steps = 0;
        while sizes != 0 {
            let block = Cidr::around(address, sizes.trailing_zeros());
            sizes &= sizes - 1;
            self.exact.get(&keys.block(block)).into_iter().for_each(&mut found);
            steps += 1;
        }
        steps
    }

    fn visit_number<'a>(
        &'a self,
        keys: &Keys,
        text: &[u8],
        number: Option<Number>,
        mut found: impl FnMut(&'a Posting),
    ) -> u64 {
        let Some(number) = number else {
            if self.has(Kind::NumberText) {
                let hash = keys.bytes(Kind::NumberText, text);
                self.exact.get(&hash).into_iter().for_each(found);
            }
            return 1;
        };
        if self.has(Kind::Number) {
            self.exact.get(&keys.number(number)).into_iter().for_each(&mut found);
        }
        match &self.patterns {
            Some(patterns) => 1 + patterns.ranges.visit(number.key(), found),
            None => 1,
        }
    }
}

impl Patterns {
    fn visit_affixes<'a>(
        &'a self,
        text: &[u8],
        buffer: &mut Vec<u8>,
        mut found: impl FnMut(&'a Posting),
    ) -> u64 {
        let mut steps = self.prefixes.visit(text, &mut found);
        if !self.suffixes.0.is_empty() {
            steps += FOLDING * reading(text.len());
            buffer.clear();
            buffer.extend(text.iter().rev());
            steps += self.suffixes.visit(buffer, &mut found);
        }
        if self.folded_prefixes.0.is_empty() && self.folded_suffixes.0.is_empty() {
            return steps;
        }
        steps += FOLDING * reading(text.len());
        buffer.clear();
        fold(text, buffer);
        steps += self.folded_prefixes.visit(buffer, &mut found);
        if !self.folded_suffixes.0.is_empty() {
            buffer.reverse();
            steps += self.folded_suffixes.visit(buffer, &mut found);
        }
        steps
    }
}

/// Texts, found by any text with the same start.
#[derive(Default)]
struct Affixes(BTreeMap<Box<[u8]>, Posting>);

impl Affixes {
    fn entry(&mut self, key: &[u8]) -> &mut Posting {
        if !self.0.contains_key(key) {
            self.0.insert(key.into(), Posting::default());
        }
        self.0.entry(key.into()).or_default()
    }

    fn last_up_to(&self, text: &[u8]) -> Option<(&[u8], &Posting)> {
        let (key, posting) =
            self.0.range::<[u8], _>((Bound::Unbounded, Bound::Included(text))).next_back()?;
        Some((key, posting))
    }

    /// Visits the keys at the start of `text`, the longest first. Returns the steps taken.
    ///
    /// All such keys sort at or before `text`. The last key at or before `text` either is such a
    /// key, or its common start with `text` bounds the length of the next. Each step shortens the
    /// length, and most texts take one or two steps.
    fn visit<'a>(&'a self, text: &[u8], mut found: impl FnMut(&'a Posting)) -> u64 {
        let mut bound = text;
        let mut steps = 0;
        while let Some((key, posting)) = self.last_up_to(bound) {
            let common = common_prefix(key, bound);
            // A key is found by a few comparisons, each with up to as much reading.
            steps += LOOKUP + FOLDING * reading(common);
            let is_prefix = common == key.len();
            if is_prefix {
                found(posting);
                if common == 0 {
                    break;
                }
            }
            bound = bound.get(..common - usize::from(is_prefix)).unwrap_or_default();
        }
        steps
    }
}

fn common_prefix(one: &[u8], other: &[u8]) -> usize {
    one.iter().zip(other).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn affixes_are_found_by_texts_that_start_with_them() {
        let mut affixes = Affixes::default();
        let keys = ["", "a", "ab", "abc", "abd", "b", "ba", "abcde", "ac"];
        for (id, key) in (0..).zip(keys) {
            let Posting::List(list) = affixes.entry(key.as_bytes()) else { panic!("a list") };
            list.push(id);
        }
        for text in ["", "a", "abcd", "abcdef", "abx", "aa", "zz", "b", "bab", "ad"] {
            let mut found = Vec::new();
            affixes.visit(text.as_bytes(), |posting| {
                let Posting::List(list) = posting else { panic!("a list") };
                found.extend(list.as_slice().iter().map(|id| keys[*id as usize]));
            });
            found.sort_unstable();
            let mut expected: Vec<_> =
                keys.into_iter().filter(|key| text.starts_with(key)).collect();
            expected.sort_unstable();
            assert_eq!(found, expected, "{text}");
        }
    }
}
