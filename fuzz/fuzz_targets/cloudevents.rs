//! No request makes the reader of events panic, and what it accepts is a JSON object of the body:
//! `cargo +nightly fuzz run cloudevents`.
#![no_main]

use bytes::Bytes;
use hookyard_core::cloudevents;
use http::{HeaderMap, HeaderValue};
use libfuzzer_sys::fuzz_target;

const MODES: [&str; 3] =
    ["application/cloudevents+json", "application/cloudevents-batch+json", "application/json"];

fuzz_target!(|input: (u8, Vec<u8>, Vec<u8>)| {
    let (mode, id, body) = input;
    let mut headers = HeaderMap::new();
    let mode = MODES[usize::from(mode) % MODES.len()];
    headers.insert("content-type", HeaderValue::from_static(mode));
    for name in ["ce-source", "ce-type"] {
        headers.insert(name, HeaderValue::from_static("x"));
    }
    headers.insert("ce-specversion", HeaderValue::from_static("1.0"));
    if let Ok(id) = HeaderValue::from_bytes(&id) {
        headers.insert("ce-id", id);
    }
    if let Ok(events) = cloudevents::read(&headers, &Bytes::from(body), 1 << 16) {
        for event in events {
            assert!(!event.id.is_empty() && event.object.starts_with(b"{"));
        }
    }
});
