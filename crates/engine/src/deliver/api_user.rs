//! The API user, whose credentials belong to the operator and not to an endpoint's owner.

use std::str::FromStr;

use hookyard_core::model::Secret;
use url::{Host, Url};

/// The API user with the credentials for [`AuthKind::ApiUser`](hookyard_core::model::AuthKind).
#[derive(Debug, Clone)]
pub struct ApiUser {
    /// The user.
    pub name: String,
    /// The password.
    pub password: Secret,
    /// The hosts that may get the credentials: an owner of endpoints could otherwise have the credentials
    /// sent anywhere.
    pub hosts: Vec<ApiUserHost>,
}

impl ApiUser {
    /// Whether the credentials may go to this target.
    pub(super) fn may_go_to(&self, url: &Url) -> bool {
        self.hosts.iter().any(|host| host.is_of(url))
    }
}

/// A host that may get the API user's credentials, on a single port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiUserHost {
    host: Host,
    /// `None` for the usual port of the URL's scheme.
    port: Option<u16>,
}

impl ApiUserHost {
    fn is_of(&self, url: &Url) -> bool {
        let host = url.host().map(|host| host.to_owned());
        let port = match self.port {
            Some(port) => url.port_or_known_default() == Some(port),
            None => url.port().is_none(),
        };
        port && host.as_ref() == Some(&self.host)
    }
}

impl FromStr for ApiUserHost {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("`{text}` is no host: write one such as hooks.example.com or 10.0.0.7:8443");
        let is_port = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
        let (host, port) = match text.rsplit_once(':') {
            Some((host, digits)) if is_port(digits) => {
                (host, Some(digits.parse().ok().filter(|port| *port > 0).ok_or_else(wrong)?))
            }
            _ => (text, None),
        };
        Ok(Self { host: Host::parse(host).map_err(|_| wrong())?, port })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn goes(host: &str, url: &str) -> bool {
        let hosts = vec![host.parse().unwrap()];
        let user = ApiUser { name: "u".to_owned(), password: Secret::new("p"), hosts };
        user.may_go_to(&Url::parse(url).unwrap())
    }

    #[test]
    fn credentials_go_to_the_named_host_and_port_alone() {
        for (host, url, expected) in [
            ("a.test", "https://a.test/h", true),
            ("A.TEST", "https://a.test:443/h", true),
            ("a.test:443", "https://a.test/h", true),
            ("a.test", "https://a.test:8443/h", false),
            ("a.test:8443", "https://a.test:8443/h", true),
            ("a.test:8443", "https://a.test/h", false),
            ("a.test", "https://b.a.test/h", false),
            ("a.test", "https://a.test.evil.test/h", false),
            ("a.test", "https://evil.test/a.test", false),
            ("127.0.0.1:9000", "http://127.0.0.1:9000/", true),
            ("127.0.0.1:9000", "http://2130706433:9000/", true),
            ("[::1]:9000", "http://[::1]:9000/", true),
            ("[::1]", "http://[::1]/", true),
        ] {
            assert_eq!(goes(host, url), expected, "{host} {url}");
        }
    }

    #[test]
    fn what_is_no_host_is_refused() {
        for text in
            ["", "a.test:", "a.test:0", "a.test:65536", "https://a.test", "a/b", "u@a.test", "::1"]
        {
            assert!(text.parse::<ApiUserHost>().is_err(), "{text}");
        }
    }
}
