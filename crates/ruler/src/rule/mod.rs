//! Rules: parsed, validated, and expanded to sub-rules.

mod display;
mod error;
mod matchers;
mod parse;

pub use error::Error;

pub(crate) use display::quoted;

use std::cmp::Ordering;
use std::sync::Arc;

use crate::matcher::Matcher;

/// A valid rule.
///
/// ```
/// use hookyard_ruler::Rule;
///
/// let rule = Rule::parse(r#"{"detail": {"state": ["paid", {"prefix": "refund"}]}}"#)?;
/// assert!(rule.matches(br#"{"detail": {"state": "refunded", "total": 5}}"#)?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// A sub-rule for each combination of `$or` branches; the rule matches when any sub-rule
    /// matches.
    pub(crate) sub_rules: Vec<SubRule>,
}

/// Fields in the order of testing ([`path_order`]); all must match.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct SubRule {
    pub(crate) fields: Vec<Field>,
}

/// The alternatives for a path.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Field {
    /// The keys, joined with dots.
    pub(crate) path: Arc<str>,
    /// Sorted, without duplicates.
    pub(crate) alternatives: Arc<[Matcher]>,
}

impl Rule {
    /// Parses and validates the text of a rule.
    ///
    /// # Errors
    ///
    /// The text is not JSON, is not a rule, or exceeds one of the [`limits`](crate::limits). The
    /// error names the path, the offending value and the repair.
    pub fn parse(text: &str) -> Result<Rule, Error> {
        parse::rule(text)
    }

    /// How many sub-rules the `$or`s of the rule make; 1 without any.
    pub fn sub_rule_count(&self) -> usize {
        self.sub_rules.len()
    }
}

impl std::str::FromStr for Rule {
    type Err = Error;

    fn from_str(text: &str) -> Result<Rule, Error> {
        Rule::parse(text)
    }
}

/// The order in which fields are tried: by UTF-16 code units, as in the original. The order shows
/// only where `exists: false` meets arrays.
pub(crate) fn path_order(one: &str, other: &str) -> Ordering {
    if one.is_ascii() && other.is_ascii() {
        return one.cmp(other);
    }
    one.encode_utf16().cmp(other.encode_utf16())
}
