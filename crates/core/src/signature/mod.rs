//! Proofs that a delivery comes from someone who knows a secret: checking those of others, and
//! [`signer`] making our own.
//!
//! One file per scheme that is checked, each a pure function of the request's headers, its body exactly as it came
//! over the wire (before any content decoding), the secret and, where the scheme has a timestamp,
//! the time. None says why a proof fails: missing and wrong must look the same to the caller
//! (docs/spec/mammoth.md#secret). All comparisons take constant time.

use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::{SignedDuration, Timestamp};
use sha2::Sha256;
use subtle::ConstantTimeEq;

pub mod github;
pub mod shared_secret;
pub mod shopify;
pub mod signer;
mod signing;
pub mod slack;
pub mod standard_webhooks;
pub mod stripe;

pub use signing::{SIGNING_PREFIX_DEFAULT, Signing, SigningKey};

/// How far a signed timestamp may be from now, either way. Five minutes is what Stripe, Slack and
/// Standard Webhooks all prescribe.
pub const TOLERANCE: SignedDuration = SignedDuration::from_secs(300);

/// Whether any of the body signatures that the headers may carry is right.
pub fn verify(headers: &HeaderMap, body: &[u8], secret: &str, now: Timestamp) -> bool {
    github::verify(headers, body, secret)
        || shopify::verify(headers, body, secret)
        || stripe::verify(headers, body, secret, now)
        || slack::verify(headers, body, secret, now)
        || standard_webhooks::verify(headers, body, secret, now)
}

/// Whether the headers carry a body signature of any scheme, right or wrong. Without one there is
/// no reason to read the body of a caller who has proved nothing yet.
pub fn is_present(headers: &HeaderMap) -> bool {
    let names = [
        github::HEADER,
        github::GENERIC_HEADER,
        shopify::HEADER,
        stripe::HEADER,
        slack::SIGNATURE_HEADER,
        standard_webhooks::SIGNATURE_HEADER,
        standard_webhooks::SVIX_SIGNATURE_HEADER,
    ];
    names.iter().any(|name| headers.contains_key(name))
}

/// HMAC-SHA256 over the concatenation of `parts`.
fn mac(key: &[u8], parts: &[&[u8]]) -> Option<[u8; 32]> {
    // HMAC takes keys of any length, so this never is `None`; the type does not say so.
    let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
    for part in parts {
        mac.update(part);
    }
    Some(mac.finalize().into_bytes().into())
}

/// Compares two byte strings in constant time; only their lengths may show.
fn same(left: &[u8], right: &[u8]) -> bool {
    left.ct_eq(right).into()
}

/// Whether `text` is `mac` in hexadecimal, of either case.
fn is_hex_of(text: &str, mac: &[u8; 32]) -> bool {
    let mut bytes = [0; 32];
    hex::decode_to_slice(text.trim(), &mut bytes).is_ok() && same(&bytes, mac)
}

/// Whether `text` is `mac` in standard base64.
fn is_base64_of(text: &str, mac: &[u8; 32]) -> bool {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD
        .decode(text.trim())
        .is_ok_and(|bytes| same(&bytes, mac))
}

/// Whether a timestamp in Unix seconds is close enough to now.
fn is_fresh(text: &str, now: Timestamp) -> bool {
    let Ok(Ok(then)) = text.trim().parse().map(Timestamp::from_second) else { return false };
    now.duration_since(then).abs() <= TOLERANCE
}

/// A header's value, if it is there and readable.
fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    text_of(headers.get(name)?)
}

/// A header's value as text. Clients write what is not ASCII as UTF-8.
pub(crate) fn text_of(value: &HeaderValue) -> Option<&str> {
    std::str::from_utf8(value.as_bytes()).ok()
}

#[cfg(test)]
pub(crate) mod testing {
    use super::*;

    /// Headers from pairs.
    pub(crate) fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()))
            .collect()
    }

    /// A moment from Unix seconds.
    pub(crate) fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }
}

#[cfg(test)]
mod tests {
    use super::testing::{at, headers};
    use super::*;

    #[test]
    fn timestamps_are_fresh_for_five_minutes_either_way() {
        let now = at(1_700_000_000);
        for (text, fresh) in [
            ("1700000000", true),
            ("1699999700", true),
            ("1700000300", true),
            ("1699999699", false),
            ("1700000301", false),
            ("99999999999999999", false),
            ("-9223372036854775808", false),
            ("", false),
            ("1700000000.0", false),
        ] {
            assert_eq!(is_fresh(text, now), fresh, "{text}");
        }
    }

    #[test]
    fn any_scheme_is_enough_and_none_is_not() {
        let body = b"Hello, World!";
        let secret = "It's a Secret to Everybody";
        let signed = headers(&[(
            "x-hub-signature-256",
            "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
        )]);
        assert!(is_present(&signed) && verify(&signed, body, secret, at(0)));
        assert!(!is_present(&headers(&[])) && !verify(&headers(&[]), body, secret, at(0)));
    }
}
