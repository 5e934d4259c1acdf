//! Signing deliveries by Standard Webhooks 1.0.0 (docs/spec/conventions.md#standard-webhooks).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::Signer as _;
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;
use sha2::Sha256;

use super::Signing;
use crate::entropy::Entropy;
use crate::secret::Secret;

/// What a symmetric secret starts with; the base64 of its key follows.
pub const SYMMETRIC_PREFIX: &str = "whsec_";
/// What an ed25519 secret starts with; the base64 of private and public key follows.
pub const PRIVATE_PREFIX: &str = "whsk_";
/// What an ed25519 public key starts with; its base64 follows.
pub const PUBLIC_PREFIX: &str = "whpk_";

/// Bytes that the key of a symmetric secret may have (the standard: 24 to 64).
const SYMMETRIC_BYTES: std::ops::RangeInclusive<usize> = 24..=64;
/// Bytes of a generated key: as many as the digest has.
const GENERATED_BYTES: usize = 32;
/// The longest prefix of header names: generous for a product's name.
const PREFIX_BYTES_MAX: usize = 40;

/// Why something is no secret or no prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SigningError {
    /// The secret has none of the known forms.
    #[error("the secret must be `whsec_` or `whsk_` and base64")]
    Form,
    /// The key of a symmetric secret has a length that the standard does not allow.
    #[error("the key of a `whsec_` secret must have 24 to 64 bytes")]
    Length,
    /// The key of an ed25519 secret is not a seed, or a seed with its public key.
    #[error("the key of a `whsk_` secret must be an ed25519 seed, with its public key or without")]
    KeyPair,
    /// The prefix does not make header names.
    #[error(
        "the prefix must be at most 40 lower-case letters, digits and hyphens and end in a hyphen"
    )]
    Prefix,
    /// The prefix would make names that mean something else.
    #[error("the prefix is reserved")]
    Reserved,
}

/// A new symmetric secret.
pub fn generate_symmetric(entropy: &dyn Entropy) -> Secret {
    let mut key = [0; GENERATED_BYTES];
    entropy.fill(&mut key);
    Secret::new(format!("{SYMMETRIC_PREFIX}{}", STANDARD.encode(key)))
}

/// A new ed25519 secret.
pub fn generate_ed25519(entropy: &dyn Entropy) -> Secret {
    let mut seed = [0; 32];
    entropy.fill(&mut seed);
    let key = ed25519_dalek::SigningKey::from_bytes(&seed);
    Secret::new(format!("{PRIVATE_PREFIX}{}", STANDARD.encode(key.to_keypair_bytes())))
}

/// What receivers verify with: the public key of an ed25519 secret. `None` for a symmetric secret,
/// which both sides share, and for what is no secret.
pub fn public_key(secret: &Secret) -> Option<String> {
    match Key::parse(secret) {
        Ok(Key::Ed25519(key)) => {
            Some(format!("{PUBLIC_PREFIX}{}", STANDARD.encode(key.verifying_key().as_bytes())))
        }
        Ok(Key::Symmetric(_)) | Err(_) => None,
    }
}

/// Whether deliveries can be signed with this secret.
pub fn check_secret(secret: &Secret) -> Result<(), SigningError> {
    Key::parse(secret).map(drop)
}

/// Whether header names can be made with this prefix.
pub fn check_prefix(prefix: &str) -> Result<(), SigningError> {
    let plain = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
    let starts_plain = prefix.bytes().next().is_some_and(|byte| byte != b'-');
    let well_formed = starts_plain && prefix.ends_with('-') && prefix.bytes().all(plain);
    if !well_formed || prefix.len() > PREFIX_BYTES_MAX {
        return Err(SigningError::Prefix);
    }
    if ["x-ultracart-request-", "content-", "proxy-", "sec-"].contains(&prefix) {
        return Err(SigningError::Reserved);
    }
    Ok(())
}

/// A key that was made ready once, so that a signature costs its digest alone.
enum Key {
    Symmetric(Box<Hmac<Sha256>>),
    Ed25519(Box<ed25519_dalek::SigningKey>),
}

impl Key {
    fn parse(secret: &Secret) -> Result<Self, SigningError> {
        let text = secret.expose();
        let decoded = |encoded: &str| STANDARD.decode(encoded).map_err(|_| SigningError::Form);
        if let Some(encoded) = text.strip_prefix(SYMMETRIC_PREFIX) {
            let key = decoded(encoded)?;
            if !SYMMETRIC_BYTES.contains(&key.len()) {
                return Err(SigningError::Length);
            }
            let mac = Hmac::new_from_slice(&key).map_err(|_| SigningError::Length)?;
            return Ok(Self::Symmetric(Box::new(mac)));
        }
        let encoded = text.strip_prefix(PRIVATE_PREFIX).ok_or(SigningError::Form)?;
        let key = decoded(encoded)?;
        let key = if let Ok(pair) = <&[u8; 64]>::try_from(key.as_slice()) {
            ed25519_dalek::SigningKey::from_keypair_bytes(pair)
                .map_err(|_| SigningError::KeyPair)?
        } else {
            let seed = <&[u8; 32]>::try_from(key.as_slice()).map_err(|_| SigningError::KeyPair)?;
            ed25519_dalek::SigningKey::from_bytes(seed)
        };
        Ok(Self::Ed25519(Box::new(key)))
    }

    /// One entry of the list of signatures.
    fn sign(&self, id: &str, time: &str, body: &[u8]) -> String {
        match self {
            Self::Symmetric(key) => {
                let mut mac = (**key).clone();
                for part in [id.as_bytes(), b".", time.as_bytes(), b".", body] {
                    mac.update(part);
                }
                format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
            }
            Self::Ed25519(key) => {
                let signed = [id.as_bytes(), b".", time.as_bytes(), b".", body].concat();
                format!("v1a,{}", STANDARD.encode(key.sign(&signed).to_bytes()))
            }
        }
    }
}

/// Signs the deliveries of one endpoint at one revision.
pub struct Signer {
    id: HeaderName,
    timestamp: HeaderName,
    signature: HeaderName,
    keys: Vec<(Key, Option<Timestamp>)>,
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Signer({}, {} keys)", self.signature, self.keys.len())
    }
}

impl Signer {
    /// A signer with these settings.
    pub fn new(signing: &Signing) -> Result<Self, SigningError> {
        check_prefix(&signing.prefix)?;
        let name = |end: &str| {
            let name = format!("{}{end}", signing.prefix);
            HeaderName::try_from(name).map_err(|_| SigningError::Prefix)
        };
        let mut keys = Vec::with_capacity(signing.keys.len());
        for key in &signing.keys {
            keys.push((Key::parse(&key.secret)?, key.expires_at));
        }
        Ok(Self {
            id: name("id")?,
            timestamp: name("timestamp")?,
            signature: name("signature")?,
            keys,
        })
    }

    /// Adds the three headers to a request that is sent now, unless there is no key. `id` is the
    /// message's, the same at every attempt and without a full stop; `body` is what is sent, byte
    /// for byte.
    pub fn sign(&self, headers: &mut HeaderMap, id: &str, now: Timestamp, body: &[u8]) {
        let time = now.as_second().to_string();
        let valid = self.keys.iter().filter(|(_, until)| until.is_none_or(|until| now < until));
        let signatures: Vec<_> = valid.map(|(key, _)| key.sign(id, &time, body)).collect();
        if signatures.is_empty() {
            return;
        }
        let values = [(&self.id, id), (&self.timestamp, &time)];
        for (name, value) in values.into_iter().chain([(&self.signature, &*signatures.join(" "))]) {
            // All three are printable ASCII.
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(name, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::standard_webhooks;
    use super::super::testing::at;
    use super::*;
    use crate::entropy::SystemEntropy;
    use crate::model::SigningKey;

    // The vector of docs/spec/conventions.md#standard-webhooks.
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const T: i64 = 1_614_265_330;
    const BODY: &[u8] = br#"{"test": 2432232314}"#;

    fn signing(prefix: &str, keys: &[(&str, Option<i64>)]) -> Signing {
        let key = |(secret, until): &(&str, Option<i64>)| SigningKey {
            secret: Secret::new(*secret),
            expires_at: until.map(at),
        };
        Signing { prefix: prefix.to_owned(), keys: keys.iter().map(key).collect() }
    }

    fn signed(signing: &Signing, second: i64) -> HeaderMap {
        let mut headers = HeaderMap::new();
        Signer::new(signing).unwrap().sign(&mut headers, ID, at(second), BODY);
        headers
    }

    #[test]
    fn the_vector_comes_out() {
        let headers = signed(&signing("webhook-", &[(SECRET, None)]), T);
        assert_eq!(headers["webhook-id"], ID);
        assert_eq!(headers["webhook-timestamp"], "1614265330");
        let expected = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        assert_eq!(headers["webhook-signature"], expected);
    }

    #[test]
    fn both_keys_sign_until_the_old_one_expires() {
        let new = generate_symmetric(&SystemEntropy);
        let signing = signing("svix-", &[(new.expose(), None), (SECRET, Some(T + 10))]);
        for (second, old_counts) in [(T + 9, true), (T + 10, false)] {
            let headers = signed(&signing, second);
            let verify = |secret| standard_webhooks::verify(&headers, BODY, secret, at(second));
            assert!(verify(new.expose()));
            assert_eq!(verify(SECRET), old_counts);
        }
    }

    #[test]
    fn ed25519_signatures_verify_with_the_public_key() {
        let secret = generate_ed25519(&SystemEntropy);
        let headers = signed(&signing("acme-", &[(secret.expose(), None)]), T);
        let list = headers["acme-signature"].to_str().unwrap();
        let signature = STANDARD.decode(list.strip_prefix("v1a,").unwrap()).unwrap();
        let public = public_key(&secret).unwrap();
        let public = STANDARD.decode(public.strip_prefix(PUBLIC_PREFIX).unwrap()).unwrap();
        let public =
            ed25519_dalek::VerifyingKey::from_bytes(public.as_slice().try_into().unwrap()).unwrap();
        let message = [ID.as_bytes(), b".1614265330.", BODY].concat();
        let signature = ed25519_dalek::Signature::from_slice(&signature).unwrap();
        assert!(public.verify_strict(&message, &signature).is_ok());
        assert_eq!(public_key(&Secret::new(SECRET)), None);
    }

    #[test]
    fn a_seed_alone_is_a_secret() {
        // RFC 8032 section 7.1, test 1.
        let seed = hex::decode("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60");
        let secret = Secret::new(format!("whsk_{}", STANDARD.encode(seed.unwrap())));
        let expected = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
        let expected = format!("whpk_{}", STANDARD.encode(hex::decode(expected).unwrap()));
        assert_eq!(public_key(&secret), Some(expected));
    }

    #[test]
    fn without_a_key_nothing_is_added() {
        assert!(signed(&signing("webhook-", &[]), T).is_empty());
        assert!(signed(&signing("webhook-", &[(SECRET, Some(T))]), T).is_empty());
    }

    #[test]
    fn bad_secrets_and_prefixes_are_refused() {
        let long = format!("whsec_{}", STANDARD.encode([1; 65]));
        let odd = format!("whsk_{}", STANDARD.encode([1; 33]));
        for (secret, error) in [
            ("", SigningError::Form),
            ("secret", SigningError::Form),
            ("whsec_!", SigningError::Form),
            ("whsec_AAAA", SigningError::Length),
            (&*long, SigningError::Length),
            (&*odd, SigningError::KeyPair),
        ] {
            assert_eq!(check_secret(&Secret::new(secret)), Err(error), "{secret}");
        }
        for prefix in ["", "-", "webhook", "Webhook-", "a b-", "a\r\n-", "a:-", "-a-", "é-"] {
            assert_eq!(check_prefix(prefix), Err(SigningError::Prefix), "{prefix:?}");
        }
        assert_eq!(check_prefix("content-"), Err(SigningError::Reserved));
        for prefix in ["webhook-", "svix-", "x-acme-2-"] {
            assert_eq!(check_prefix(prefix), Ok(()));
        }
    }
}
