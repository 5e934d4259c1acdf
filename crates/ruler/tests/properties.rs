//! Random rules and events, against the naive matcher.

mod support {
    pub(crate) mod naive;
}

use std::collections::BTreeSet;

use hookyard_ruler::{Machine, Rule, Scratch, explain};
use proptest::prelude::*;
use serde_json::{Value, json};
use support::naive;

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        3 => "[ab]{0,3}".prop_map(Value::from),
        1 => (-3_i64..4).prop_map(Value::from),
        1 => prop_oneof![Just(json!(0.5)), Just(json!(null)), Just(json!(true))],
    ]
}

fn key() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("a".to_string()),
        Just("b".to_string()),
        Just("c".to_string()),
        Just("a.b".to_string()),
    ]
}

fn event() -> impl Strategy<Value = Value> {
    let value = scalar().prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(key(), inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    });
    prop::collection::btree_map(key(), value, 0..4)
        .prop_map(|members| Value::Object(members.into_iter().collect()))
}

fn alternative() -> impl Strategy<Value = Value> {
    let text = || "[ab]{0,2}";
    prop_oneof![
        4 => scalar(),
        1 => text().prop_map(|text| json!({ "prefix": text })),
        1 => text().prop_map(|text| json!({ "suffix": text })),
        1 => "[abAB]{0,2}".prop_map(|text| json!({ "equals-ignore-case": text })),
        1 => "([ab]{0,2}[*]){0,2}[ab]{0,2}"
            .prop_filter("two stars", |text| !text.contains("**"))
            .prop_map(|text| json!({ "wildcard": text })),
        1 => (-3_i64..4).prop_map(|at| json!({ "numeric": [">=", at] })),
        1 => (-3_i64..2, 1_i64..4)
            .prop_map(|(low, more)| json!({ "numeric": [">", low, "<", low + more] })),
        2 => any::<bool>().prop_map(|exists| json!({ "exists": exists })),
        1 => prop::collection::vec("[ab]{0,2}", 1..3)
            .prop_map(|texts| json!({ "anything-but": texts })),
        1 => "[ab]{1,2}".prop_map(|text| json!({ "anything-but": { "prefix": text } })),
    ]
}

/// A rule as paths and lists; paths that are spelled alike are one.
fn rule() -> impl Strategy<Value = Value> {
    let path = prop_oneof![
        Just("a"),
        Just("b"),
        Just("c"),
        Just("a.b"),
        Just("a.c"),
        Just("b.a"),
        Just("b.c"),
        Just("a.b.c"),
        Just("a.b.a"),
    ];
    let list = prop::collection::vec(alternative(), 1..4).prop_map(Value::from);
    prop::collection::btree_map(path.prop_map(String::from), list, 1..4)
        .prop_map(|fields| Value::Object(fields.into_iter().collect()))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn one_rule_matches_as_the_naive_matcher_says(rule in rule(), event in event()) {
        let parsed = Rule::parse(&rule.to_string()).unwrap();
        let text = event.to_string();
        let expected = naive::matches(&rule, &event);
        prop_assert_eq!(parsed.matches(text.as_bytes()).unwrap(), expected);
        let explanation = explain(&parsed, text.as_bytes()).unwrap();
        prop_assert_eq!(explanation.matched(), expected);
        prop_assert_eq!(explanation.sub_rules()[0].failures().is_empty(), expected);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// Enough rules that lists split into nodes, some removed again, one scratch throughout.
    #[test]
    fn many_rules_match_as_each_does_alone(
        rules in prop::collection::vec(rule(), 1..120),
        removed in prop::collection::vec(any::<bool>(), 120),
        events in prop::collection::vec(event(), 1..5),
    ) {
        let mut machine = Machine::new();
        for (id, rule) in rules.iter().enumerate() {
            machine.add(id, &Rule::parse(&rule.to_string()).unwrap()).unwrap();
        }
        for id in (0..rules.len()).filter(|id| removed[*id]) {
            prop_assert!(machine.remove(&id));
        }
        let mut scratch = Scratch::new();
        for event in &events {
            let mut ids = BTreeSet::new();
            machine
                .matches_with(event.to_string().as_bytes(), &mut scratch, |id| {
                    assert!(ids.insert(*id), "an id twice");
                })
                .unwrap();
            let expected: BTreeSet<usize> = (0..rules.len())
                .filter(|id| !removed[*id] && naive::matches(&rules[*id], event))
                .collect();
            prop_assert_eq!(ids, expected);
        }
    }

    /// Within the budget the outcome does not depend on it; one step less than an event takes is
    /// an error, and never another outcome.
    #[test]
    fn a_budget_changes_nothing_until_it_ends(
        rules in prop::collection::vec(rule(), 1..60),
        event in event(),
        more in 0_u64..50,
    ) {
        let mut machine = Machine::new();
        for (id, rule) in rules.iter().enumerate() {
            machine.add(id, &Rule::parse(&rule.to_string()).unwrap()).unwrap();
        }
        let text = event.to_string();
        let mut scratch = Scratch::new();
        let mut run = |steps| {
            let mut ids = BTreeSet::new();
            let outcome = machine.matches_within(text.as_bytes(), &mut scratch, steps, |id| {
                ids.insert(*id);
            });
            (outcome, ids)
        };
        let (steps, ids) = run(u64::MAX);
        let steps = steps.unwrap();
        let expected: BTreeSet<usize> =
            (0..rules.len()).filter(|id| naive::matches(&rules[*id], &event)).collect();
        prop_assert_eq!(&ids, &expected);
        prop_assert_eq!(run(steps + more), (Ok(steps), ids));
        if let Some(fewer) = steps.checked_sub(1 + more) {
            let refused = hookyard_ruler::event::Error::TooCostly { steps: fewer };
            prop_assert_eq!(run(fewer).0, Err(refused));
        }
    }

    #[test]
    fn no_text_panics(rule in ".{0,60}", event in prop::collection::vec(any::<u8>(), 0..80)) {
        if let Ok(rule) = Rule::parse(&rule) {
            let _ = rule.matches(&event);
        }
        let known = Rule::parse(r#"{"a":[{"exists":true}]}"#).unwrap();
        let _ = known.matches(&event);
    }
}
