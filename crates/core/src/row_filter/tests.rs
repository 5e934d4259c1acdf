use std::cmp::Ordering;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn holds(filter: &str, cell: &str) -> bool {
    Filter::parse(filter)
        .unwrap_or_else(|error| panic!("{filter}: {error}"))
        .matches(cell.as_bytes())
}

const ORDER: &str = r#" {"id":"A\u002d1","total":10.50,"paid":true,"note":null,
    "items":[{"sku":"x","n":1},{"sku":"y","tags":["red","blue"]}],"a b":{"":1},"e":[]} "#;

#[test]
fn conditions_hold_or_do_not() {
    for filter in [
        r#"$.id eq "A-1""#,
        r#"$.total eq 1.05e1"#,
        "$.total gt 10 and $.total le 10.5",
        "$.total ge 10.5 and $.total lt 11",
        r#"$.id gt "A" and $.id lt "B""#,
        "$.paid eq true",
        "$.note eq null and $.note exists",
        "$.nothing missing",
        "$.nothing ne 1",
        r#"$.total ne "10.5""#,
        r#"$["a b"][""] eq 1"#,
        r#"$.items[1].tags[0] eq "red""#,
        r#"$.items[*].sku eq "y""#,
        r#"$.items[*].tags[*] eq "blue""#,
        r#"$.items[1].tags contains "blue""#,
        r#"$.id contains "-""#,
        r#"$.id starts_with "A-""#,
        r#"$.id in [1, "A-1" , null]"#,
        "$.e exists and $.e[*] missing and $.e[0] missing",
        "$ exists",
        "  $.paid\teq\ntrue  ",
    ] {
        assert!(holds(filter, ORDER), "{filter}");
    }
    for filter in [
        r#"$.id eq "A-2""#,
        r#"$.ID exists"#,
        "$.total lt 10.5",
        r#"$.total gt "1""#,
        "$.paid eq 1",
        "$.note missing",
        "$.note eq false",
        "$.items[2] exists",
        "$.items.sku exists",
        "$.id[0] exists",
        r#"$.items[*].sku eq "z""#,
        r#"$.items[*].sku ne "y""#,
        r#"$.items contains "x""#,
        "$.total contains 1",
        r#"$.id starts_with "-""#,
        r#"$.id in ["a-1"]"#,
        "$.total eq 10.5 and $.paid eq false",
    ] {
        assert!(!holds(filter, ORDER), "{filter}");
    }
    let twice = r#"{"a":{"b":1},"a":2,"\ud800":"\udc00","t":"\ud800x"}"#;
    assert!(holds(r#"$.a eq 2 and $.a.b missing and $.t contains "x" and $.t ne "y""#, twice));
    assert!(holds("$ gt 4", "5") && holds(r#"$[*] eq "x""#, r#"["y","x"]"#));
    assert!(!holds("$ ne 1", "") && !holds("$.a missing", r#"{"a" 1}"#), "what is no json");
}

#[test]
fn mistakes_are_placed_and_explained() {
    for (filter, at, message) in [
        ("", 0, "expected a path"),
        ("total eq 1", 0, "expected a path"),
        ("$.total = 1", 8, "expected an operator: eq, ne"),
        ("$.total", 7, "expected an operator"),
        ("$. eq 1", 2, "expected a name"),
        ("$.a[-1] exists", 4, "expected a number from 0"),
        ("$.a[1 exists", 6, "expected `]`"),
        ("$.a[99999999999999999999] exists", 4, "expected a number from 0"),
        ("$.a eq paid", 7, "expected a string in `\"`, a number"),
        ("$.a eq 01", 7, "expected a string"),
        ("$.a eq 'x'", 7, "expected a string"),
        ("$.a eq \"x", 7, "the string has no end"),
        ("$.a eq \"\\x\"", 7, "not one of JSON"),
        ("$.a lt true", 7, "expected a number or a string"),
        ("$.a in 1", 7, "expected a list"),
        ("$.a in []", 8, "expected a string"),
        ("$.a in [1 2]", 10, "expected `,` or `]`"),
        ("$.a starts_with 1", 16, "expected a string in"),
        ("$.a eq 1 or $.b eq 2", 9, "expected `and`"),
        ("$.a eq 1 and", 12, "expected a path"),
    ] {
        let error = Filter::parse(filter).unwrap_err();
        assert_eq!(error.at, at, "{filter}: {error}");
        assert!(error.message.contains(message), "{filter}: {error}");
    }
}

#[test]
fn filters_are_bounded() {
    let conditions = vec!["$ exists"; CONDITIONS_MAX].join(" and ");
    assert!(Filter::parse(&conditions).is_ok());
    let steps = format!("${} exists", ".a".repeat(STEPS_MAX));
    assert!(Filter::parse(&steps).is_ok());
    let values = vec!["1"; VALUES_MAX].join(",");
    assert!(Filter::parse(&format!("$ in [{values}]")).is_ok());
    for too_much in [
        format!("{conditions} and $ exists"),
        format!("${} exists", ".a".repeat(STEPS_MAX + 1)),
        format!("$ in [{values},1]"),
        format!("$ eq \"{}\"", "x".repeat(FILTER_BYTES_MAX)),
    ] {
        assert!(Filter::parse(&too_much).unwrap_err().message.contains("at most"));
    }
}

/// What the filter means, over values.
fn naive(filter: &Filter, value: &Value) -> bool {
    filter.conditions.iter().all(|condition| {
        let mut reached = vec![value];
        for step in &condition.path {
            let onward = |value: &Value, step: &Step| match step {
                Step::Member(name) => value.get(name).is_some(),
                Step::Element(place) => value.get(place).is_some(),
                Step::Each => value.is_array(),
            };
            reached.retain(|value| onward(value, step));
            reached = match step {
                Step::Member(name) => reached.iter().map(|value| &value[name]).collect(),
                Step::Element(place) => reached.iter().map(|value| &value[place]).collect(),
                Step::Each => reached.iter().flat_map(|value| value.as_array().unwrap()).collect(),
            };
        }
        reached.iter().any(|value| passes(&condition.test, value)) != condition.negated
    })
}

fn compare(value: &Value, scalar: &Scalar) -> Option<Ordering> {
    match (value, scalar) {
        (Value::Number(left), Scalar::Number(right)) => {
            Some(Number::parse(left.to_string().as_bytes()).unwrap().cmp(right))
        }
        (Value::String(left), Scalar::Text(right)) => Some(left.cmp(right)),
        (Value::Bool(left), Scalar::Bool(right)) => (left == right).then_some(Ordering::Equal),
        (Value::Null, Scalar::Null) => Some(Ordering::Equal),
        _ => None,
    }
}

fn passes(test: &Test, value: &Value) -> bool {
    let same = |value: &Value, scalar: &Scalar| compare(value, scalar) == Some(Ordering::Equal);
    match test {
        Test::Exists => true,
        Test::AnyOf(scalars) => scalars.iter().any(|scalar| same(value, scalar)),
        Test::Order(wanted, scalar) => {
            compare(value, scalar).is_some_and(|order| wanted.contains(&order))
        }
        Test::StartsWith(start) => value.as_str().is_some_and(|text| text.starts_with(start)),
        Test::Contains(scalar) => match (value, scalar) {
            (Value::String(text), Scalar::Text(wanted)) => text.contains(wanted),
            (Value::Array(all), scalar) => all.iter().any(|element| same(element, scalar)),
            _ => false,
        },
    }
}

fn any_scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-3..3_i64).prop_map(Value::from),
        (-2..2_i64).prop_map(|half| json!(half as f64 / 2.0)),
        "[ab\\\\\"é]{0,2}".prop_map(Value::from),
    ]
}

fn any_json() -> impl Strategy<Value = Value> {
    any_scalar().prop_recursive(4, 40, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[ab]", inner, 0..3)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn any_condition() -> impl Strategy<Value = String> {
    let step = prop_oneof![
        "[ab]".prop_map(|name| format!(".{name}")),
        (0..3_u8).prop_map(|place| format!("[{place}]")),
        Just("[*]".to_owned()),
    ];
    let test = prop_oneof![
        Just("exists".to_owned()),
        Just("missing".to_owned()),
        (prop::sample::select(&["eq", "ne", "contains"][..]), any_scalar())
            .prop_map(|(operator, value)| format!("{operator} {value}")),
        (prop::sample::select(&["lt", "le", "gt", "ge"][..]), -3..3_i64)
            .prop_map(|(operator, value)| format!("{operator} {value}")),
        prop::collection::vec(any_scalar(), 1..4)
            .prop_map(|values| format!("in {}", Value::from(values))),
        "[ab]{0,1}".prop_map(|text| format!("starts_with \"{text}\"")),
    ];
    (prop::collection::vec(step, 0..4), test)
        .prop_map(|(steps, test)| format!("${} {test}", steps.concat()))
}

proptest! {
    #[test]
    fn text_and_values_agree(
        conditions in prop::collection::vec(any_condition(), 1..3),
        value in any_json(),
    ) {
        let filter = Filter::parse(&conditions.join(" and ")).unwrap();
        let expected = naive(&filter, &value);
        for text in [value.to_string(), serde_json::to_string_pretty(&value).unwrap()] {
            prop_assert_eq!(filter.matches(text.as_bytes()), expected, "{:?} {}", conditions, text);
        }
    }

    #[test]
    fn junk_never_panics(text: String, cell: Vec<u8>) {
        let _ = Filter::parse(&text);
        let filter = Filter::parse("$.a[*].b ne 1 and $[0] contains \"x\"").unwrap();
        let _ = filter.matches(&cell);
    }
}
