//! The language by example, and the interface of the library.
#![expect(clippy::panic, reason = "a failure is the point")]

use hookyard_ruler::{Machine, Reason, Rule, Scratch, explain};

fn matches(rule: &str, event: &str) -> bool {
    let rule = Rule::parse(rule).unwrap_or_else(|error| panic!("{error}"));
    rule.matches(event.as_bytes()).unwrap_or_else(|error| panic!("{error}"))
}

fn check(rule: &str, yes: &[&str], no: &[&str]) {
    yes.iter().for_each(|event| assert!(matches(rule, event), "{rule} on {event}"));
    no.iter().for_each(|event| assert!(!matches(rule, event), "{rule} on {event}"));
}

#[test]
fn plain_values() {
    check(r#"{"a":["x"]}"#, &[r#"{"a":"x"}"#, r#"{"a":["y","x"]}"#], &[r#"{"a":"X"}"#, "{}"]);
    check(r#"{"a":[true,null]}"#, &[r#"{"a":true}"#, r#"{"a":null}"#], &[r#"{"a":"true"}"#]);
    check(r#"{"a":[5]}"#, &[r#"{"a":5.0}"#, r#"{"a":50e-1}"#], &[r#"{"a":"5"}"#, r#"{"a":51}"#]);
    check(r#"{"a":["::1"]}"#, &[r#"{"a":"0:0:0:0:0:0:0:1"}"#], &[r#"{"a":"::2"}"#]);
    check(r#"{"a":[{"exactly":"::1"}]}"#, &[r#"{"a":"::1"}"#], &[r#"{"a":"0::1"}"#]);
    check(r#"{"a":[1e400]}"#, &[r#"{"a":1e400}"#], &[r#"{"a":1E400}"#, r#"{"a":"1e400"}"#]);
}

#[test]
fn matchers() {
    check(r#"{"a":[{"prefix":"ab"}]}"#, &[r#"{"a":"abc"}"#], &[r#"{"a":"Abc"}"#, r#"{"a":1}"#]);
    check(
        r#"{"a":[{"suffix":{"equals-ignore-case":"Ab"}}]}"#,
        &[r#"{"a":"xaB"}"#],
        &[r#"{"a":"abx"}"#],
    );
    check(
        r#"{"a":[{"numeric":[">",1,"<=",2]}]}"#,
        &[r#"{"a":2.0}"#],
        &[r#"{"a":1}"#, r#"{"a":"2"}"#],
    );
    check(r#"{"a":[{"cidr":"10.0.0.0/8"}]}"#, &[r#"{"a":"10.9.8.7"}"#], &[r#"{"a":"11.0.0.1"}"#]);
    check(r#"{"a":[{"wildcard":"a*\\**"}]}"#, &[r#"{"a":"ab*c"}"#], &[r#"{"a":"abc"}"#]);
    let anything_but = r#"{"a":[{"anything-but":["x","y"]}]}"#;
    check(
        anything_but,
        &[r#"{"a":"z"}"#, r#"{"a":5}"#, r#"{"a":["x","z"]}"#],
        &[r#"{"a":"x"}"#, "{}"],
    );
    check(
        r#"{"a":[{"exists":false}]}"#,
        &["{}", r#"{"a":{"b":1}}"#, r#"{"a":[]}"#],
        &[r#"{"a":null}"#],
    );
}

#[test]
fn paths_and_duplicates() {
    check(
        r#"{"a.b":{"c":["x"]}}"#,
        &[r#"{"a":{"b.c":"x"}}"#, r#"{"a.b.c":"x"}"#],
        &[r#"{"a":{"b":"x"}}"#],
    );
    check(r#"{"a":["x"],"a":["y"]}"#, &[r#"{"a":"y"}"#], &[r#"{"a":"x"}"#]);
    check(r#"{"a":["x"]}"#, &[r#"{"a":"y","a":"x"}"#, r#"{"\u0061":"\u0078"}"#], &[]);
}

#[test]
fn or_multiplies_and_falls_back() {
    let rule = r#"{"k":[1],"$or":[{"a":[1]},{"b":[1]}],"$or":[{"c":[1]},{"d":[1]}]}"#;
    assert_eq!(Rule::parse(rule).unwrap().sub_rule_count(), 4);
    check(rule, &[r#"{"k":1,"a":1,"d":1}"#], &[r#"{"k":1,"a":1,"b":1}"#]);
    check(r#"{"$or":[{"prefix":"x"}]}"#, &[r#"{"$or":"xy"}"#], &[r#"{"a":"xy"}"#]);
}

#[test]
fn arrays_are_consistent() {
    let rule = r#"{"a":{"b":["x"],"c":["y"]}}"#;
    check(rule, &[r#"{"a":[{"b":"x","c":"y"}]}"#], &[r#"{"a":[{"b":"x"},{"c":"y"}]}"#]);
    check(rule, &[r#"{"a":[{"b":"x"}],"a":[{"c":"y"}]}"#], &[r#"{"a":[[{"b":"x"}],{"c":"y"}]}"#]);
}

#[test]
fn errors_name_path_value_and_fix() {
    let cases = [
        (r#"{"a":{"b":"x"}}"#, "a.b", r#""x""#, "put it into a list"),
        (r#"{"a":[{"prefx":"x"}]}"#, "a", r#"{"prefx":"x"}"#, "use one of exactly, prefix"),
        (r#"{"a":[{"numeric":["=>",5]}]}"#, "a", r#"["=>",5]"#, "write [\"=\", n]"),
        (r#"{"a":[{"cidr":"10.0.0.0/32"}]}"#, "a", r#""10.0.0.0/32""#, "plain address"),
        (r#"{"$or":[{"a":[]},{"b":[1]}]}"#, "a", "[]", "list at least one value"),
    ];
    for (rule, path, value, fix) in cases {
        let error = Rule::parse(rule).unwrap_err();
        assert_eq!((error.path(), error.value()), (path, value), "{rule}");
        assert!(error.fix().contains(fix), "{error}");
        let text = error.to_string();
        assert!(!text.ends_with('.'), "{text}");
    }
}

#[test]
fn a_machine_forgets_what_is_removed() {
    let rule = |text: &str| Rule::parse(text).unwrap();
    let mut machine = Machine::new();
    machine.add("r", &rule(r#"{"a":[1,2],"b":[3,4]}"#)).unwrap();
    machine.add("s", &rule(r#"{"a":[1]}"#)).unwrap();
    let ids = |machine: &Machine<&'static str>, event: &str| {
        let mut ids = machine.matches(event.as_bytes()).unwrap();
        ids.sort_unstable();
        ids
    };
    assert!(!machine.remove_rule(&"r", &rule(r#"{"a":[1]}"#)).unwrap(), "other fields");
    assert!(machine.remove_rule(&"r", &rule(r#"{"a":[1],"b":[3]}"#)).unwrap());
    assert_eq!(ids(&machine, r#"{"a":1,"b":3}"#), ["s"]);
    for event in [r#"{"a":1,"b":4}"#, r#"{"a":2,"b":3}"#, r#"{"a":2,"b":4}"#] {
        assert!(ids(&machine, event).contains(&"r"), "{event}");
    }
    assert!(machine.remove(&"r") && !machine.remove(&"r") && machine.remove(&"s"));
    assert!(machine.is_empty() && machine.sub_rule_count() == 0);
    assert!(ids(&machine, r#"{"a":1,"b":4}"#).is_empty());
}

#[test]
fn one_machine_serves_many_threads() {
    fn shared<T: Send + Sync>(_: &T) {}
    let mut machine = Machine::new();
    machine.add(1, &Rule::parse(r#"{"a":["x"]}"#).unwrap()).unwrap();
    shared(&machine);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| assert_eq!(machine.matches(br#"{"a":"x"}"#).unwrap(), [1]));
        }
    });
}

#[test]
fn a_scratch_goes_from_machine_to_machine() {
    let mut scratch = Scratch::new();
    for size in [50, 3, 20] {
        let mut machine = Machine::new();
        for id in 0..size {
            machine.add(id, &Rule::parse(&format!(r#"{{"k{id}":[{id}]}}"#)).unwrap()).unwrap();
        }
        let mut found = Vec::new();
        machine.matches_with(br#"{"k2":2,"k1":0}"#, &mut scratch, |id| found.push(*id)).unwrap();
        assert_eq!(found, [2]);
    }
}

#[test]
fn explanations_say_which_field_and_why() {
    let rule =
        Rule::parse(r#"{"a":{"b":["x"],"c":["y"]},"$or":[{"d":[1]},{"e":[{"prefix":"p"}]}]}"#)
            .unwrap();
    let event = br#"{"a":[{"b":"x"},{"c":"y"}],"d":2,"e":"pq"}"#;
    let explanation = explain(&rule, event).unwrap();
    assert!(!explanation.matched());
    let [first, second] = explanation.sub_rules() else { panic!("two branches") };
    assert_eq!(first.failures()[0].path(), "d");
    assert!(matches!(first.failures()[0].reason(), Reason::Unwanted { .. }));
    assert!(second.failures().iter().all(|one| *one.reason() == Reason::DifferentElements));
    assert_eq!(
        explanation.to_string(),
        "no match\n  branch 1:\n    d: 2 is not 1\n  branch 2:\n    \
         a.b: satisfied, but not in the same array element as the other fields\n    \
         a.c: satisfied, but not in the same array element as the other fields"
    );
}

#[test]
fn events_that_are_not_objects_are_refused() {
    let rule = Rule::parse(r#"{"a":["x"]}"#).unwrap();
    for event in ["", "[]", "5", "{", r#"{"a":"x""#, r#"{"b":01}"#, "\u{feff}{}", r#"{"b":"\x"}"#] {
        assert!(rule.matches(event.as_bytes()).is_err(), "{event}");
    }
    assert!(rule.matches(b"{\"b\":\"\xff\"}").is_err(), "not UTF-8");
    assert!(rule.matches(b"{\"a\":\"x\"} trailing \xff").unwrap());
}
