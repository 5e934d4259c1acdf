//! No rule and event make matching panic, and the ways to match agree:
//! `cargo +nightly fuzz run rule_match`. The input is a rule, a NUL byte and an event.
#![no_main]

use hookyard_ruler::{Machine, Rule, explain};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some(split) = input.iter().position(|byte| *byte == 0) else { return };
    let (rule, event) = (&input[..split], &input[split + 1..]);
    let Some(rule) = std::str::from_utf8(rule).ok().and_then(|text| Rule::parse(text).ok()) else {
        return;
    };
    let alone = rule.matches(event);
    if let Ok(explanation) = explain(&rule, event) {
        assert_eq!(alone.as_ref(), Ok(&explanation.matched()));
    }
    // Among others, and after others have gone, the answer is the same.
    let mut machine = Machine::new();
    for id in 0..40 {
        assert!(machine.add(id, &rule).is_ok());
    }
    for id in 1..40 {
        assert!(machine.remove(&id));
    }
    let among = machine.matches(event).map(|ids| !ids.is_empty());
    assert_eq!(among, alone);
    assert!(machine.remove_rule(&0, &rule) == Ok(true) && machine.sub_rule_count() == 0);
});
