//! Secrets stay with the origin that they were given for: an endpoint whose URL gets another one
//! forgets them, or whoever may change endpoints could have them sent anywhere.

use hookyard_core::model::{AuthKind, DATASET_SCHEME, EndpointSettings, Secret};
use url::Url;

use super::EndpointChange;
use crate::Error;

/// What is said of a secret that was forgotten and not given anew.
const ANEW: &str = "must be given anew in the same request: the URL has another origin (scheme, host \
                    or port), and a secret stays with the origin that it was given for";

/// What was forgotten, where something was.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Forgotten {
    moved: bool,
    basic_password: bool,
    iam_secret_key: bool,
}

impl Forgotten {
    /// Takes out of the settings what a change must not carry to another origin. The keys that
    /// deliveries are signed with are never sent, and stay.
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

    /// Asks for what was forgotten, where the endpoint needs it and the change does not bring it. A
    /// password that an answer can show is made anew instead.
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

    /// Says why a secret is missing that the caller saw no reason to give.
    pub(super) fn explain(self, error: Error) -> Error {
        match error {
            Error::Invalid { field, message } if self.moved && message == "is required" => {
                Error::invalid(field, ANEW)
            }
            error => error,
        }
    }
}

/// Whether two targets are of one origin: scheme, host and port (RFC 6454). What cannot be read is of
/// none, and all datasets are of one: nothing is sent to them.
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
