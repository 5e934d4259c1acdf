//! Rules in the AWS Event Ruler language: an optional part of a subscription, matched against the
//! object as published, without expansion.

mod meter;
mod single;
mod trial;

pub use hookyard_ruler::{Explanation, Failure, Rule, SubRuleExplanation};
pub use trial::{TRIAL_EVENTS_MAX, Trial};

pub(crate) use meter::{Meter, REQUEST_STEPS_MAX};
pub(crate) use single::Single;

use std::cell::RefCell;
use std::hash::Hash;

use hookyard_core::json::without_repeats;
use hookyard_ruler::{Machine, Scratch, event};

/// The longest rule, in bytes. The AWS services with the language take 2 KiB to 128 KiB.
pub const RULE_BYTES_MAX: usize = 128 << 10;

/// The most combinations of `$or` branches of a rule. Each combination is matched like a separate
/// rule, so the limit keeps a subscription from weighing as much as thousands; a person's rule has
/// a handful.
pub const RULE_BRANCHES_MAX: usize = 256;

/// Rules with more bytes are parsed and compiled on the threads for large work: the combinations of
/// branches may take many milliseconds.
const RULE_INLINE_BYTES_MAX: usize = 1 << 10;

/// How large the work on rules of so many bytes is, for [`Work::run`](crate::work::Work::run).
pub(crate) fn weight(bytes: usize) -> usize {
    if bytes > RULE_INLINE_BYTES_MAX { usize::MAX } else { bytes }
}

/// The most steps for matching an event, over all rules and combinations of branches.
pub use hookyard_ruler::limits::MAX_EVENT_STEPS as EVENT_STEPS_MAX;

/// A scratch that has seen a larger event is not kept, as the scratch has grown with the event. The
/// limit equals the size of the largest event unless the operator allows more.
const SCRATCH_EVENT_BYTES_MAX: usize = 1 << 20;

thread_local! {
    /// The working memory of matches on the current thread, so that an event allocates none.
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// Parses the text of a rule. The error names the path, the value at fault and the fix.
pub fn parse(text: &str) -> Result<Rule, String> {
    if text.len() > RULE_BYTES_MAX {
        let bytes = text.len();
        return Err(format!("the rule has {bytes} bytes, at most {RULE_BYTES_MAX} are accepted"));
    }
    let rule = Rule::parse(text).map_err(|error| error.to_string())?;
    let branches = rule.sub_rule_count();
    if branches > RULE_BRANCHES_MAX {
        return Err(format!(
            "the `$or`s of the rule make {branches} combinations, at most {RULE_BRANCHES_MAX} are \
             accepted (use fewer, or list the values of one field in one array)"
        ));
    }
    Ok(rule)
}

/// The explanation of a rule for an object, branch by branch.
pub fn explain(rule: &Rule, object: &[u8]) -> Result<Explanation, event::Error> {
    hookyard_ruler::explain(rule, &without_repeats(object))
}

/// Why the matching rules of an object are not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Undecided<Id> {
    /// The rule under test, where the rule tells something.
    pub(crate) rule: Option<Id>,
    /// The reason.
    pub(crate) reason: event::Error,
}

/// Calls `found` once with the id of each rule matching the object, in no particular order. Of
/// members with the same name the last counts, as in all of the product; the language by itself
/// takes each member. The steps are taken from the meter.
///
/// On an error nothing is known: the ids found before may be incomplete.
pub(crate) fn run<Id: Clone + Eq + Hash>(
    machine: &Machine<Id>,
    object: &[u8],
    meter: &mut Meter,
    found: impl FnMut(&Id),
) -> Result<(), Undecided<Id>> {
    let object = without_repeats(object);
    SCRATCH.with_borrow_mut(|scratch| {
        let allowed = meter.allowed();
        let outcome = machine.matches_within(&object, scratch, allowed, found);
        meter.take(outcome.as_ref().copied().unwrap_or(allowed));
        let outcome = outcome.map(drop).map_err(|reason| {
            let costly = matches!(reason, event::Error::TooCostly { .. });
            let rule = costly.then(|| machine.costly(scratch).cloned()).flatten();
            Undecided { rule, reason }
        });
        if outcome.is_err() || object.len() > SCRATCH_EVENT_BYTES_MAX {
            *scratch = Scratch::new();
        }
        outcome
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_the_path_the_value_and_the_fix() {
        let message = parse(r#"{"a":1}"#).unwrap_err();
        assert!(message.starts_with("a: ") && message.contains("in 1"), "{message}");
        assert!(message.contains('[') && message.ends_with(')'), "{message}");
        assert!(parse("").is_err() && parse(" ").is_err() && parse("{").is_err());
        assert!(parse(r#"{"current_stage":["Shipping Department"]}"#).is_ok());
    }

    #[test]
    fn of_members_of_one_name_the_last_counts() {
        let rule = parse(r#"{"a":["x"]}"#).unwrap();
        let single = Single::new(&rule).unwrap();
        for (object, matches) in
            [(&br#"{"a":"x","a":"y"}"#[..], false), (br#"{"a":"y","a":{"b":1},"a":"x"}"#, true)]
        {
            assert_eq!(single.matches(object).unwrap(), matches);
            assert_eq!(explain(&rule, object).unwrap().matched(), matches);
        }
    }

    #[test]
    fn long_rules_are_refused() {
        let rule = |length: usize| format!(r#"{{"a":["{}"]}}"#, "x".repeat(length));
        assert!(parse(&rule(RULE_BYTES_MAX - 10)).is_ok());
        let message = parse(&rule(RULE_BYTES_MAX - 9)).unwrap_err();
        assert!(message.contains("131073 bytes, at most 131072"), "{message}");
    }

    #[test]
    fn combinations_are_bounded() {
        let rule = |fields: usize| {
            let or = |n: usize| format!(r#""f{n}":{{"$or":[{{"a":[1]}},{{"b":[2]}}]}}"#);
            format!("{{{}}}", (0..fields).map(or).collect::<Vec<_>>().join(","))
        };
        assert_eq!(parse(&rule(8)).unwrap().sub_rule_count(), RULE_BRANCHES_MAX);
        let message = parse(&rule(9)).unwrap_err();
        assert!(message.contains("make 512 combinations, at most 256"), "{message}");
        assert!(parse(&rule(40)).is_err(), "without making them");
    }
}
