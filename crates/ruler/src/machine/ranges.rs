//! Ranges of numbers, found by a number inside, in time proportional to the hits alone.
//!
//! An interval tree over the 64-bit keys, of fixed shape: a range lives at the longest common bit
//! prefix of its two ends, and thus spans the middle of the keys below the prefix. A number below
//! the middle is inside unless below the low end; any other number is inside unless above the high
//! end. A lookup visits a place for each prefix length in use, at most 64.

use std::collections::{BTreeMap, HashMap};

use super::posting::Posting;

#[derive(Default)]
pub(super) struct Ranges {
    places: HashMap<(u32, u64), Place, foldhash::fast::RandomState>,
    /// Bit n: a prefix of n bits is in use. Never cleared while the field is indexed.
    lengths: u64,
}

#[derive(Default)]
struct Place {
    by_low: BTreeMap<u64, Posting>,
    by_high: BTreeMap<u64, Posting>,
}

/// The low or the high entry of a range.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum End {
    Low,
    High,
}

fn prefix(key: u64, length: u32) -> u64 {
    key.checked_shr(64 - length).unwrap_or(0)
}

/// The place of a range: the length of the shared prefix, and the prefix. The ends differ.
fn place_of(low: u64, high: u64) -> (u32, u64) {
    let length = (low ^ high).leading_zeros().min(63);
    (length, prefix(low, length))
}

impl Ranges {
    pub(super) fn get(&self, low: u64, high: u64, end: End) -> Option<&Posting> {
        let place = self.places.get(&place_of(low, high))?;
        match end {
            End::Low => place.by_low.get(&low),
            End::High => place.by_high.get(&high),
        }
    }

    pub(super) fn get_or_insert(&mut self, low: u64, high: u64, end: End) -> &mut Posting {
        let key = place_of(low, high);
        self.lengths |= 1 << key.0;
        let place = self.places.entry(key).or_default();
        match end {
            End::Low => place.by_low.entry(low).or_default(),
            End::High => place.by_high.entry(high).or_default(),
        }
    }

    pub(super) fn remove(&mut self, low: u64, high: u64, end: End) {
        let key = place_of(low, high);
        let Some(place) = self.places.get_mut(&key) else { return };
        match end {
            End::Low => place.by_low.remove(&low),
            End::High => place.by_high.remove(&high),
        };
        if place.by_low.is_empty() && place.by_high.is_empty() {
            self.places.remove(&key);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Visits the ranges around the number. Returns the number of places looked at.
    pub(super) fn visit<'a>(&'a self, number: u64, mut found: impl FnMut(&'a Posting)) -> u64 {
        let mut lengths = self.lengths;
        let steps = u64::from(lengths.count_ones());
        while lengths != 0 {
            let length = lengths.trailing_zeros();
            lengths &= lengths - 1;
            let Some(place) = self.places.get(&(length, prefix(number, length))) else { continue };
            let below_middle = number >> (63 - length) & 1 == 0;
            if below_middle {
                place.by_low.range(..=number).for_each(|(_, posting)| found(posting));
            } else {
                place.by_high.range(number..).for_each(|(_, posting)| found(posting));
            }
        }
        steps
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_a_walk_over_all_ranges_finds() {
        let mut state = 7_u64;
        let mut next = |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33) % below
        };
        let mut ranges = Ranges::default();
        let mut all = Vec::new();
        for id in 0..300 {
            let low = next(1000);
            let high = low + 1 + next(if id % 3 == 0 { 900 } else { 9 });
            for end in [End::Low, End::High] {
                let posting = ranges.get_or_insert(low, high, end);
                let Posting::List(list) = posting else { panic!("a list") };
                list.push(id);
            }
            all.push((low, high));
        }
        for number in 0..2000 {
            let mut found = Vec::new();
            ranges.visit(number, |posting| {
                let Posting::List(list) = posting else { panic!("a list") };
                found.extend_from_slice(list.as_slice());
            });
            found.sort_unstable();
            let expected: Vec<u32> = (0..300)
                .filter(|id| (all[*id as usize].0..=all[*id as usize].1).contains(&number))
                .collect();
            assert_eq!(found, expected, "{number}");
        }
    }
}
