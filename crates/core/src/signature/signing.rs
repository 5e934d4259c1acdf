//! The keys that deliveries to an endpoint are signed with.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::secret::Secret;

/// How deliveries are signed (Standard Webhooks 1.0.0).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Signing {
    /// What the names of the three headers start with.
    pub prefix: String,
    /// What to sign with, the newest first. Without one nothing is signed.
    #[serde(skip)]
    pub keys: Vec<SigningKey>,
}

/// The prefix of the headers that the standard names.
pub const SIGNING_PREFIX_DEFAULT: &str = "webhook-";

impl Default for Signing {
    fn default() -> Self {
        Self { prefix: SIGNING_PREFIX_DEFAULT.to_owned(), keys: Vec::new() }
    }
}

/// The most keys that sign at a time. More make headers that servers refuse.
const KEYS_MAX: usize = 4;

impl Signing {
    /// Signs with a new secret from `now`. The present key goes on signing for `overlap`, so that
    /// the receiver can change over; keys that have expired go, and so do the oldest of too many.
    pub fn rotate(&mut self, secret: Secret, now: Timestamp, overlap: SignedDuration) {
        let until = now.checked_add(overlap).unwrap_or(Timestamp::MAX);
        for key in &mut self.keys {
            key.expires_at = Some(key.expires_at.map_or(until, |earlier| earlier.min(until)));
        }
        self.keys.retain(|key| key.expires_at.is_none_or(|expiry| expiry > now));
        self.keys.insert(0, SigningKey { secret, expires_at: None });
        self.keys.truncate(KEYS_MAX);
    }
}

/// One key that deliveries are signed with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SigningKey {
    /// `whsec_` for HMAC-SHA256 or `whsk_` for ed25519, then the key in base64.
    pub secret: Secret,
    /// From then on nothing is signed with it any more; `None` for the present key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn rotation_overlaps_and_forgets() {
        let mut signing = Signing::default();
        let mut rotate = |name: &str, second, overlap| {
            signing.rotate(Secret::new(name), at(second), SignedDuration::from_secs(overlap));
            let keys = signing.keys.iter();
            keys.map(|key| (key.secret.expose().to_owned(), key.expires_at)).collect::<Vec<_>>()
        };
        assert_eq!(rotate("a", 0, 100), [("a".to_owned(), None)]);
        assert_eq!(rotate("b", 10, 100), [("b".to_owned(), None), ("a".to_owned(), Some(at(110)))]);
        let expected = [("b", Some(at(70))), ("a", Some(at(70)))];
        let expected = expected.map(|(name, until)| (name.to_owned(), until));
        assert_eq!(rotate("c", 20, 50)[1..], expected);
        assert_eq!(rotate("d", 80, 0), [("d".to_owned(), None)], "no overlap leaves the new one");
        for round in 0..9 {
            assert!(rotate(&round.to_string(), 100, 100).len() <= KEYS_MAX);
        }
    }
}
