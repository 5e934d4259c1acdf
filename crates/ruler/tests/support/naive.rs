//! A matcher as plain as can be: it lists every leaf with its array elements, and tries every
//! combination. It reads JSON with serde_json and knows nothing of the library.
#![expect(clippy::unwrap_used, clippy::panic, reason = "rules made by the tests are valid")]

use serde_json::Value;

/// A leaf and the elements around it, as (array, index).
#[derive(Clone)]
struct Leaf {
    path: String,
    value: Value,
    elements: Vec<(usize, usize)>,
}

/// Whether a rule (without `$or`) matches an event.
pub(crate) fn matches(rule: &Value, event: &Value) -> bool {
    let mut leaves = Vec::new();
    let mut arrays = 0;
    flatten("", event, &[], &mut arrays, &mut leaves);
    let mut fields = Vec::new();
    rule_fields("", rule, &mut fields);
    fields.sort_by(|one, other| one.0.cmp(&other.0));
    choose(&fields, &leaves, &mut Vec::new())
}

fn join(outer: &str, key: &str) -> String {
    if outer.is_empty() { key.into() } else { format!("{outer}.{key}") }
}

fn flatten(
    path: &str,
    value: &Value,
    elements: &[(usize, usize)],
    arrays: &mut usize,
    out: &mut Vec<Leaf>,
) {
    match value {
        Value::Object(members) => {
            for (key, value) in members {
                flatten(&join(path, key), value, elements, arrays, out);
            }
        }
        Value::Array(values) => {
            *arrays += 1;
            let array = *arrays;
            for (index, value) in values.iter().enumerate() {
                let mut inner = elements.to_vec();
                if value.is_object() || value.is_array() {
                    inner.push((array, index));
                }
                flatten(path, value, &inner, arrays, out);
            }
        }
        scalar => {
            let (path, elements) = (path.to_string(), elements.to_vec());
            out.push(Leaf { path, value: scalar.clone(), elements });
        }
    }
}

fn rule_fields(path: &str, rule: &Value, out: &mut Vec<(String, Vec<Value>)>) {
    for (key, value) in rule.as_object().unwrap() {
        let path = join(path, key);
        match value {
            Value::Array(alternatives) => out.push((path, alternatives.clone())),
            object => rule_fields(&path, object, out),
        }
    }
}

fn choose(fields: &[(String, Vec<Value>)], leaves: &[Leaf], chosen: &mut Vec<Leaf>) -> bool {
    let Some(((path, alternatives), rest)) = fields.split_first() else { return true };
    let agrees = |leaf: &Leaf, chosen: &[Leaf]| {
        chosen.iter().flat_map(|other| &other.elements).all(|(array, index)| {
            leaf.elements.iter().all(|(other, at)| other != array || at == index)
        })
    };
    let here: Vec<&Leaf> =
        leaves.iter().filter(|leaf| leaf.path == *path && agrees(leaf, chosen)).collect();
    for leaf in &here {
        if alternatives.iter().any(|alternative| satisfies(alternative, &leaf.value)) {
            chosen.push((*leaf).clone());
            if choose(rest, leaves, chosen) {
                return true;
            }
            chosen.pop();
        }
    }
    let wants_absence = alternatives.iter().any(|one| one["exists"] == false);
    wants_absence && here.is_empty() && choose(rest, leaves, chosen)
}

fn satisfies(alternative: &Value, value: &Value) -> bool {
    let Some(matcher) = alternative.as_object() else { return equal(alternative, value) };
    let (name, argument) = matcher.iter().next().unwrap();
    let text = value.as_str();
    let pattern = argument.as_str().unwrap_or_default();
    let is = |test: &dyn Fn(&str) -> bool| text.is_some_and(test);
    match name.as_str() {
        "prefix" => is(&|text| text.starts_with(pattern)),
        "suffix" => is(&|text| text.ends_with(pattern)),
        "equals-ignore-case" => is(&|text| text.eq_ignore_ascii_case(pattern)),
        "wildcard" => is(&|text| wildcard(pattern.as_bytes(), text.as_bytes())),
        "numeric" => {
            value.as_f64().is_some_and(|number| in_range(argument.as_array().unwrap(), number))
        }
        "exists" => argument == true,
        "anything-but" => !excluded(argument, value),
        other => panic!("the naive matcher does not know {other}"),
    }
}

fn excluded(argument: &Value, value: &Value) -> bool {
    match argument {
        Value::Array(values) => values.iter().any(|one| equal(one, value)),
        Value::Object(_) => satisfies(argument, value),
        one => equal(one, value),
    }
}

fn equal(one: &Value, other: &Value) -> bool {
    match (one.as_f64(), other.as_f64()) {
        (Some(one), Some(other)) => one == other,
        _ => one == other,
    }
}

fn in_range(terms: &[Value], number: f64) -> bool {
    terms.chunks(2).all(|term| {
        let bound = term[1].as_f64().unwrap();
        match term[0].as_str().unwrap() {
            "<" => number < bound,
            "<=" => number <= bound,
            ">" => number > bound,
            ">=" => number >= bound,
            _ => number == bound,
        }
    })
}

fn wildcard(pattern: &[u8], text: &[u8]) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some((b'*', rest)) => (0..=text.len()).any(|at| wildcard(rest, &text[at..])),
        Some((first, rest)) => text.first() == Some(first) && wildcard(rest, &text[1..]),
    }
}
