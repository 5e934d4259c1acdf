//! Why a rule does or does not match an event.

use std::fmt;

use crate::event;
use crate::limits::MAX_EVENT_STEPS;
use crate::machine::{Core, Scratch};
use crate::matcher::{Cost, Matcher, Value, satisfied};
use crate::rule::{Field, Rule, SubRule, quoted};
use crate::steps::OutOfSteps;

/// As many values of a field as an explanation lists.
const MAX_VALUES: usize = 5;

/// As many alternatives of a rule as an explanation lists.
const MAX_ALTERNATIVES: usize = 5;

/// The most failed fields that an explanation lists over all sub-rules; each further sub-rule lists
/// the first failed field only. A rule may have 65,536, at up to a kilobyte each.
const MAX_FAILURES: usize = 1_000;

/// Characters of a value shown in an explanation.
const MAX_VALUE_CHARS: usize = 80;

/// Why a rule does or does not match an event: for each sub-rule, the failed fields.
///
/// ```
/// use hookyard_ruler::{Rule, explain};
///
/// let rule = Rule::parse(r#"{"state": ["paid"], "total": [{"numeric": [">", 100]}]}"#)?;
/// let explanation = explain(&rule, br#"{"state": "open", "total": 250}"#)?;
/// assert!(!explanation.matched());
/// assert_eq!(
///     explanation.to_string(),
///     "no match\n  state: \"open\" is not \"paid\""
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    sub_rules: Vec<SubRuleExplanation>,
}

/// The outcome of a sub-rule: a combination of `$or` branches. Where a rule has very many, the
/// outcome lists only the first failed field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubRuleExplanation {
    matched: bool,
    failures: Vec<Failure>,
}

/// A failed field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    path: String,
    reason: Reason,
}

/// Why a field failed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// The event has no value at the path.
    Missing {
        /// The values that the rule asks for.
        expected: Vec<String>,
    },
    /// The event has values there, all unwanted.
    Unwanted {
        /// The values, as JSON; the first few.
        found: Vec<String>,
        /// The values that the rule asks for; the first few.
        expected: Vec<String>,
    },
    /// Each field of the sub-rule is satisfied somewhere, but not all in the same array elements.
    DifferentElements,
}

impl Explanation {
    /// Whether the rule matches.
    pub fn matched(&self) -> bool {
        self.sub_rules.iter().any(SubRuleExplanation::matched)
    }

    /// The outcome of each sub-rule, in the order of the `$or` branches.
    pub fn sub_rules(&self) -> &[SubRuleExplanation] {
        &self.sub_rules
    }
}

impl SubRuleExplanation {
    /// Whether the sub-rule matches.
    pub fn matched(&self) -> bool {
        self.matched
    }

    /// The failed fields; none when the sub-rule matches.
    pub fn failures(&self) -> &[Failure] {
        &self.failures
    }
}

impl Failure {
    /// The path of the field, keys joined with dots.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Why the field failed.
    pub fn reason(&self) -> &Reason {
        &self.reason
    }
}

/// Says for a rule and an event which fields failed, and why.
///
/// # Errors
///
/// The event is not a JSON object, or exceeds one of the [`limits`](crate::limits).
pub fn explain(rule: &Rule, event: &[u8]) -> Result<Explanation, event::Error> {
    let mut core = Core::new();
    let ids: Vec<u32> = rule.sub_rules.iter().map(|sub_rule| core.add(0, sub_rule)).collect();
    let mut scratch = Scratch::new();
    core.read(event, &mut scratch, MAX_EVENT_STEPS)?;
    let mut sub_rules = Vec::with_capacity(ids.len());
    let mut room = MAX_FAILURES;
    for (sub_rule, id) in rule.sub_rules.iter().zip(ids) {
        let explained = explain_one(&core, event, &mut scratch, sub_rule, id, room);
        let explained = explained.map_err(|OutOfSteps| event::Error::too_costly(scratch.steps))?;
        room = room.saturating_sub(explained.failures.len());
        sub_rules.push(explained);
    }
    Ok(Explanation { sub_rules })
}

/// Explains a sub-rule with as many failures as there is room for, at least with the first failure.
fn explain_one(
    core: &Core,
    event: &[u8],
    scratch: &mut Scratch,
    sub_rule: &SubRule,
    id: u32,
    room: usize,
) -> Result<SubRuleExplanation, OutOfSteps> {
    let matched = core.test(event, scratch, id)?;
    let failures = match matched {
        true => Vec::new(),
        false => failures(core, event, scratch, sub_rule, room.max(1))?,
    };
    Ok(SubRuleExplanation { matched, failures })
}

fn failures(
    core: &Core,
    event: &[u8],
    scratch: &mut Scratch,
    sub_rule: &SubRule,
    most: usize,
) -> Result<Vec<Failure>, OutOfSteps> {
    let mut failures = Vec::new();
    for field in &sub_rule.fields {
        if failures.len() == most {
            break;
        }
        if let Some(reason) = reason(core, event, scratch, field)? {
            failures.push(Failure { path: field.path.to_string(), reason });
        }
    }
    if !failures.is_empty() {
        return Ok(failures);
    }
    let in_arrays = |field: &&Field| {
        let list = core.field(&field.path).and_then(|id| scratch.leaves.of(id));
        list.is_some_and(|list| list.in_arrays)
    };
    let failure =
        |field: &Field| Failure { path: field.path.to_string(), reason: Reason::DifferentElements };
    Ok(sub_rule.fields.iter().filter(in_arrays).map(failure).take(most).collect())
}

/// Why a field fails on its own; `None` when the field matches.
fn reason(
    core: &Core,
    event: &[u8],
    scratch: &mut Scratch,
    field: &Field,
) -> Result<Option<Reason>, OutOfSteps> {
    let Scratch { leaves, steps, .. } = scratch;
    let wants_absence = field.alternatives.contains(&Matcher::Absent);
    let expected = || {
        let shown = field.alternatives.iter().take(MAX_ALTERNATIVES);
        let mut shown: Vec<String> = shown.map(|one| cut(&one.to_string())).collect();
        if field.alternatives.len() > MAX_ALTERNATIVES {
            shown.push(format!("{} more", field.alternatives.len() - MAX_ALTERNATIVES));
        }
        shown
    };
    let Some(list) = core.field(&field.path).and_then(|id| leaves.of(id)) else {
        return Ok((!wants_absence).then(|| Reason::Missing { expected: expected() }));
    };
    if wants_absence && list.in_arrays {
        return Ok(None);
    }
    let cost = Cost::of(&field.alternatives);
    for (_, leaf) in leaves.iter(list) {
        let value = leaves.value(event, leaf);
        steps.spend(cost.steps(value))?;
        if satisfied(&field.alternatives, value) {
            return Ok(None);
        }
    }
    let values = leaves.iter(list).map(|(_, leaf)| leaves.value(event, leaf));
    Ok(Some(Reason::Unwanted {
        found: values.take(MAX_VALUES).map(show).collect(),
        expected: expected(),
    }))
}

/// A value as JSON, cut when long.
fn show(value: Value<'_>) -> String {
    match value {
        Value::Text(text) => {
            let mut out = String::new();
            let text = String::from_utf8_lossy(text);
            let _ = quoted(&mut out, &text.chars().take(MAX_VALUE_CHARS + 1).collect::<String>());
            cut(&out)
        }
        Value::Number(text, _) => cut(&String::from_utf8_lossy(text)),
        Value::True => "true".into(),
        Value::False => "false".into(),
        Value::Null => "null".into(),
    }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(MAX_VALUE_CHARS) {
        Some((at, _)) => format!("{}...", text.get(..at).unwrap_or_default()),
        None => text.into(),
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.matched() {
            return f.write_str("match");
        }
        f.write_str("no match")?;
        let several = self.sub_rules.len() > 1;
        for (nth, sub_rule) in self.sub_rules.iter().enumerate() {
            if several {
                write!(f, "\n  branch {}:", nth + 1)?;
            }
            for failure in &sub_rule.failures {
                let indent = if several { "    " } else { "  " };
                write!(f, "\n{indent}{}: {}", failure.path, failure.reason)?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::Missing { expected } => {
                write!(f, "the event has no such field, wanted {}", expected.join(" or "))
            }
            Reason::Unwanted { found, expected } => {
                write!(f, "{} is not {}", found.join(", "), expected.join(" or "))
            }
            Reason::DifferentElements => {
                f.write_str("satisfied, but not in the same array element as the other fields")
            }
        }
    }
}
