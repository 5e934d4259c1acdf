//! An alternative of a field's list, and the test of values.

use crate::fold::IgnoreCase;
use crate::ip::{Address, Cidr};
use crate::number::Number;
use crate::steps::{count, reading};
use crate::wildcard::Wildcard;

/// A leaf of an event.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Value<'a> {
    /// A decoded string.
    Text(&'a [u8]),
    /// A number: as written, and the value of a comparable number.
    Number(&'a [u8], Option<Number>),
    True,
    False,
    Null,
}

/// One alternative.
///
/// The order matters: [`satisfied`] searches the leading variants of a sorted list by bisection.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Matcher {
    /// A string, character by character.
    Text(Box<str>),
    /// A comparable number.
    Number(Number),
    /// A bare string with an IP literal: any literal of the same address.
    Ip(Address),
    /// A number without an order: the same spelling only.
    NumberText(Box<str>),
    True,
    False,
    Null,
    Prefix(Box<str>),
    Suffix(Box<str>),
    Equals(IgnoreCase),
    PrefixIgnoreCase(IgnoreCase),
    SuffixIgnoreCase(IgnoreCase),
    Wildcard(Wildcard),
    Range(Range),
    Cidr(Cidr),
    Exists,
    /// The absence of the field; decided by the search, as no leaf can satisfy it.
    Absent,
    AnythingBut(Excluded),
}

/// A range of comparable numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Range {
    pub(crate) low: Option<Bound>,
    pub(crate) high: Option<Bound>,
}

/// An end of a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Bound {
    pub(crate) at: Number,
    pub(crate) inclusive: bool,
}

impl Range {
    /// The range as inclusive keys. An open end is the closed end at the neighbouring double.
    pub(crate) fn keys(self) -> (u64, u64) {
        let low = self.low.map_or(Number::LOWEST.key(), |low| {
            low.at.key().saturating_add(u64::from(!low.inclusive))
        });
        let high = self.high.map_or(Number::HIGHEST.key(), |high| {
            high.at.key().saturating_sub(u64::from(!high.inclusive))
        });
        (low, high)
    }

    fn contains(self, number: Number) -> bool {
        let (low, high) = self.keys();
        (low..=high).contains(&number.key())
    }
}

/// The values excluded by an `anything-but`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Excluded {
    /// Sorted.
    Texts(Box<[Box<str>]>),
    /// Sorted.
    Numbers(Box<[Number]>),
    Prefixes(Box<[Box<str>]>),
    Suffixes(Box<[Box<str>]>),
    Equals(Box<[IgnoreCase]>),
    Wildcards(Box<[Wildcard]>),
}

impl Excluded {
    fn excludes(&self, value: Value<'_>) -> bool {
        let text = match value {
            Value::Text(text) => text,
            Value::Number(_, Some(number)) => {
                let Excluded::Numbers(numbers) = self else { return false };
                return numbers.binary_search(&number).is_ok();
            }
            _ => return false,
        };
        match self {
            Excluded::Texts(texts) => holds(texts, text),
            Excluded::Numbers(_) => false,
            Excluded::Prefixes(all) => all.iter().any(|one| text.starts_with(one.as_bytes())),
            Excluded::Suffixes(all) => all.iter().any(|one| text.ends_with(one.as_bytes())),
            Excluded::Equals(all) => all.iter().any(|one| one.equals(text)),
            Excluded::Wildcards(all) => all.iter().any(|one| one.matches(text)),
        }
    }
}

/// Whether a sorted list holds the text.
fn holds(texts: &[Box<str>], text: &[u8]) -> bool {
    if let [one] = texts {
        return one.as_bytes() == text;
    }
    texts.binary_search_by(|one| one.as_bytes().cmp(text)).is_ok()
}

impl Excluded {
    /// How many tests a value takes, and how many tests may read a text to the end.
    fn cost(&self) -> (u64, u64) {
        match self {
            Excluded::Texts(_) | Excluded::Numbers(_) => (1, 0),
            Excluded::Prefixes(all) | Excluded::Suffixes(all) => (count(all.len()), 0),
            Excluded::Equals(all) => (count(all.len()), 0),
            Excluded::Wildcards(all) => (count(all.len()), count(all.len())),
        }
    }
}

impl Matcher {
    /// How many tests a value takes, and how many tests may read a text to the end.
    fn cost(&self) -> (u64, u64) {
        match self {
            Matcher::Wildcard(_) => (1, 1),
            Matcher::AnythingBut(excluded) => excluded.cost(),
            _ => (1, 0),
        }
    }

    pub(crate) fn matches(&self, value: Value<'_>) -> bool {
        match value {
            Value::Text(text) => self.matches_text(text),
            Value::Number(text, number) => self.matches_number(text, number),
            Value::True => self.matches_other(value, &Matcher::True),
            Value::False => self.matches_other(value, &Matcher::False),
            Value::Null => self.matches_other(value, &Matcher::Null),
        }
    }

    #[inline]
    fn matches_text(&self, text: &[u8]) -> bool {
        match self {
            Matcher::Text(one) => one.as_bytes() == text,
            Matcher::Ip(address) => Address::parse(text) == Some(*address),
            Matcher::Prefix(one) => text.starts_with(one.as_bytes()),
            Matcher::Suffix(one) => text.ends_with(one.as_bytes()),
            Matcher::Equals(one) => one.equals(text),
            Matcher::PrefixIgnoreCase(one) => one.starts(text),
            Matcher::SuffixIgnoreCase(one) => one.ends(text),
            Matcher::Wildcard(one) => one.matches(text),
            Matcher::Cidr(block) => Address::parse(text).is_some_and(|at| block.contains(at)),
            Matcher::Exists => true,
            Matcher::AnythingBut(excluded) => !excluded.excludes(Value::Text(text)),
            Matcher::Number(_)
            | Matcher::NumberText(_)
            | Matcher::True
            | Matcher::False
            | Matcher::Null
            | Matcher::Range(_)
            | Matcher::Absent => false,
        }
    }

    fn matches_number(&self, text: &[u8], number: Option<Number>) -> bool {
        match self {
            Matcher::Number(one) => number == Some(*one),
            Matcher::NumberText(one) => one.as_bytes() == text,
            Matcher::Range(range) => number.is_some_and(|number| range.contains(number)),
            Matcher::Exists => true,
            Matcher::AnythingBut(excluded) => !excluded.excludes(Value::Number(text, number)),
            _ => false,
        }
    }

    fn matches_other(&self, value: Value<'_>, literal: &Matcher) -> bool {
        match self {
            Matcher::Exists => true,
            Matcher::AnythingBut(excluded) => !excluded.excludes(value),
            _ => self == literal,
        }
    }
}

/// Shorter lists are faster to walk than to search.
const BISECT_FROM: usize = 8;

/// The cost of testing a value against a list of alternatives with [`satisfied`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cost {
    /// Steps for any value.
    each: u64,
    /// How many times a text may be read to the end.
    readings: u64,
}

impl Cost {
    pub(crate) fn of(alternatives: &[Matcher]) -> Self {
        let searched = |one: &&Matcher| {
            let leading = matches!(one, Matcher::Text(_) | Matcher::Number(_) | Matcher::Ip(_));
            alternatives.len() < BISECT_FROM || !leading
        };
        let mut cost = Cost { each: 1, readings: 0 };
        for alternative in alternatives.iter().filter(searched) {
            let (each, readings) = alternative.cost();
            cost.each += each;
            cost.readings += readings;
        }
        cost
    }

    #[inline]
    pub(crate) fn steps(self, value: Value<'_>) -> u64 {
        match value {
            Value::Text(text) if self.readings > 0 => {
                self.each.saturating_add(self.readings.saturating_mul(reading(text.len())))
            }
            _ => self.each,
        }
    }
}

/// Whether the value satisfies any of the sorted alternatives.
pub(crate) fn satisfied(alternatives: &[Matcher], value: Value<'_>) -> bool {
    if alternatives.len() < BISECT_FROM {
        return alternatives.iter().any(|one| one.matches(value));
    }
    let split = |list: &[Matcher], leading: fn(&Matcher) -> bool| list.partition_point(leading);
    let (texts, rest) =
        alternatives.split_at(split(alternatives, |one| matches!(one, Matcher::Text(_))));
    let (numbers, rest) = rest.split_at(split(rest, |one| matches!(one, Matcher::Number(_))));
    let (addresses, rest) = rest.split_at(split(rest, |one| matches!(one, Matcher::Ip(_))));
    let found = match value {
        Value::Text(text) => {
            let order = |one: &Matcher| match one {
                Matcher::Text(one) => one.as_bytes().cmp(text),
                _ => std::cmp::Ordering::Greater,
            };
            texts.binary_search_by(order).is_ok()
                || !addresses.is_empty()
                    && Address::parse(text)
                        .is_some_and(|at| addresses.binary_search(&Matcher::Ip(at)).is_ok())
        }
        Value::Number(_, Some(number)) => numbers.binary_search(&Matcher::Number(number)).is_ok(),
        _ => false,
    };
    found || rest.iter().any(|one| one.matches(value))
}
