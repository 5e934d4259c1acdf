//! Stripe's scheme: `Stripe-Signature: t=T,v1=HEX[,v1=HEX]`, HMAC-SHA256 over `T.body`.

use http::{HeaderMap, HeaderName};
use jiff::Timestamp;

use super::{is_fresh, is_hex_of, mac, text};

/// The header with the timestamp and the signatures.
pub const HEADER: HeaderName = HeaderName::from_static("stripe-signature");

/// Whether the body carries a right and fresh signature. Several `v1` may be there while a secret
/// is rotated: any of them is enough. Other versions, such as `v0`, count for nothing. The key is
/// the secret's text as it stands, also when it starts with `whsec_`.
pub fn verify(headers: &HeaderMap, body: &[u8], secret: &str, now: Timestamp) -> bool {
    let Some(value) = text(headers, &HEADER) else { return false };
    let fields = || value.split(',').filter_map(|field| field.trim().split_once('='));
    let Some((_, time)) = fields().find(|(name, _)| *name == "t") else { return false };
    if !is_fresh(time, now) {
        return false;
    }
    let Some(expected) = mac(secret.as_bytes(), &[time.as_bytes(), b".", body]) else {
        return false;
    };
    fields().any(|(name, hex)| name == "v1" && is_hex_of(hex, &expected))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signature::testing::{at, headers};

    const SECRET: &str = "whsec_test";
    const BODY: &[u8] = br#"{"s":1}"#;
    const T: i64 = 1_700_000_000;
    // Computed apart from this code: Python's hmac over `1700000000.{"s":1}`.
    const HEX: &str = "b7172222d1a659e0e0afeb0f98654c069fd34da18e06ec0563be05fd943d8725";

    fn verified(value: &str, body: &[u8], now: i64) -> bool {
        verify(&headers(&[("stripe-signature", value)]), body, SECRET, at(now))
    }

    #[test]
    fn any_v1_is_enough() {
        assert!(verified(&format!("t={T},v1={HEX}"), BODY, T));
        assert!(verified(&format!("t={T},v1=00,v1={HEX},v0=11"), BODY, T + 300));
        assert!(verified(&format!("v1={HEX}, t={T}"), BODY, T - 300));
    }

    #[test]
    fn tampering_and_age_are_found() {
        assert!(!verified(&format!("t={T},v1={HEX}"), br#"{"s":2}"#, T));
        assert!(!verified(&format!("t={},v1={HEX}", T + 1), BODY, T));
        assert!(!verified(&format!("t={T},v1={HEX}"), BODY, T + 301));
        assert!(!verified(&format!("t={T},v1={HEX}"), BODY, T - 301));
        assert!(!verified(&format!("t={T},v0={HEX}"), BODY, T), "only v1 counts");
        assert!(!verified(&format!("v1={HEX}"), BODY, T));
        assert!(!verified(&format!("t={T}"), BODY, T));
        assert!(!verified("", BODY, T));
    }
}
