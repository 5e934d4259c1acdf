//! Whatever is registered as a redirect URI and accepted is read in one way, and a code that a person
//! types is found or is none: `cargo +nightly fuzz run oauth`.
#![no_main]

use hookyard_core::oauth::{pkce, redirect_uri, user_code};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&str, &str)| {
    let (uri, text) = input;
    if redirect_uri::check(uri).is_ok() {
        let sent = redirect_uri::with_parameters(uri, &[("code", text)]);
        assert!(sent.starts_with(uri) && sent.is_ascii());
        assert!(!sent.contains(['\r', '\n', ' ', '"', '<', '#']));
        let source = redirect_uri::policy_source(uri);
        assert!(!source.is_empty() && !source.contains([' ', ';', ',']));
    }
    if let Some(shown) = user_code::parse(text) {
        assert_eq!(user_code::parse(&shown), Some(shown.clone()));
    }
    if pkce::check_challenge(uri, Some(pkce::METHOD)).is_ok() {
        assert!(!pkce::verifies(uri, text) || text.len() >= 43);
    }
});
