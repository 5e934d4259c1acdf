//! Proof keys for code exchange (RFC 7636), by SHA-256 alone: with the method `plain`, the first request
//! already shows the second request's proof to any reader.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// The only method.
pub const METHOD: &str = "S256";

/// Characters of a challenge: 32 bytes in base64.
const CHALLENGE_CHARS: usize = 43;

/// How many characters a verifier may have (RFC 7636, section 4.1).
const VERIFIER_CHARS: std::ops::RangeInclusive<usize> = 43..=128;

/// Checks the challenge of an authorization request. A missing method means `plain`.
pub fn check_challenge(challenge: &str, method: Option<&str>) -> Result<(), &'static str> {
    if method != Some(METHOD) {
        return Err("code_challenge_method must be S256");
    }
    match URL_SAFE_NO_PAD.decode(challenge) {
        Ok(_) if challenge.len() == CHALLENGE_CHARS => Ok(()),
        _ => Err("code_challenge must be the base64url of a SHA-256, 43 characters"),
    }
}

/// Whether the challenge was made from the verifier.
pub fn verifies(challenge: &str, verifier: &str) -> bool {
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let sound = VERIFIER_CHARS.contains(&verifier.len()) && verifier.bytes().all(unreserved);
    let met = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()));
    sound && bool::from(met.as_bytes().ct_eq(challenge.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7636, appendix B.
    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    #[test]
    fn the_example_of_the_standard_verifies() {
        assert_eq!(check_challenge(CHALLENGE, Some("S256")), Ok(()));
        assert!(verifies(CHALLENGE, VERIFIER));
    }

    #[test]
    fn another_verifier_does_not() {
        let long = "x".repeat(129);
        for wrong in ["", "x", CHALLENGE, &VERIFIER[..42], &format!("{VERIFIER}="), &long] {
            assert!(!verifies(CHALLENGE, wrong), "{wrong}");
        }
        // The challenge of a verifier that is too short to be one.
        let short = URL_SAFE_NO_PAD.encode(Sha256::digest(b"short"));
        assert!(!verifies(&short, "short"));
    }

    #[test]
    fn plain_and_what_is_no_digest_are_refused() {
        for method in [None, Some("plain"), Some("s256"), Some("")] {
            assert!(check_challenge(CHALLENGE, method).is_err(), "{method:?}");
        }
        for challenge in ["", "abc", &CHALLENGE[1..], &format!("{CHALLENGE}A"), &"=".repeat(43)] {
            assert!(check_challenge(challenge, Some("S256")).is_err(), "{challenge}");
        }
    }
}
