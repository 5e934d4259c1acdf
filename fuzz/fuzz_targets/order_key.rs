//! Whatever a path and an object are, the key at the path is the one that a JSON parser finds:
//! `cargo +nightly fuzz run order_key`.
#![no_main]

use hookyard_core::order_key::{Key, OrderKey};
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};

fuzz_target!(|input: (&str, &[u8])| {
    let (path, object) = input;
    let Ok(key) = path.parse::<OrderKey>() else { return };
    assert_eq!(key.as_str(), path);
    let _ = key.key_of(object);
    let Ok(value) = serde_json::from_slice::<Value>(object) else { return };
    let flat: OrderKey = "k".parse().expect("a path");
    let expected = match path.split('.').try_fold(&value, |at, name| at.as_object()?.get(name)) {
        None | Some(Value::Null | Value::Array(_) | Value::Object(_)) => Key::NONE,
        Some(found) => flat.key_of(json!({ "k": found }).to_string().as_bytes()),
    };
    // Written anew, since numbers are compared as they are written.
    assert_eq!(key.key_of(value.to_string().as_bytes()), expected);
});
