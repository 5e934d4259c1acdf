use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{
    Concurrency, DeliveryMethod, PayloadFormat, RateLimit, RetryRule, Secret,
    TIMEOUT_SECONDS_DEFAULT,
};

/// What an endpoint's owner decides through the native API alone: the UltraCart API cannot say it
/// and leaves it as it is.
///
/// Secrets in here are never part of the serialised form. The store keeps them apart, sealed, as
/// [`EndpointSecrets`].
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct EndpointOptions {
    /// How deliveries are signed.
    pub signing: Signing,
    /// Headers that every delivery carries beyond our own.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<CustomHeader>,
    /// How the body is coded on its way. `compress_events` is something else: it makes the body
    /// itself text, and the two do not go together.
    pub encoding: ContentEncoding,
    /// A way to prove who sent a delivery that takes the place of the endpoint's
    /// [`AuthKind`](super::AuthKind).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth: Option<NativeAuth>,
    /// Whether any certificate is taken for the receiver's, so that whoever sits between can read
    /// and answer deliveries. For receivers under test only.
    pub danger_accept_invalid_certs: bool,
    /// What to do about answers that are no success, where that is not the usual. The first rule
    /// that names the status counts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub retry: Vec<RetryRule>,
    /// How fast the receiver takes deliveries; absent when it says so itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate_limit: Option<RateLimit>,
    /// How many bundles may be in flight at once, and by what their events keep their order; absent
    /// for one at a time, in the order of the queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<Concurrency>,
    /// The form of the body.
    #[serde(skip_serializing_if = "is_default")]
    pub format: PayloadFormat,
    /// The method of requests over HTTP.
    #[serde(skip_serializing_if = "is_default")]
    pub method: DeliveryMethod,
    /// The seconds that an exchange with the receiver may take, within
    /// [`TIMEOUT_SECONDS`](super::TIMEOUT_SECONDS); absent for the default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<u8>,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

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

/// A header of the owner's choice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomHeader {
    /// Its name.
    pub name: String,
    /// Its value. Many are keys of the receiver's, so all are kept and logged as secrets; `None`
    /// only where secrets are left out.
    #[serde(skip)]
    pub value: Option<Secret>,
}

/// The `Content-Encoding` of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ContentEncoding {
    /// None.
    #[default]
    Identity,
    /// `gzip`.
    Gzip,
}

/// Ways to prove who sent a delivery that the UltraCart API does not know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum NativeAuth {
    /// `Authorization: Bearer` with a token that stays the same.
    Bearer {
        /// The token; `None` only where secrets are left out.
        #[serde(skip)]
        token: Option<Secret>,
    },
    /// The same with a token that is fetched by OAuth2 client credentials (RFC 6749 section 4.4).
    OAuth2(OAuth2Client),
}

/// What to fetch a token with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OAuth2Client {
    /// The token endpoint, an absolute http or https URL. It is judged like a target.
    pub token_url: String,
    /// The client.
    pub client_id: String,
    /// Its secret; `None` only where secrets are left out.
    #[serde(skip)]
    pub client_secret: Option<Secret>,
    /// What to ask for, words separated by spaces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// Whether client and secret go into the form instead of `Authorization: Basic`.
    #[serde(default)]
    pub credentials_in_body: bool,
}

/// All that must be sealed of one endpoint's settings.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct EndpointSecrets {
    /// Of [`EndpointSettings::basic_password`](super::EndpointSettings::basic_password).
    pub basic_password: Option<Secret>,
    /// Of [`EndpointSettings::iam_secret_key`](super::EndpointSettings::iam_secret_key).
    pub iam_secret_key: Option<Secret>,
    /// Of [`Signing::keys`].
    pub signing: Vec<SigningKey>,
    /// The values of [`EndpointOptions::headers`], in their order.
    pub headers: Vec<Option<Secret>>,
    /// The token or secret of [`EndpointOptions::auth`].
    pub auth: Option<Secret>,
}

impl EndpointSecrets {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl NativeAuth {
    /// The token or secret.
    pub fn secret_mut(&mut self) -> &mut Option<Secret> {
        match self {
            Self::Bearer { token } => token,
            Self::OAuth2(client) => &mut client.client_secret,
        }
    }
}

impl EndpointOptions {
    /// How long an exchange with the receiver may take.
    pub fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout_seconds.unwrap_or(TIMEOUT_SECONDS_DEFAULT).into())
    }

    pub(super) fn take_secrets(&mut self, secrets: &mut EndpointSecrets) {
        // Whoever adds an option decides here whether it is a secret.
        let Self {
            signing,
            headers,
            encoding: _,
            auth,
            danger_accept_invalid_certs: _,
            retry: _,
            rate_limit: _,
            concurrency: _,
            format: _,
            method: _,
            timeout_seconds: _,
        } = self;
        secrets.signing = std::mem::take(&mut signing.keys);
        secrets.headers = headers.iter_mut().map(|header| header.value.take()).collect();
        secrets.auth = auth.as_mut().and_then(|auth| auth.secret_mut().take());
    }

    pub(super) fn put_secrets(
        &mut self,
        signing: Vec<SigningKey>,
        headers: Vec<Option<Secret>>,
        auth: Option<Secret>,
    ) {
        self.signing.keys = signing;
        for (header, value) in self.headers.iter_mut().zip(headers) {
            header.value = value;
        }
        if let Some(native) = &mut self.auth {
            *native.secret_mut() = auth;
        }
    }
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

    #[test]
    fn the_serialised_form_has_no_secrets() {
        let secret = || Some(Secret::new("s3cret"));
        let options = EndpointOptions {
            signing: Signing {
                keys: vec![SigningKey { secret: Secret::new("s3cret"), expires_at: None }],
                ..Signing::default()
            },
            headers: vec![CustomHeader { name: "x-key".to_owned(), value: secret() }],
            auth: Some(NativeAuth::Bearer { token: secret() }),
            ..EndpointOptions::default()
        };
        let text = serde_json::to_string(&options).unwrap();
        assert!(!text.contains("s3cret") && text.contains("x-key"), "{text}");
        let _: EndpointOptions = serde_json::from_str("{}").unwrap();
    }
}
