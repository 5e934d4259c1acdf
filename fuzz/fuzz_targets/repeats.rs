//! Whatever a text is, leaving out the members that a later one takes the place of changes nothing for
//! a JSON parser, which keeps the last: `cargo +nightly fuzz run repeats`.
#![no_main]

use hookyard_core::json::without_repeats;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|json: &[u8]| {
    let kept = without_repeats(json);
    let Ok(value) = serde_json::from_slice::<Value>(json) else { return };
    assert_eq!(serde_json::from_slice::<Value>(&kept).ok(), Some(value));
});
