//! Slack's scheme: `X-Slack-Signature: v0=HEX`, HMAC-SHA256 over `v0:T:body`.

use http::{HeaderMap, HeaderName};
use jiff::Timestamp;

use super::{is_fresh, is_hex_of, mac, text};

/// The header with the signature.
pub const SIGNATURE_HEADER: HeaderName = HeaderName::from_static("x-slack-signature");
/// The header with the time, in Unix seconds.
pub const TIMESTAMP_HEADER: HeaderName = HeaderName::from_static("x-slack-request-timestamp");

/// Whether the body carries a right and fresh signature.
pub fn verify(headers: &HeaderMap, body: &[u8], secret: &str, now: Timestamp) -> bool {
    let (Some(signature), Some(time)) =
        (text(headers, &SIGNATURE_HEADER), text(headers, &TIMESTAMP_HEADER))
    else {
        return false;
    };
    let Some(hex) = signature.trim().strip_prefix("v0=") else { return false };
    let time = time.trim();
    if !is_fresh(time, now) {
        return false;
    }
    mac(secret.as_bytes(), &[b"v0:", time.as_bytes(), b":", body])
        .is_some_and(|expected| is_hex_of(hex, &expected))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signature::testing::{at, headers};

    const SECRET: &str = "8f742231b10e8888abcd99yyyzzz85a5";
    const BODY: &[u8] = b"token=xyzz0WbapA4vBCDEFasx0q6G&text=";
    const T: i64 = 1_531_420_618;
    // Computed apart from this code: Python's hmac over `v0:1531420618:` and the body.
    const SIGNATURE: &str = "v0=3304a8af4854858ab780bfe143efa29a63db675b5b512c8e3df9be465daf15f4";

    fn verified(signature: &str, time: &str, body: &[u8], now: i64) -> bool {
        let pairs = [("x-slack-signature", signature), ("x-slack-request-timestamp", time)];
        verify(&headers(&pairs), body, SECRET, at(now))
    }

    #[test]
    fn the_right_signature_verifies() {
        assert!(verified(SIGNATURE, "1531420618", BODY, T));
        assert!(verified(SIGNATURE, "1531420618", BODY, T + 300));
    }

    #[test]
    fn tampering_and_age_are_found() {
        assert!(!verified(SIGNATURE, "1531420618", b"token=", T));
        assert!(!verified(SIGNATURE, "1531420619", BODY, T));
        assert!(!verified(SIGNATURE, "1531420618", BODY, T + 301));
        assert!(!verified(&SIGNATURE.replace("v0", "v1"), "1531420618", BODY, T));
        assert!(!verified(&SIGNATURE[3..], "1531420618", BODY, T));
        assert!(!verify(&headers(&[("x-slack-signature", SIGNATURE)]), BODY, SECRET, at(T)));
    }
}
