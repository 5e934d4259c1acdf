//! Secrets at rest.

use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use hookyard_core::entropy::Entropy;
use hookyard_core::model::Secret;

use crate::StoreError;

/// Bytes of the nonce before each sealed secret.
const NONCE_BYTES: usize = 24;

/// Seals secrets with the installation's key (XChaCha20-Poly1305).
pub struct Vault {
    cipher: XChaCha20Poly1305,
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Vault(..)")
    }
}

impl Vault {
    /// A vault with this key.
    pub fn new(key: &[u8; 32]) -> Self {
        Self { cipher: XChaCha20Poly1305::new(key.into()) }
    }

    /// Seals a secret. `place` names the secret's row and column; the value opens only there, so a sealed
    /// value copied to another row is worthless.
    pub fn seal(
        &self,
        entropy: &dyn Entropy,
        place: &str,
        secret: &Secret,
    ) -> Result<Vec<u8>, StoreError> {
        let mut nonce = [0; NONCE_BYTES];
        entropy.fill(&mut nonce);
        let payload = Payload { msg: secret.expose().as_bytes(), aad: place.as_bytes() };
        let sealed = self
            .cipher
            .encrypt(&XNonce::from(nonce), payload)
            .map_err(|_| StoreError::internal("a secret could not be sealed"))?;
        Ok([nonce.as_slice(), &sealed].concat())
    }

    /// Opens what [`Vault::seal`] made with the same key and place.
    pub fn open(&self, place: &str, sealed: &[u8]) -> Result<Secret, StoreError> {
        let wrong = || {
            StoreError::internal(format!(
                "the secret of {place} does not open: the encryption key is not the one it was \
                 sealed with, or the data is damaged"
            ))
        };
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE_BYTES>().ok_or_else(wrong)?;
        let payload = Payload { msg: sealed, aad: place.as_bytes() };
        let clear = self.cipher.decrypt(&XNonce::from(*nonce), payload).map_err(|_| wrong())?;
        String::from_utf8(clear).map(Secret::new).map_err(|_| wrong())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hookyard_core::entropy::SystemEntropy;

    #[test]
    fn a_secret_opens_with_its_key_at_its_place_only() {
        let secret = Secret::new("s3cret");
        let vault = Vault::new(&[7; 32]);
        let sealed = vault.seal(&SystemEntropy, "endpoint 1", &secret).unwrap();
        assert!(!sealed.windows(6).any(|window| window == b"s3cret"));
        assert_eq!(vault.open("endpoint 1", &sealed).unwrap(), secret);
        assert!(vault.open("endpoint 2", &sealed).is_err());
        assert!(Vault::new(&[8; 32]).open("endpoint 1", &sealed).is_err());
        assert!(vault.open("endpoint 1", &sealed[..10]).is_err());
    }
}
