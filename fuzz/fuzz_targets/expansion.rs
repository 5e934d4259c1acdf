//! Whatever a subscription asks for, what is cut out of a JSON object is a JSON object:
//! `cargo +nightly fuzz run expansion`.
#![no_main]

use hookyard_core::catalogue;
use hookyard_core::expansion::Filter;
use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value};

fuzz_target!(|input: (&str, &[u8])| {
    let (list, object) = input;
    let is_object = |text: &[u8]| serde_json::from_slice::<Map<String, Value>>(text).is_ok();
    if !is_object(object) {
        return;
    }
    for category in &catalogue::initial().categories {
        let mut out = Vec::new();
        if Filter::new(&category.expansions, list).apply(object, &mut out).is_ok() {
            assert!(is_object(&out));
        }
    }
});
