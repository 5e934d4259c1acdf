//! The algorithms.

use std::borrow::Cow;

use aws_lc_rs::hmac;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey,
    RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey,
    VerificationAlgorithm,
};
use subtle::ConstantTimeEq;

use super::spec::Algorithm;

/// The signed bytes, in parts.
pub(super) type Parts<'a> = [Cow<'a, [u8]>];

impl Algorithm {
    /// Whether any of the signatures is right for the bytes with the key.
    pub(super) fn verify(self, key: &[u8], parts: &Parts<'_>, signatures: &[Vec<u8>]) -> bool {
        if let Some(tag) = self.mac(key, parts) {
            // All signatures are compared, even after a match, so the time tells nothing.
            return signatures.iter().fold(false, |right, signature| same(&tag, signature) | right);
        }
        let Some(algorithm) = self.public() else { return false };
        let whole: Cow<'_, [u8]> = match parts {
            [one] => Cow::Borrowed(one.as_ref()),
            parts => Cow::Owned(parts.concat()),
        };
        let key = UnparsedPublicKey::new(algorithm, key);
        signatures.iter().any(|signature| key.verify(&whole, signature).is_ok())
    }

    /// The MAC of the bytes; `None` for algorithms without a MAC.
    pub(super) fn mac(self, key: &[u8], parts: &Parts<'_>) -> Option<Vec<u8>> {
        let algorithm = match self {
            Self::HmacSha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            Self::HmacSha256 | Self::JwtHs256 => hmac::HMAC_SHA256,
            Self::HmacSha512 => hmac::HMAC_SHA512,
            _ => return None,
        };
        let mut context = hmac::Context::with_key(&hmac::Key::new(algorithm, key));
        parts.iter().for_each(|part| context.update(part));
        Some(context.sign().as_ref().to_vec())
    }

    fn public(self) -> Option<&'static dyn VerificationAlgorithm> {
        let algorithm: &'static dyn VerificationAlgorithm = match self {
            Self::Ed25519 | Self::JwtEddsa => &ED25519,
            Self::EcdsaP256Sha256 => &ECDSA_P256_SHA256_ASN1,
            Self::JwtEs256 => &ECDSA_P256_SHA256_FIXED,
            Self::RsaSha1 => &RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY,
            Self::RsaSha256 | Self::JwtRs256 => &RSA_PKCS1_2048_8192_SHA256,
            _ => return None,
        };
        Some(algorithm)
    }
}

impl Algorithm {
    /// Whether the bytes are a key for the algorithm, and so can prove something.
    pub(super) fn takes_key(self, key: &[u8]) -> bool {
        self.public().is_none_or(|algorithm| ParsedPublicKey::new(algorithm, key).is_ok())
    }
}

/// Compares two byte strings in constant time; only the lengths may show.
pub(super) fn same(left: &[u8], right: &[u8]) -> bool {
    left.ct_eq(right).into()
}
