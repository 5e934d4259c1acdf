//! HMAC-SHA256 of the body in hexadecimal: GitHub's scheme, which most forges share, and the same
//! under a neutral header name.

use http::{HeaderMap, HeaderName};

use super::{is_hex_of, mac, text};

/// GitHub's header; its value starts with `sha256=`.
pub const HEADER: HeaderName = HeaderName::from_static("x-hub-signature-256");
/// The neutral header; `sha256=` may be left out.
pub const GENERIC_HEADER: HeaderName = HeaderName::from_static("x-webhook-signature");

const PREFIX: &str = "sha256=";

/// Whether the body carries a right signature under either header.
pub fn verify(headers: &HeaderMap, body: &[u8], secret: &str) -> bool {
    let github = text(headers, &HEADER).and_then(|value| value.trim().strip_prefix(PREFIX));
    let generic = text(headers, &GENERIC_HEADER).map(str::trim);
    let generic = generic.map(|value| value.strip_prefix(PREFIX).unwrap_or(value));
    if github.is_none() && generic.is_none() {
        return false;
    }
    let Some(expected) = mac(secret.as_bytes(), &[body]) else { return false };
    [github, generic].into_iter().flatten().any(|hex| is_hex_of(hex, &expected))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signature::testing::headers;

    // GitHub's own documented vector (docs/spec/conventions.md#providers).
    const SECRET: &str = "It's a Secret to Everybody";
    const BODY: &[u8] = b"Hello, World!";
    const HEX: &str = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";

    fn verified(name: &'static str, value: &str, body: &[u8], secret: &str) -> bool {
        verify(&headers(&[(name, value)]), body, secret)
    }

    #[test]
    fn the_documented_vector_verifies() {
        let github = format!("sha256={HEX}");
        assert!(verified("x-hub-signature-256", &github, BODY, SECRET));
        assert!(verified("x-webhook-signature", &github, BODY, SECRET));
        assert!(verified("x-webhook-signature", HEX, BODY, SECRET));
        assert!(verified("x-webhook-signature", &HEX.to_uppercase(), BODY, SECRET));
    }

    #[test]
    fn tampering_is_found() {
        let github = format!("sha256={HEX}");
        assert!(!verified("x-hub-signature-256", &github, b"Hello, World?", SECRET));
        assert!(!verified("x-hub-signature-256", &github, BODY, "another secret"));
        assert!(!verified("x-hub-signature-256", HEX, BODY, SECRET), "the prefix is required");
        assert!(!verified("x-hub-signature-256", &format!("sha1={HEX}"), BODY, SECRET));
        assert!(!verified("x-hub-signature-256", &format!("sha256={}", &HEX[2..]), BODY, SECRET));
        assert!(!verified("x-hub-signature-256", &format!("sha256=00{}", &HEX[2..]), BODY, SECRET));
        assert!(!verified("x-hub-signature-256", "sha256=", BODY, SECRET));
    }
}
