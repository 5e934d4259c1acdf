//! The budget of an event: over all rules and all combinations of their branches. Costs are counted
//! in steps and never timed.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a failure is the point")]

use hookyard_ruler::limits::{MAX_EVENT_STEPS, MAX_PATH_BYTES};
use hookyard_ruler::{Machine, Rule, Scratch, event, explain};

fn rule(text: &str) -> Rule {
    Rule::parse(text).unwrap_or_else(|error| panic!("{error}"))
}

/// What the events of these tests may take: a tenth of what is usual, as these builds are slow.
const BUDGET: u64 = MAX_EVENT_STEPS / 10;

/// The steps that an event takes over some rules.
fn steps(rules: &[String], event: &str) -> Result<u64, event::Error> {
    let mut machine = Machine::new();
    for (id, text) in rules.iter().enumerate() {
        machine.add(id, &rule(text)).unwrap();
    }
    let mut scratch = Scratch::new();
    machine.matches_within(event.as_bytes(), &mut scratch, BUDGET, |_| {})
}

/// `"k0":0,"k1":0,..`, as fields of an event's array element.
fn element(at: usize, keys: usize) -> String {
    let key = |nth: usize| format!(r#""k{nth}":{at}"#);
    format!("{{{}}}", (0..keys).map(key).collect::<Vec<_>>().join(","))
}

/// One key again and again with an array each time: choices are a product. It has 26 KB with 60
/// elements, 6 keys and 6 arrays.
fn ambiguous(elements: usize, keys: usize) -> String {
    let array = (0..elements).map(|at| element(at, keys)).collect::<Vec<_>>().join(",");
    let arrays = (0..keys).map(|_| format!(r#""a":[{array}]"#)).collect::<Vec<_>>().join(",");
    format!(r#"{{{arrays},"a":[{{"x":1}},{{"y":1}}]}}"#)
}

/// A rule that has to try them all, with further fields of `a`.
fn searching(keys: usize, more: &str) -> String {
    let fields = (0..keys).map(|nth| format!(r#""k{nth}":[{{"exists":true}}]"#));
    let fields = fields.collect::<Vec<_>>().join(",");
    format!(r#"{{"a":{{{fields},"x":[1],"y":[1]{more}}}}}"#)
}

fn too_costly() -> Result<u64, event::Error> {
    Err(event::Error::TooCostly { steps: BUDGET })
}

#[test]
fn a_search_over_many_combinations_has_one_budget() {
    let branches = (0..64).map(|nth| {
        let fields = (0..6).map(|key| format!(r#""k{key}":[{{"numeric":[">=",-{nth}]}}]"#));
        format!(r#"{{"a":{{{},"x":[1],"y":[1]}}}}"#, fields.collect::<Vec<_>>().join(","))
    });
    let text = format!(r#"{{"$or":[{}]}}"#, branches.collect::<Vec<_>>().join(","));
    let event = ambiguous(60, 6);
    assert!(event.len() < 30_000);
    assert_eq!(steps(std::slice::from_ref(&text), &event), too_costly());
    let refused = explain(&rule(&text), event.as_bytes());
    assert_eq!(refused, Err(event::Error::TooCostly { steps: MAX_EVENT_STEPS }));
}

#[test]
fn the_budget_is_for_all_rules_together_and_names_the_one_at_hand() {
    let event = ambiguous(20, 3);
    let different = |nth: usize| searching(3, &format!(r#","k0":[{{"numeric":[">=",-{nth}]}}]"#));
    let one = steps(&[different(0)], &event).unwrap();
    let two = steps(&[different(0), different(1)], &event).unwrap();
    assert!(two > one && two < BUDGET);
    let mut machine = Machine::new();
    machine.add("first", &rule(&different(0))).unwrap();
    machine.add("cheap", &rule(r#"{"b":[1]}"#)).unwrap();
    let mut scratch = Scratch::new();
    let mut run = |steps| machine.matches_within(event.as_bytes(), &mut scratch, steps, |_| {});
    let whole = run(BUDGET).unwrap();
    assert!((one..one + 10).contains(&whole));
    assert_eq!(run(whole), Ok(whole));
    assert_eq!(run(whole - 1), Err(event::Error::TooCostly { steps: whole - 1 }));
    assert_eq!(machine.costly(&scratch), Some(&"first"));
}

/// What comes after the branches of an `$or` is searched once, not once for each of them.
#[test]
fn combinations_that_end_alike_share_what_they_find() {
    let event = ambiguous(30, 3);
    let with = |branches: usize| {
        let branch = |nth: usize| format!(r#"{{"o":[{nth}]}}"#);
        let branches = (0..branches).map(branch).collect::<Vec<_>>().join(",");
        let text = searching(3, "");
        format!(r#"{{"$or":[{branches}],{}"#, &text[1..])
    };
    let event = format!(
        r#"{{"o":[{}],{}"#,
        (0..64).map(|n| n.to_string()).collect::<Vec<_>>().join(","),
        &event[1..]
    );
    let (two, many) = (steps(&[with(2)], &event).unwrap(), steps(&[with(64)], &event).unwrap());
    assert!(many < 2 * two, "{two} steps for 2 branches, {many} for 64");
    // The same where the branches are about the arrays too, but come first.
    let with = |branches: usize| {
        let branch = |nth: usize| format!(r#"{{"a":{{"b":[{{"numeric":[">=",-{nth}]}}]}}}}"#);
        let branches = (0..branches).map(branch).collect::<Vec<_>>().join(",");
        let text = searching(3, "");
        format!(r#"{{"$or":[{branches}],{}"#, &text[1..])
    };
    let event = format!(r#"{{"a":[{{"b":1}}],{}"#, &ambiguous(30, 3)[1..]);
    let (two, many) = (steps(&[with(2)], &event).unwrap(), steps(&[with(64)], &event).unwrap());
    assert!(many < 3 * two, "{two} steps for 2 branches, {many} for 64");
}

#[test]
fn values_times_patterns_are_counted() {
    let numbers = (0..10_000).map(|_| "5").collect::<Vec<_>>().join(",");
    let ranges = |count: usize| {
        let range = |nth: usize| format!(r#"{{"numeric":[">",-{nth},"<",1000000]}}"#);
        (0..count).map(range).collect::<Vec<_>>().join(",")
    };
    let event = format!(r#"{{"a":[{numbers}]}}"#);
    let text = format!(r#"{{"a":[{}]}}"#, ranges(1_000));
    assert_eq!(steps(&[text], &event), too_costly());
    let texts = (0..2_000).map(|_| r#""some longer text""#).collect::<Vec<_>>().join(",");
    let event = format!(r#"{{"a":[{texts}]}}"#);
    let not = (0..2_000).map(|nth| format!(r#""*{nth}x*""#)).collect::<Vec<_>>().join(",");
    let text = format!(r#"{{"a":[{{"anything-but":{{"wildcard":[{not},"*some*"]}}}}]}}"#);
    assert_eq!(steps(&[text], &event), too_costly());
}

#[test]
fn long_texts_are_counted_by_their_bytes() {
    let event = format!(r#"{{"a":"{}"}}"#, "x".repeat(1 << 20));
    let with = |patterns: usize| {
        let pattern = |nth: usize| format!(r#"{{"wildcard":"*{nth}y*"}}"#);
        format!(r#"{{"a":[{}]}}"#, (0..patterns).map(pattern).collect::<Vec<_>>().join(","))
    };
    let few = steps(&[with(10)], &event).unwrap();
    assert!((10 * 16_000..10 * 20_000 * 2).contains(&few), "{few}");
    assert_eq!(steps(&[with(400)], &event), too_costly());
    let prefixes = (1..500).map(|nth| format!(r#"{{"prefix":"{}"}}"#, "a".repeat(nth)));
    let text = format!(r#"{{"a":[{}]}}"#, prefixes.collect::<Vec<_>>().join(","));
    let event = format!(r#"{{"a":"{}"}}"#, "a".repeat(600));
    let each = steps(&[text], &event).unwrap();
    assert!((500..20_000).contains(&each), "{each}");
}

#[test]
fn ordinary_events_take_few_steps() {
    let order = r#"{"order_id":"DEMO-1","current_stage":"Shipping Department","billing":
        {"country_code":"US"},"items":[{"id":"a","quantity":2},{"id":"b","quantity":1}]}"#;
    let rules = (0..1_000).map(|nth| {
        format!(r#"{{"current_stage":["Stage {nth}"],"items":{{"id":["b"],"quantity":[1]}}}}"#)
    });
    let rules: Vec<String> = rules.collect();
    assert!(steps(&rules, order).unwrap() < 20);
    let matching =
        r#"{"current_stage":["Shipping Department"],"items":{"id":["b"],"quantity":[1]}}"#;
    assert!(steps(&[matching.to_owned()], order).unwrap() < 60);
}

/// Two fields in an array of 20,000 elements, as limits.rs says.
#[test]
fn long_arrays_are_well_within_the_budget() {
    let element = |nth: u32| format!(r#"{{"a":{nth},"b":{}}}"#, nth + 1);
    let list = (0..20_000).map(element).collect::<Vec<_>>().join(",");
    let event = format!(r#"{{"l":[{list}]}}"#);
    let never = r#"{"l":{"a":[{"numeric":[">",5]}],"b":[{"numeric":["<",5]}]}}"#;
    let took = steps(&[never.to_owned()], &event).unwrap();
    assert!((100_000..400_000).contains(&took), "{took}");
}

/// A rule's text names an outer key once, its paths have it each time.
#[test]
fn the_paths_of_a_rule_are_bounded() {
    let with = |fields: usize, key: usize| {
        let branch = |nth: usize| format!(r#"{{"f{nth}":[1]}}"#);
        let branches = (0..fields).map(branch).collect::<Vec<_>>().join(",");
        format!(r#"{{"{}":{{"$or":[{branches}]}}}}"#, "k".repeat(key))
    };
    assert!(Rule::parse(&with(256, 1_000)).is_ok());
    let error = Rule::parse(&with(256, 50_000)).unwrap_err();
    assert!(error.problem().contains(&format!("more than {MAX_PATH_BYTES} bytes")), "{error}");
}

#[test]
fn an_explanation_lists_a_bounded_number_of_fields() {
    let fields = (0..60).map(|nth| format!(r#""f{nth}":[1]"#)).collect::<Vec<_>>().join(",");
    let ors = (0..8).map(|nth| format!(r#""o{nth}":{{"$or":[{{"a":[1]}},{{"b":[1]}}]}}"#));
    let text = format!("{{{fields},{}}}", ors.collect::<Vec<_>>().join(","));
    let explanation = explain(&rule(&text), b"{}").unwrap();
    let listed: usize = explanation.sub_rules().iter().map(|one| one.failures().len()).sum();
    assert_eq!(explanation.sub_rules().len(), 256);
    assert!((1_000..1_300).contains(&listed), "{listed}");
    assert!(explanation.sub_rules().iter().all(|one| !one.failures().is_empty()));
}
