//! No request makes a provider's verifier or the doctor panic, none is believed without the secret, and
//! every template and place that can be read is read back from what it is written as:
//! `cargo +nightly fuzz run provider`.
#![no_main]

use hookyard_core::model::Secret;
use hookyard_core::provider::{
    Handshaken, Judged, Place, Request, Template, Verification, diagnose, presets,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;

const METHODS: [Method; 4] = [Method::GET, Method::POST, Method::HEAD, Method::OPTIONS];

/// A text for every form of key: 64 hexadecimal digits are base64 and a public key, too.
const SECRET: &str = "5e0a2f5d1b3c4d015e0a2f5d1b3c4d015e0a2f5d1b3c4d015e0a2f5d1b3c4d01";

type Input<'a> = (u8, u8, Vec<(u8, Vec<u8>)>, &'a str, &'a [u8], &'a str);

fuzz_target!(|input: Input<'_>| {
    let (which, method, values, query, body, text) = input;
    if let Ok(template) = text.parse::<Template>() {
        assert_eq!(template.to_string().parse::<Template>().ok(), Some(template));
    }
    if let Ok(place) = text.parse::<Place>() {
        assert_eq!(place.to_string().parse::<Place>().ok(), Some(place));
    }
    let preset = &presets()[usize::from(which) % presets().len()];
    let places = preset.scheme.signature.from.iter();
    let stamps = preset.scheme.timestamp.iter().flat_map(|stamp| &stamp.from);
    let names: Vec<HeaderName> = places
        .chain(stamps)
        .filter_map(|place| {
            place.to_string().strip_prefix("header:")?.replace('*', "1").parse().ok()
        })
        .collect();
    let mut headers = HeaderMap::new();
    for (name, value) in values {
        let name = names.get(usize::from(name) % names.len().max(1)).cloned();
        let name = name.unwrap_or(http::header::AUTHORIZATION);
        if let Ok(value) = HeaderValue::from_bytes(&value) {
            headers.append(name, value);
        }
    }
    let verification = Verification {
        provider: Some(preset.name.clone()),
        secrets: vec![Secret::new(SECRET)],
        handshake_secret: Some(Secret::new(SECRET)),
        ..Verification::default()
    };
    let verifier = verification.verifier().expect("the preset is there");
    let request = Request {
        method: &METHODS[usize::from(method) % METHODS.len()],
        headers: &headers,
        url: Some("https://a.example/b?c=d"),
        query,
        body,
    };
    let now = Timestamp::UNIX_EPOCH;
    match verifier.judge(&request, now) {
        Ok(Judged::Delivery) => panic!("{} believed a stranger", preset.name),
        Ok(Judged::Handshake(Handshaken::Learn(..))) => panic!("a secret is there already"),
        Ok(Judged::Handshake(Handshaken::Answer(_))) | Err(_) => {}
    }
    let _ = diagnose(&verifier, &request, Some(text.as_bytes()), now);
});
