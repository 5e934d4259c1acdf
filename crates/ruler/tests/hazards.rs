//! What is slow or unbounded in the original (its exponential wildcards, `$or` products, sibling
//! arrays) is bounded here. Nothing is timed: each case is so large that with the original's
//! complexity its test would not end.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a failure is the point")]

use hookyard_ruler::limits::{
    MAX_DEPTH, MAX_EVENT_STEPS, MAX_FIELDS_PER_SUB_RULE, MAX_RULE_BYTES, MAX_SUB_RULES,
    MAX_WILDCARDS_PER_PATTERN,
};
use hookyard_ruler::{Machine, Rule, Scratch, event};

fn rule(text: &str) -> Rule {
    Rule::parse(text).unwrap_or_else(|error| panic!("{error}"))
}

fn matches(text: &str, event: &str) -> bool {
    rule(text).matches(event.as_bytes()).unwrap()
}

/// 16 such rules take the original 99 s to add.
#[test]
fn wildcards_that_share_their_start() {
    let mut machine = Machine::new();
    for id in 0..1_000 {
        machine.add(id, &rule(&format!(r#"{{"a":[{{"wildcard":"*a*b{id}*c"}}]}}"#))).unwrap();
    }
    let event = format!(r#"{{"a":"{}b7x{}c"}}"#, "a".repeat(200), "ab".repeat(100));
    assert_eq!(machine.matches(event.as_bytes()).unwrap(), [7]);
}

/// Backtracking would take the length of the text to the power of the stars.
#[test]
fn wildcards_do_not_backtrack() {
    let pattern = "a*".repeat(MAX_WILDCARDS_PER_PATTERN) + "b";
    let text = "a".repeat(1 << 20);
    assert!(!matches(
        &format!(r#"{{"k":[{{"wildcard":"{pattern}"}}]}}"#),
        &format!(r#"{{"k":"{text}"}}"#)
    ));
    let error = Rule::parse(&format!(r#"{{"k":[{{"wildcard":"*{pattern}"}}]}}"#)).unwrap_err();
    assert!(error.problem().contains("more than 128 *"), "{error}");
}

fn ors(count: usize) -> String {
    let or = |nth| format!(r#""$or":[{{"a{nth}":[1]}},{{"b{nth}":[1]}}]"#);
    format!("{{{}}}", (0..count).map(or).collect::<Vec<_>>().join(","))
}

/// 14 two-way `$or`s take the original 5.8 s.
#[test]
fn or_products_stop_at_a_limit() {
    assert_eq!(rule(&ors(10)).sub_rule_count(), MAX_SUB_RULES);
    for count in [11, 14, 64, 5_000] {
        let error = Rule::parse(&ors(count)).unwrap_err();
        assert!(error.problem().contains("multiply"), "{error}");
    }
}

#[test]
fn nested_ors_stop_at_a_limit() {
    let mut nested = r#"{"x":[1]}"#.to_string();
    for level in 0..64 {
        nested = format!(r#"{{"$or":[{nested},{nested}],"l{level}":[1]}}"#);
        if nested.len() > MAX_RULE_BYTES / 2 {
            break;
        }
    }
    let error = Rule::parse(&nested).unwrap_err();
    assert!(error.problem().contains("multiply"), "{error}");
}

fn elements(count: usize, key: &str) -> String {
    let element = |nth| format!(r#"{{"{key}":{nth}}}"#);
    format!("[{}]", (0..count).map(element).collect::<Vec<_>>().join(","))
}

/// Three arrays of 150 take the original 4.8 s: it tries their product.
#[test]
fn sibling_arrays_do_not_multiply() {
    let list = |key| elements(1_000, key);
    let event = format!(
        r#"{{"a":{},"b":{},"c":{},"d":[{{"x":1}},{{"y":1}}]}}"#,
        list("k"),
        list("k"),
        list("k")
    );
    // The miss comes last, and only from the elements of `d` that do not agree.
    let text = r#"{"a":{"k":[{"exists":true}]},"b":{"k":[{"exists":true}]},
        "c":{"k":[{"exists":true}]},"d":{"x":[1],"y":[1]}}"#;
    assert!(!matches(text, &event));
    let text = r#"{"a":{"k":[{"exists":true}]},"b":{"k":[{"exists":true}]},"d":{"x":[2]}}"#;
    assert!(!matches(text, &event));
}

/// 5,000 elements take the older finder of the original 16.7 s: it is quadratic.
#[test]
fn long_arrays_are_linear() {
    let element = |nth: u32| format!(r#"{{"a":{nth},"b":{}}}"#, nth + 1);
    let list = (0..20_000).map(element).collect::<Vec<_>>().join(",");
    let event = format!(r#"{{"l":[{list}]}}"#);
    let any = r#"{"l":{"a":[{"exists":true}],"b":[5]}}"#;
    assert!(matches(any, &event));
    let never = r#"{"l":{"a":[{"numeric":[">",5]}],"b":[{"numeric":["<",5]}]}}"#;
    assert!(!matches(never, &event));
    let absent = r#"{"l":{"a":[{"exists":true}],"b":[{"exists":false}]}}"#;
    assert!(!matches(absent, &event));
}

/// One key again and again, with an array each time: the choices really are a product.
#[test]
fn ambiguity_beyond_reason_is_refused() {
    let array = |nth: u32| {
        let element = |at: u32| format!(r#"{{"k{nth}":{at}}}"#);
        format!(r#""a":[{}]"#, (0..200).map(element).collect::<Vec<_>>().join(","))
    };
    let arrays = (0..6).map(array).collect::<Vec<_>>().join(",");
    let ambiguous = format!(r#"{{{arrays},"a":[{{"x":1}},{{"y":1}}]}}"#);
    let fields = (0..6).map(|nth| format!(r#""k{nth}":[{{"exists":true}}]"#));
    let fields = fields.collect::<Vec<_>>().join(",");
    let text = format!(r#"{{"a":{{{fields},"x":[1],"y":[1]}}}}"#);
    // Here each array has its own keys, so it settles at once.
    assert!(!matches(&text, &ambiguous));
    let keys =
        |at: u32| (0..6).map(|nth| format!(r#""k{nth}":{at}"#)).collect::<Vec<_>>().join(",");
    let array = (0..60).map(|at| format!("{{{}}}", keys(at))).collect::<Vec<_>>().join(",");
    let arrays = (0..6).map(|_| format!(r#""a":[{array}]"#)).collect::<Vec<_>>().join(",");
    let ambiguous = format!(r#"{{{arrays},"a":[{{"x":1}},{{"y":1}}]}}"#);
    let outcome = rule(&text).matches(ambiguous.as_bytes());
    assert_eq!(outcome, Err(event::Error::TooCostly { steps: MAX_EVENT_STEPS }));
}

#[test]
fn names_are_never_resolved() {
    assert!(matches(r#"{"a":["999.1.1.1"]}"#, r#"{"a":"999.1.1.1"}"#));
    assert!(!matches(r#"{"a":["10.0.0.1"]}"#, r#"{"a":"example.com"}"#));
}

#[test]
fn depth_is_bounded_in_rules_and_events() {
    let nest = |depth: usize| r#"{"a":"#.repeat(depth) + r#"["x"]"# + &"}".repeat(depth);
    assert!(Rule::parse(&nest(MAX_DEPTH - 1)).is_ok());
    assert!(Rule::parse(&nest(MAX_DEPTH)).is_err());
    let known = rule(&nest(MAX_DEPTH - 1));
    assert!(known.matches(nest(MAX_DEPTH - 1).as_bytes()).unwrap());
    for open in ["[", r#"{"a":"#] {
        let event = format!(r#"{{"b":1,"a":{}"#, open.repeat(1 << 20));
        assert!(known.matches(event.as_bytes()).is_err());
        let event = format!(r#"{{"unknown":{}"#, open.repeat(1 << 20));
        assert!(known.matches(event.as_bytes()).is_err());
    }
}

#[test]
fn fields_and_bytes_are_bounded() {
    let wide = |count: usize| {
        let fields: Vec<String> = (0..count).map(|nth| format!(r#""k{nth}":[1]"#)).collect();
        format!("{{{}}}", fields.join(","))
    };
    assert!(Rule::parse(&wide(MAX_FIELDS_PER_SUB_RULE)).is_ok());
    let error = Rule::parse(&wide(MAX_FIELDS_PER_SUB_RULE + 1)).unwrap_err();
    assert!(error.problem().contains("more than 256 fields"), "{error}");
    let error = Rule::parse(&" ".repeat(MAX_RULE_BYTES + 1)).unwrap_err();
    assert!(error.problem().contains("longer than"), "{error}");
}

/// Repeating one key costs a comparison with every field of every sub-rule each time.
#[test]
fn repeated_keys_over_a_large_product_are_bounded() {
    let wide: Vec<String> = (0..50).map(|nth| format!(r#""w{nth}":[1]"#)).collect();
    let again = r#""z":[1],"#.repeat(60_000);
    let ors = ors(10);
    let text = format!("{{{},{again}{}", wide.join(","), &ors[1..]);
    assert!(Rule::parse(&text).is_ok(), "before the product it is one comparison each");
    let text = format!("{{{},{},{again}\"y\":[1]}}", wide.join(","), &ors[1..ors.len() - 1]);
    assert!(Rule::parse(&text).is_err());
}

/// All rules share a value that is in every event, and differ in another.
#[test]
fn rules_that_cannot_match_are_not_touched() {
    let mut machine = Machine::new();
    for id in 0..20_000 {
        let (row, column) = (id / 150, id % 150);
        let text = format!(r#"{{"account":["acme"],"x":["{row}"],"y":["{column}"]}}"#);
        machine.add(id, &rule(&text)).unwrap();
    }
    let event = br#"{"account":"acme","x":"77","y":"33"}"#;
    let mut scratch = Scratch::new();
    let mut count = 0;
    // Touching every rule would make these four thousand million tests.
    for _ in 0..200_000 {
        machine
            .matches_with(event, &mut scratch, |id| count += usize::from(*id == 77 * 150 + 33))
            .unwrap();
    }
    assert_eq!(count, 200_000);
}
