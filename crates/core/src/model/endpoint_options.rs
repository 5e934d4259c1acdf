use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{
    Concurrency, DeliveryMethod, PayloadFormat, RateLimit, RetryRule, Secret, Signing, SigningKey,
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
