//! The vector format: JSON lines, each a question with the answer recorded for it.

use std::collections::BTreeMap;

use hookyard_ruler::{Machine, Rule};
use serde_json::Value;

/// Classes of quirks that the library departs from on purpose; the crate documentation gives
/// the reasons. A departure in any other class is a failure.
const DEPARTED: [&str; 1] = ["cidr-lenient-mask"];

/// What became of a file of vectors.
#[derive(Default)]
pub(crate) struct Report {
    /// Vectors answered as recorded.
    pub(crate) passed: usize,
    /// Vectors answered otherwise, on purpose, by class.
    pub(crate) departures: BTreeMap<String, usize>,
    /// Vectors answered otherwise.
    pub(crate) failures: Vec<String>,
}

/// Runs every line of the text.
pub(crate) fn run(text: &str) -> Report {
    let mut report = Report::default();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let vector: Value = match serde_json::from_str(line) {
            Ok(vector) => vector,
            Err(error) => {
                report.failures.push(format!("not a vector: {error}"));
                continue;
            }
        };
        match check(&vector) {
            Ok(()) => report.passed += 1,
            Err(problem) => report.depart(&vector, &problem),
        }
    }
    report
}

impl Report {
    fn depart(&mut self, vector: &Value, problem: &str) {
        let quirk = vector["quirk"].as_str().unwrap_or_default();
        // Where the original contradicts itself, `reference` is the answer, and no excuse.
        if DEPARTED.contains(&quirk) && vector.get("reference").is_none() {
            *self.departures.entry(quirk.into()).or_default() += 1;
        } else {
            let id = vector["id"].as_str().unwrap_or("no id");
            self.failures.push(format!("{id} {}: {problem}", vector["feature"]));
        }
    }
}

fn check(vector: &Value) -> Result<(), String> {
    let text = |name: &str| vector[name].as_str().ok_or(format!("no {name}"));
    match text("kind")? {
        "match" => {
            let rule = Rule::parse(text("rule")?).map_err(|error| error.to_string())?;
            let event = text("event")?.as_bytes();
            let alone = rule.matches(event).map_err(|error| error.to_string())?;
            same(&Value::from(alone), answer(vector, "matches"))?;
            let explanation =
                hookyard_ruler::explain(&rule, event).map_err(|error| error.to_string())?;
            same(&Value::from(explanation.matched()), answer(vector, "matches"))?;
            let silent = explanation
                .sub_rules()
                .iter()
                .any(|sub_rule| !sub_rule.matched() && sub_rule.failures().is_empty());
            if silent { Err("no reason given".into()) } else { Ok(()) }
        }
        "rule_error" => match Rule::parse(text("rule")?) {
            Ok(_) => Err("accepted".into()),
            Err(_) => Ok(()),
        },
        "rule_ok" => Rule::parse(text("rule")?).map(drop).map_err(|error| error.to_string()),
        "event_error" => {
            let rule = Rule::parse(text("rule")?).map_err(|error| error.to_string())?;
            match rule.matches(text("event")?.as_bytes()) {
                Ok(_) => Err("accepted".into()),
                Err(_) => Ok(()),
            }
        }
        "multi" => {
            let mut machine = Machine::new();
            for (name, rule) in vector["rules"].as_object().ok_or("no rules")? {
                add(&mut machine, name, rule)?;
            }
            matched(&machine, vector)
        }
        "ops" => {
            let mut machine = Machine::new();
            for operation in vector["ops"].as_array().ok_or("no ops")? {
                let name = operation[1].as_str().ok_or("no name")?;
                if operation[0] == "add" {
                    add(&mut machine, name, &operation[2])?;
                } else {
                    let rule = parse(&operation[2])?;
                    machine.remove_rule(&name.into(), &rule).map_err(|error| error.to_string())?;
                }
            }
            matched(&machine, vector)
        }
        other => Err(format!("unknown kind {other}")),
    }
}

fn parse(rule: &Value) -> Result<Rule, String> {
    Rule::parse(rule.as_str().ok_or("a rule is not a string")?).map_err(|error| error.to_string())
}

fn add(machine: &mut Machine<String>, name: &str, rule: &Value) -> Result<(), String> {
    machine.add(name.into(), &parse(rule)?).map_err(|error| error.to_string())
}

fn matched(machine: &Machine<String>, vector: &Value) -> Result<(), String> {
    let event = vector["event"].as_str().ok_or("no event")?;
    let mut ids = machine.matches(event.as_bytes()).map_err(|error| error.to_string())?;
    ids.sort();
    same(&Value::from(ids), answer(vector, "matched"))
}

fn answer<'a>(vector: &'a Value, name: &str) -> &'a Value {
    vector.get("reference").unwrap_or(&vector[name])
}

fn same(ours: &Value, expected: &Value) -> Result<(), String> {
    if ours == expected { Ok(()) } else { Err(format!("answered {ours}, expected {expected}")) }
}
