//! JSON Web Tokens, as far as needed for the proof of a request.

use std::borrow::Cow;

use serde::de::IgnoredAny;

use super::encoding::Encoding;
use super::pointer::Pointer;
use super::spec::Algorithm;

/// The longest token, in bytes: ten times the length of providers' tokens.
const TOKEN_BYTES_MAX: usize = 16 << 10;

/// A token before the check of the signature.
#[derive(Debug)]
pub(super) struct Token<'t> {
    /// Header and claims in the signed form.
    signed: &'t str,
    header: Vec<u8>,
    claims: Vec<u8>,
    signature: Vec<u8>,
}

impl<'t> Token<'t> {
    /// Reads the three parts; `None` for other texts.
    pub(super) fn parse(text: &'t str) -> Option<Self> {
        if text.len() > TOKEN_BYTES_MAX {
            return None;
        }
        let (signed, signature) = text.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let decode = |part: &str| {
            // The alphabet is the URL-safe one, without padding.
            let sound = part.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
            sound.then(|| Encoding::Base64.decode(part)).flatten()
        };
        let (header, claims) = (decode(header)?, decode(claims)?);
        // Unreadable claims must not count as absent claims.
        let is_object = |json: &[u8]| {
            let sound = serde_json::from_slice::<IgnoredAny>(json).is_ok();
            sound && json.trim_ascii_start().starts_with(b"{")
        };
        if !is_object(&header) || !is_object(&claims) {
            return None;
        }
        Some(Self { signed, header, claims, signature: decode(signature)? })
    }

    /// Whether the token was signed with the key by the algorithm, and names the algorithm itself.
    pub(super) fn is_signed(&self, algorithm: Algorithm, key: &[u8]) -> bool {
        let named = match algorithm {
            Algorithm::JwtHs256 => "HS256",
            Algorithm::JwtRs256 => "RS256",
            Algorithm::JwtEs256 => "ES256",
            Algorithm::JwtEddsa => "EdDSA",
            _ => return false,
        };
        // The token never chooses: a header with another algorithm is not believed, nor a header with
        // critical extensions.
        let agrees = Pointer::member("alg").text(&self.header).as_deref() == Some(named)
            && Pointer::member("crit").find(&self.header).is_none();
        let parts = [Cow::Borrowed(self.signed.as_bytes())];
        agrees && algorithm.verify(key, &parts, std::slice::from_ref(&self.signature))
    }

    /// The claims, JSON text.
    pub(super) fn claims(&self) -> &[u8] {
        &self.claims
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    // {"alg":"HS256"} and {"iat":1}.
    const SIGNED: &str = "eyJhbGciOiJIUzI1NiJ9.eyJpYXQiOjF9";

    fn token(signed: &str, key: &[u8]) -> String {
        let mac = Algorithm::JwtHs256.mac(key, &[Cow::Borrowed(signed.as_bytes())]).unwrap();
        let signature = Encoding::Base64.encode(&mac).replace('+', "-").replace('/', "_");
        format!("{signed}.{}", signature.trim_end_matches('='))
    }

    #[test]
    fn the_named_algorithm_must_be_the_expected_one() {
        let text = token(SIGNED, b"key");
        let right = Token::parse(&text).unwrap();
        assert!(right.is_signed(Algorithm::JwtHs256, b"key"));
        assert!(!right.is_signed(Algorithm::JwtHs256, b"other"));
        assert!(!right.is_signed(Algorithm::JwtEs256, b"key"));
        assert_eq!(right.claims(), br#"{"iat":1}"#);
        // {"alg":"none"} and {"alg":"HS256","crit":["b64"]}.
        for header in ["eyJhbGciOiJub25lIn0", "eyJhbGciOiJIUzI1NiIsImNyaXQiOlsiYjY0Il19"] {
            let text = token(&format!("{header}.eyJpYXQiOjF9"), b"key");
            assert!(!Token::parse(&text).unwrap().is_signed(Algorithm::JwtHs256, b"key"));
        }
    }

    #[test]
    fn what_is_no_token_is_not_read() {
        for text in
            ["", "a.b", "a.b.c.d", "eyJ.eyJ.=", "eyJhbGci OiJ9.e30.AA", "e30.W10.AA", "e30.ew.AA"]
        {
            assert!(Token::parse(text).is_none(), "{text}");
        }
        assert!(Token::parse(&"a".repeat(TOKEN_BYTES_MAX + 1)).is_none());
    }

    proptest! {
        #[test]
        fn nothing_is_believed_without_the_key(text in "[a-zA-Z0-9_.-]{0,60}") {
            if let Some(token) = Token::parse(&text) {
                prop_assert!(!token.is_signed(Algorithm::JwtHs256, b"never guessed 5e0a2f5d"));
            }
        }
    }
}
