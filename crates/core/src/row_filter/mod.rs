//! Conditions on the JSON of a row, such as `$.total gt 10 and $.status in ["paid", "shipped"]`.
//!
//! ```text
//! filter    = condition *( "and" condition )
//! condition = path "exists" / path "missing"
//!           / path ( "eq" / "ne" / "lt" / "le" / "gt" / "ge" / "contains" ) scalar
//!           / path "starts_with" string
//!           / path "in" "[" scalar *( "," scalar ) "]"
//! path      = "$" *( "." name / "[" string "]" / "[" number "]" / "[*]" )
//! name      = 1*( letter / digit / "_" / "-" )
//! scalar    = a JSON string, number, true, false or null
//! ```
//!
//! A condition holds when it does for any value that the path reaches; `[*]` reaches every element of
//! an array. `ne` and `missing` hold exactly when `eq` and `exists` do not, so also where the path
//! reaches nothing. Numbers compare by value, exactly, whatever their size; texts by their characters'
//! code points; values of different kinds are never equal, and neither is before the other. `contains`
//! looks for a text in a text, or for an element in an array. Of members of one name the last counts.
//!
//! A filter is evaluated over the text of a cell without building values from it.

use std::borrow::Cow;
use std::cmp::Ordering;

use memchr::memmem;

use crate::json::{Damaged, Scanner, exact, without_repeats};

mod number;
mod parse;
#[cfg(test)]
mod tests;

use number::Number;

/// The longest filter, in bytes.
pub const FILTER_BYTES_MAX: usize = 4_096;

/// The most conditions: each reads the cell once more.
pub const CONDITIONS_MAX: usize = 16;

/// The most steps of a path.
pub const STEPS_MAX: usize = 32;

/// The most values after `in`.
pub const VALUES_MAX: usize = 100;

/// Why a text is no filter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("at byte {at}: {message}")]
pub struct FilterError {
    /// The byte at which it stops making sense, from 0.
    pub at: usize,
    /// What is wrong, or what would be right.
    pub message: String,
}

/// Conditions that must all hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    conditions: Vec<Condition>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Condition {
    path: Vec<Step>,
    /// Whether it holds when the test does not.
    negated: bool,
    test: Test,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    /// The member of an object.
    Member(String),
    /// The element of an array, from 0.
    Element(usize),
    /// Every element of an array.
    Each,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Test {
    Exists,
    /// Is one of these.
    AnyOf(Vec<Scalar>),
    /// Compares so with the value.
    Order(&'static [Ordering], Scalar),
    Contains(Scalar),
    StartsWith(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Scalar {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
}

impl Filter {
    /// Reads a filter.
    pub fn parse(text: &str) -> Result<Self, FilterError> {
        parse::filter(text)
    }

    /// Whether a cell, the text of a JSON value, meets all conditions. What is no JSON meets none.
    pub fn matches(&self, cell: &[u8]) -> bool {
        let cell = without_repeats(cell);
        self.conditions.iter().all(|condition| condition.holds(&cell).unwrap_or(false))
    }
}

impl Condition {
    fn holds(&self, cell: &[u8]) -> Result<bool, Damaged> {
        let met = reaches(&mut Scanner::new(cell), &self.path, &self.test)?;
        Ok(met != self.negated)
    }
}

/// Whether any value that the path reaches from here passes. Reads no further than it must.
fn reaches(scanner: &mut Scanner<'_>, path: &[Step], test: &Test) -> Result<bool, Damaged> {
    let Some((step, rest)) = path.split_first() else { return test.passes(scanner.value()?) };
    match (step, scanner.peek()) {
        (Step::Member(name), Some(b'{')) => {
            Ok(member(scanner, name)? && reaches(scanner, rest, test)?)
        }
        (Step::Element(place), Some(b'[')) => {
            let mut elements = Elements::new(scanner)?;
            for _ in 0..*place {
                if !elements.skip()? {
                    return Ok(false);
                }
            }
            Ok(elements.is_there() && reaches(elements.scanner, rest, test)?)
        }
        (Step::Each, Some(b'[')) => {
            let mut elements = Elements::new(scanner)?;
            while elements.is_there() {
                if reaches(&mut elements.scanner.clone(), rest, test)? {
                    return Ok(true);
                }
                elements.skip()?;
            }
            Ok(false)
        }
        _ => Ok(false),
    }
}

/// Goes to the value of an object's member, if there is one of that name.
fn member(scanner: &mut Scanner<'_>, name: &str) -> Result<bool, Damaged> {
    scanner.expect(b'{')?;
    if scanner.take(b'}') {
        return Ok(false);
    }
    loop {
        if *scanner.key()? == *name.as_bytes() {
            return Ok(true);
        }
        scanner.skip_value()?;
        if !scanner.take(b',') {
            return Ok(false);
        }
    }
}

/// Goes through an array.
struct Elements<'s, 'a> {
    scanner: &'s mut Scanner<'a>,
    there: bool,
}

impl<'s, 'a> Elements<'s, 'a> {
    fn new(scanner: &'s mut Scanner<'a>) -> Result<Self, Damaged> {
        scanner.expect(b'[')?;
        let there = scanner.peek() != Some(b']');
        Ok(Self { scanner, there })
    }

    /// Whether the scanner is at an element.
    fn is_there(&self) -> bool {
        self.there
    }

    /// Goes to the next element, if there is one.
    fn skip(&mut self) -> Result<bool, Damaged> {
        if self.there {
            self.scanner.skip_value()?;
            self.there = self.scanner.take(b',');
        }
        Ok(self.there)
    }
}

impl Test {
    /// Whether the text of a value passes.
    fn passes(&self, value: &[u8]) -> Result<bool, Damaged> {
        Ok(match self {
            Self::Exists => true,
            Self::AnyOf(scalars) => is_any(value, scalars)?,
            Self::Order(wanted, scalar) => {
                order(value, scalar)?.is_some_and(|order| wanted.contains(&order))
            }
            Self::StartsWith(start) => {
                text(value).is_some_and(|text| text.starts_with(start.as_bytes()))
            }
            Self::Contains(scalar) => contains(value, scalar)?,
        })
    }
}

fn is_any(value: &[u8], scalars: &[Scalar]) -> Result<bool, Damaged> {
    for scalar in scalars {
        let same = match scalar {
            Scalar::Null => value == b"null",
            Scalar::Bool(wanted) => value == if *wanted { &b"true"[..] } else { b"false" },
            Scalar::Number(_) | Scalar::Text(_) => order(value, scalar)? == Some(Ordering::Equal),
        };
        if same {
            return Ok(true);
        }
    }
    Ok(false)
}

/// How a value compares with a scalar of the same kind.
fn order(value: &[u8], scalar: &Scalar) -> Result<Option<Ordering>, Damaged> {
    Ok(match scalar {
        Scalar::Text(wanted) => text(value).map(|text| (*text).cmp(wanted.as_bytes())),
        Scalar::Number(wanted) => match value.first() {
            Some(b'-' | b'0'..=b'9') => Number::parse(value).map(|number| number.cmp(wanted)),
            _ => None,
        },
        Scalar::Null | Scalar::Bool(_) => None,
    })
}

fn contains(value: &[u8], scalar: &Scalar) -> Result<bool, Damaged> {
    if value.first() != Some(&b'[') {
        let Scalar::Text(wanted) = scalar else { return Ok(false) };
        return Ok(text(value).is_some_and(|text| memmem::find(&text, wanted.as_bytes()).is_some()));
    }
    let mut scanner = Scanner::new(value);
    let mut elements = Elements::new(&mut scanner)?;
    while elements.is_there() {
        let element = elements.scanner.clone().value()?;
        if is_any(element, std::slice::from_ref(scalar))? {
            return Ok(true);
        }
        elements.skip()?;
    }
    Ok(false)
}

/// The text of a value that is a string, as bytes whose order is that of the characters.
fn text(value: &[u8]) -> Option<Cow<'_, [u8]>> {
    match value {
        [b'"', inner @ .., b'"'] => Some(exact(inner)),
        _ => None,
    }
}
