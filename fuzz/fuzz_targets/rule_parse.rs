//! No text makes the parser of rules panic or hang, and what it refuses it explains:
//! `cargo +nightly fuzz run rule_parse`.
#![no_main]

use hookyard_ruler::Rule;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    match Rule::parse(text) {
        Ok(rule) => assert!(rule.sub_rule_count() > 0),
        Err(error) => assert!(!error.problem().is_empty() && !error.fix().is_empty()),
    }
});
