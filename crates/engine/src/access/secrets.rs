//! New credentials: the secrets for the caller, and the stored hashes.

use hookyard_core::entropy::{self, Entropy};
use hookyard_core::model::{CredentialKind, Scopes};
use hookyard_store::{NewCredential, Rotation};
use jiff::Timestamp;

use super::hash;

/// Hexadecimal digits of a simple key, as UltraCart's (docs/spec/ultracart.md#answers): 256 bits.
const SIMPLE_KEY_DIGITS: usize = 64;

/// Characters of a pair's key: 190 bits. The key is no secret, but must not be generated twice.
const API_KEY_CHARS: usize = 32;

/// Characters of a pair's secret: 285 bits.
const API_SECRET_CHARS: usize = 48;

/// The start of every token, the mark of a token for Mammoth's clients
/// (docs/spec/mammoth.md#clients).
const TOKEN_PREFIX: &str = "mm_";

/// Characters of a token behind the prefix: 256 bits.
const TOKEN_CHARS: usize = 43;

/// A credential in clear.
pub struct Secrets {
    kind: CredentialKind,
    /// The key of a pair; the whole secret of the other kinds.
    pub key: String,
    /// The secret of a pair.
    pub secret: Option<String>,
}

impl Secrets {
    /// A new credential.
    pub fn new(kind: CredentialKind, entropy: &dyn Entropy) -> Self {
        let (key, secret) = match kind {
            CredentialKind::Simple => (entropy::hex(entropy, SIMPLE_KEY_DIGITS), None),
            CredentialKind::Pair => (
                entropy::alphanumeric(entropy, API_KEY_CHARS),
                Some(entropy::alphanumeric(entropy, API_SECRET_CHARS)),
            ),
            CredentialKind::Token => {
                (format!("{TOKEN_PREFIX}{}", entropy::alphanumeric(entropy, TOKEN_CHARS)), None)
            }
        };
        Self { kind, key, secret }
    }

    /// How callers present the credential.
    pub fn kind(&self) -> CredentialKind {
        self.kind
    }

    /// The stored part of the credential.
    pub fn hashed(&self, scopes: Scopes, now: Timestamp) -> NewCredential {
        let secret = self.secret.as_deref().map(hash);
        NewCredential::new(self.kind, scopes, hash(&self.key), secret, now)
    }

    /// The stored part of a credential's successor.
    pub fn rotation(&self, old_until: Timestamp, now: Timestamp) -> Rotation {
        let secret = self.secret.as_deref().map(hash);
        Rotation { lookup: hash(&self.key), secret, old_until, now }
    }

    /// The parts, named as in the output.
    pub fn named(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let name = match self.kind {
            CredentialKind::Simple => "simple_key",
            CredentialKind::Pair => "api_key",
            CredentialKind::Token => "token",
        };
        let secret = self.secret.as_deref().map(|secret| ("api_secret", secret));
        [(name, self.key.as_str())].into_iter().chain(secret)
    }
}

#[cfg(test)]
mod tests {
    use hookyard_core::entropy::SystemEntropy;

    use super::*;

    #[test]
    fn each_kind_has_its_form_and_keeps_only_hashes() {
        for (kind, length) in
            [(CredentialKind::Simple, 64), (CredentialKind::Pair, 32), (CredentialKind::Token, 46)]
        {
            let secrets = Secrets::new(kind, &SystemEntropy);
            assert_eq!(secrets.key.len(), length);
            let kept = secrets.hashed(Scopes::all(), Timestamp::UNIX_EPOCH);
            assert_eq!(kept.lookup, hash(&secrets.key));
            assert_eq!(kept.secret.is_some(), kind == CredentialKind::Pair);
            assert_eq!(secrets.named().count(), 1 + usize::from(kept.secret.is_some()));
        }
    }
}
