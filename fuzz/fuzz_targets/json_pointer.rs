//! Whatever a pointer and a text are, the string at the pointer is the one that a JSON parser finds:
//! `cargo +nightly fuzz run json_pointer`.
#![no_main]

use hookyard_core::json_pointer::{check, string_at};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|input: (&str, &[u8])| {
    let (pointer, json) = input;
    if check(pointer).is_err() {
        return;
    }
    let found = string_at(json, pointer);
    let Ok(value) = serde_json::from_slice::<Value>(json) else { return };
    let expected = value.pointer(pointer).and_then(Value::as_str);
    assert_eq!(found.as_deref(), expected);
});
