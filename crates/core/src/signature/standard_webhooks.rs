//! Standard Webhooks 1.0.0, also under Svix's header names: HMAC-SHA256 over `id.T.body`
//! (docs/spec/conventions.md#standard-webhooks).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName};
use jiff::Timestamp;

use super::{is_base64_of, is_fresh, mac, text};

/// The header with the list of signatures.
pub const SIGNATURE_HEADER: HeaderName = HeaderName::from_static("webhook-signature");
/// The same under Svix's name.
pub const SVIX_SIGNATURE_HEADER: HeaderName = HeaderName::from_static("svix-signature");

const STANDARD_NAMES: [HeaderName; 3] = [
    HeaderName::from_static("webhook-id"),
    HeaderName::from_static("webhook-timestamp"),
    SIGNATURE_HEADER,
];
const SVIX_NAMES: [HeaderName; 3] = [
    HeaderName::from_static("svix-id"),
    HeaderName::from_static("svix-timestamp"),
    SVIX_SIGNATURE_HEADER,
];

/// What a secret in the standard's own form starts with; its base64 follows.
const SECRET_PREFIX: &str = "whsec_";

/// Whether the body carries a right and fresh `v1` signature, under either set of names. Any
/// signature of the list is enough.
pub fn verify(headers: &HeaderMap, body: &[u8], secret: &str, now: Timestamp) -> bool {
    [STANDARD_NAMES, SVIX_NAMES].iter().any(|names| verify_names(headers, names, body, secret, now))
}

fn verify_names(
    headers: &HeaderMap,
    [id, time, signature]: &[HeaderName; 3],
    body: &[u8],
    secret: &str,
    now: Timestamp,
) -> bool {
    let (Some(id), Some(time), Some(signatures)) =
        (text(headers, id), text(headers, time), text(headers, signature))
    else {
        return false;
    };
    if !is_fresh(time, now) {
        return false;
    }
    let parts = [id.as_bytes(), b".", time.as_bytes(), b".", body];
    keys(secret).iter().filter_map(|key| mac(key, &parts)).any(|expected| {
        signatures
            .split_ascii_whitespace()
            .filter_map(|entry| entry.strip_prefix("v1,"))
            .any(|signature| is_base64_of(signature, &expected))
    })
}

/// The keys that a secret may stand for. Libraries of the standard take every secret for base64,
/// with or without the prefix, so a plain secret counts both as it stands and decoded.
fn keys(secret: &str) -> Vec<Vec<u8>> {
    match secret.strip_prefix(SECRET_PREFIX) {
        Some(encoded) => STANDARD.decode(encoded).into_iter().collect(),
        None => {
            let decoded = STANDARD.decode(secret).ok();
            [Some(secret.as_bytes().to_vec()), decoded].into_iter().flatten().collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signature::testing::{at, headers};

    // The vector of docs/spec/conventions.md#standard-webhooks.
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const T: i64 = 1_614_265_330;
    const BODY: &[u8] = br#"{"test": 2432232314}"#;
    const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

    fn signed(names: [&'static str; 3], time: &str, signature: &str) -> HeaderMap {
        headers(&[(names[0], ID), (names[1], time), (names[2], signature)])
    }

    const NAMES: [&str; 3] = ["webhook-id", "webhook-timestamp", "webhook-signature"];
    const SVIX: [&str; 3] = ["svix-id", "svix-timestamp", "svix-signature"];

    #[test]
    fn the_vector_verifies_under_both_names() {
        for names in [NAMES, SVIX] {
            assert!(verify(&signed(names, "1614265330", SIGNATURE), BODY, SECRET, at(T)));
            let list = format!("v1,AAAA v1a,x {SIGNATURE}");
            assert!(verify(&signed(names, "1614265330", &list), BODY, SECRET, at(T + 300)));
        }
    }

    #[test]
    fn a_plain_secret_counts_as_text_and_as_base64() {
        let plain = SECRET.strip_prefix(SECRET_PREFIX).unwrap();
        assert!(verify(&signed(NAMES, "1614265330", SIGNATURE), BODY, plain, at(T)));
        // Computed apart from this code: Python's hmac with the text `plain` as the key.
        let raw = "v1,ELhqG0Ku1gwOc1f4jyKdp3SFGFLAOdJ9bvpWLciCakI=";
        assert!(verify(&signed(NAMES, "1614265330", raw), BODY, plain, at(T)));
        assert!(!verify(&signed(NAMES, "1614265330", raw), BODY, SECRET, at(T)));
    }

    #[test]
    fn tampering_and_age_are_found() {
        let good = signed(NAMES, "1614265330", SIGNATURE);
        assert!(!verify(&good, br#"{"test": 2432232315}"#, SECRET, at(T)));
        assert!(!verify(&good, BODY, "whsec_AAAA", at(T)));
        assert!(!verify(&good, BODY, "whsec_!", at(T)));
        assert!(!verify(&good, BODY, SECRET, at(T + 301)));
        assert!(!verify(&good, BODY, SECRET, at(T - 301)));
        assert!(!verify(&signed(NAMES, "1614265331", SIGNATURE), BODY, SECRET, at(T)));
        let bare = &SIGNATURE["v1,".len()..];
        assert!(!verify(&signed(NAMES, "1614265330", bare), BODY, SECRET, at(T)));
        let mixed = ["webhook-id", "svix-timestamp", "webhook-signature"];
        assert!(!verify(&signed(mixed, "1614265330", SIGNATURE), BODY, SECRET, at(T)));
    }
}
