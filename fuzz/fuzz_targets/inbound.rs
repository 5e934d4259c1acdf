//! No signature header and no origin makes a judgement panic, and none is believed without its secret:
//! `cargo +nightly fuzz run inbound`.
#![no_main]

use hookyard_core::{origins, signature};
use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;

const HEADERS: [&str; 8] = [
    "x-hub-signature-256",
    "x-webhook-signature",
    "x-shopify-hmac-sha256",
    "stripe-signature",
    "x-slack-signature",
    "x-slack-request-timestamp",
    "webhook-signature",
    "webhook-timestamp",
];

fuzz_target!(|input: (Vec<(u8, Vec<u8>)>, &[u8], &str, &str)| {
    let (values, body, list, origin) = input;
    let mut headers = HeaderMap::new();
    for (name, value) in values {
        let name = HeaderName::from_static(HEADERS[usize::from(name) % HEADERS.len()]);
        if let Ok(value) = HeaderValue::from_bytes(&value) {
            headers.append(name, value);
        }
    }
    assert!(!signature::verify(
        &headers,
        body,
        "never guessed: 5e0a2f5d1b3c4d01",
        Timestamp::UNIX_EPOCH
    ));
    let _ = origins::judge(list, origin);
});
