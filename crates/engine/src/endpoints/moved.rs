//! Secrets stay with the origin of the URL at the time. An endpoint whose URL gets another origin
//! forgets its secrets; otherwise anybody with the right to change endpoints could have the secrets
//! sent anywhere.

use hookyard_core::model::{AuthKind, DATASET_SCHEME, EndpointSettings, Secret};
use url::Url;

use super::EndpointChange;
use crate::Error;

/// The error text for a forgotten secret that the change does not give anew.
const ANEW: &str = "must be given anew in the same request: the URL has another origin (scheme, host \
                    or port), and a secret stays with the origin that it was given for";

/// The forgotten secrets, if any.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Forgotten {
    moved: bool,
    basic_password: bool,
    iam_secret_key: bool,
}

impl Forgotten {
    /// Removes from the settings the secrets that a change must not carry to another origin.
    /// Signing keys are never sent, and stay.
    pub(super) fn forget(settings: &mut EndpointSettings, change: &EndpointChange) -> Self {
        let url = change.url.as_deref();
        if url.is_none_or(|url| is_same_origin(&settings.url, url)) {
            return Self::default();
        }
        for header in &mut settings.options.headers {
            header.value = None;
        }
        if let Some(auth) = &mut settings.options.auth {
            *auth.secret_mut() = None;
        }
        Self {
            moved: true,
            basic_password: settings.basic_password.take().is_some(),
            iam_secret_key: settings.iam_secret_key.take().is_some(),
        }
    }

    /// Asks for the forgotten secrets needed by the endpoint and missing in the change. A password
    /// that an answer can show is made anew instead.
    pub(super) fn ask(self, before: AuthKind, change: &EndpointChange) -> Result<(), Error> {
        let kind = change.auth.unwrap_or(before);
        let lacks = |secret: &Option<Secret>| {
            secret.as_ref().is_none_or(|secret| secret.expose().is_empty())
        };
        let password = self.basic_password && lacks(&change.basic_password);
        if let Some(field) = change.names.hidden_password.filter(|_| password)
            && kind == AuthKind::Basic
        {
            return Err(Error::invalid(field, ANEW));
        }
        if kind == AuthKind::AwsIam && self.iam_secret_key && lacks(&change.iam_secret_key) {
            return Err(Error::invalid(change.names.iam_secret_key, ANEW));
        }
        Ok(())
    }

    /// Explains a missing secret that the caller saw no reason to give.
    pub(super) fn explain(self, error: Error) -> Error {
        match error {
            Error::Invalid { field, message } if self.moved && message == "is required" => {
                Error::invalid(field, ANEW)
            }
            error => error,
        }
    }
}

/// Whether two targets are of one origin: scheme, host and port (RFC 6454). An unreadable target
/// has no origin. All datasets have the same origin: nothing is sent to a dataset.
fn is_same_origin(left: &str, right: &str) -> bool {
    let is_dataset = |url: &str| url.starts_with(DATASET_SCHEME);
    if left == right || is_dataset(left) && is_dataset(right) {
        return true;
    }
    match (Url::parse(left), Url::parse(right)) {
        (Ok(left), Ok(right)) => left.origin() == right.origin(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        let at = "https://a.test/h";
        for same in [at, "https://a.test/other?q", "https://A.test:443/", "HTTPS://a.test"] {
            assert!(is_same_origin(at, same), "{same}");
        }
        for other in [
            "http://a.test/h",
            "https://a.test:8443/h",
            "https://b.test/h",
            "https://a.test.evil.test/h",
            "https://a.test@evil.test/h",
            "https://xa.test/h",
            "dataset:1",
            "",
            "nonsense",
        ] {
            assert!(!is_same_origin(at, other), "{other}");
            assert!(!is_same_origin(other, at), "{other}");
        }
        assert!(is_same_origin("dataset:1", "dataset:2"));
    }
}
