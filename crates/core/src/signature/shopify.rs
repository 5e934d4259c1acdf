//! Shopify's scheme: HMAC-SHA256 of the body in base64.

use http::{HeaderMap, HeaderName};

use super::{is_base64_of, mac, text};

/// The header with the signature.
pub const HEADER: HeaderName = HeaderName::from_static("x-shopify-hmac-sha256");

/// Whether the body carries a right signature.
pub fn verify(headers: &HeaderMap, body: &[u8], secret: &str) -> bool {
    let Some(value) = text(headers, &HEADER) else { return false };
    mac(secret.as_bytes(), &[body]).is_some_and(|expected| is_base64_of(value, &expected))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signature::testing::headers;

    // GitHub's vector in base64: the algorithm is the same, only the encoding differs.
    const SECRET: &str = "It's a Secret to Everybody";
    const BASE64: &str = "dXEH6g6yUJ/CESIczphLijdXC211hsIsRvQ3nIsEPhc=";

    #[test]
    fn the_right_signature_verifies_and_others_do_not() {
        let signed = headers(&[("x-shopify-hmac-sha256", BASE64)]);
        assert!(verify(&signed, b"Hello, World!", SECRET));
        assert!(!verify(&signed, b"Hello, World! ", SECRET));
        assert!(!verify(&signed, b"Hello, World!", "other"));
        assert!(!verify(&headers(&[]), b"Hello, World!", SECRET));
        assert!(!verify(&headers(&[("x-shopify-hmac-sha256", "")]), b"Hello, World!", SECRET));
        let hex = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
        assert!(!verify(&headers(&[("x-shopify-hmac-sha256", hex)]), b"Hello, World!", SECRET));
    }
}
