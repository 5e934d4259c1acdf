//! What a delivery's request looks like, apart from its body (UltraCart spec 4.1).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hookyard_core::id::RequestId;
use hookyard_core::model::{AuthKind, EndpointSettings, Header, Secret};
use http::header::{AUTHORIZATION, CONTENT_TYPE, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use url::Url;

use crate::net;

const JSON: &str = "application/json; charset=UTF-8";
/// A compressed bundle really is text: base64 (UltraCart spec 4.2).
const COMPRESSED: &str = "text/plain; charset=US-ASCII";
const PRODUCT: &str = concat!("Hookyard/", env!("CARGO_PKG_VERSION"));
const REQUEST_ID: HeaderName = HeaderName::from_static("x-ultracart-request-id");
/// For receivers whose server swallows `Authorization` (UltraCart spec, trap 16). No scheme word.
const BASIC: HeaderName = HeaderName::from_static("x-authorization-basic");

/// What the log shows in place of a credential.
const MASK: &str = "***";

/// The headers of a delivery as its log shows them: credentials are masked.
pub fn request_headers(settings: &EndpointSettings, request_id: &RequestId) -> Vec<Header> {
    let mut headers = vec![
        ("Content-Type", content_type(settings)),
        ("User-Agent", PRODUCT),
        ("X-UltraCart-Request-Id", request_id.as_str()),
    ];
    if settings.auth == AuthKind::Basic {
        headers.extend([("Authorization", MASK), ("X-Authorization-Basic", MASK)]);
    }
    let header = |(name, value): (&str, &str)| Header { name: name.into(), value: value.into() };
    headers.into_iter().map(header).collect()
}

fn content_type(settings: &EndpointSettings) -> &'static str {
    if settings.compress_events { COMPRESSED } else { JSON }
}

/// Where an endpoint's requests go and what is the same in all of them.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) uri: Uri,
    headers: HeaderMap,
}

impl Target {
    /// Fails when nothing can be sent with these settings; the text is for the delivery log.
    pub(super) fn new(settings: &EndpointSettings) -> Result<Self, String> {
        if settings.auth == AuthKind::AwsIam {
            return Err("delivery to amazon sqs is not available".to_owned());
        }
        let url = Url::parse(&settings.url).map_err(|error| format!("the url: {error}"))?;
        net::check_url(&url)?;
        let uri = Uri::try_from(url.as_str()).map_err(|error| format!("the url: {error}"))?;
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type(settings)));
        headers.insert(USER_AGENT, HeaderValue::from_static(PRODUCT));
        if settings.auth == AuthKind::Basic {
            insert_basic(&mut headers, settings);
        }
        Ok(Self { uri, headers })
    }

    /// All headers of one request.
    pub(super) fn headers(&self, request_id: &RequestId) -> HeaderMap {
        let mut headers = self.headers.clone();
        // The id is hexadecimal digits, which every header value may hold.
        if let Ok(value) = HeaderValue::from_str(request_id.as_str()) {
            headers.insert(REQUEST_ID, value);
        }
        headers
    }
}

fn insert_basic(headers: &mut HeaderMap, settings: &EndpointSettings) {
    let user = settings.basic_username.as_deref().unwrap_or_default();
    let password = settings.basic_password.as_ref().map_or("", Secret::expose);
    let credentials = STANDARD.encode(format!("{user}:{password}"));
    for (name, scheme) in [(AUTHORIZATION, "Basic "), (BASIC, "")] {
        // Base64 is always a header value.
        if let Ok(mut value) = HeaderValue::from_str(&format!("{scheme}{credentials}")) {
            value.set_sensitive(true);
            headers.insert(name, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use hookyard_core::entropy::SystemEntropy;
    use jiff::Timestamp;

    use super::*;

    fn settings(url: &str) -> EndpointSettings {
        EndpointSettings {
            auth: AuthKind::Basic,
            basic_username: Some("u".to_owned()),
            basic_password: Some(Secret::new("p:ö")),
            ..EndpointSettings::to_url(url)
        }
    }

    #[test]
    fn the_log_shows_what_is_sent_without_credentials() {
        let id = RequestId::new(&SystemEntropy, Timestamp::UNIX_EPOCH);
        for change in [
            |_: &mut EndpointSettings| {},
            |settings: &mut EndpointSettings| settings.auth = AuthKind::None,
            |settings: &mut EndpointSettings| settings.auth = AuthKind::ApiUser,
            |settings: &mut EndpointSettings| settings.compress_events = true,
        ] {
            let mut settings = settings("https://a.test/h?x=y|z");
            change(&mut settings);
            let target = Target::new(&settings).unwrap();
            assert_eq!(target.uri, "https://a.test/h?x=y|z");
            let sent = target.headers(&id);
            let logged = request_headers(&settings, &id);
            assert_eq!(sent.len(), logged.len());
            for header in logged {
                let value = sent[header.name.as_str()].to_str().unwrap();
                assert!(
                    header.value == value || (header.value == MASK && value.contains("dTpwOsO2"))
                );
            }
        }
    }

    #[test]
    fn basic_credentials_go_out_twice() {
        let target = Target::new(&settings("http://a.test/")).unwrap();
        assert_eq!(target.headers["authorization"], "Basic dTpwOsO2");
        assert_eq!(target.headers["x-authorization-basic"], "dTpwOsO2");
        assert!(!format!("{target:?}").contains("dTpwOsO2"));
    }

    #[test]
    fn what_cannot_be_sent_says_why() {
        let sqs = EndpointSettings { auth: AuthKind::AwsIam, ..settings("https://a.test/") };
        assert!(Target::new(&sqs).unwrap_err().contains("sqs"));
        for url in ["", "a.test", "ftp://a.test/", "https://u:p@a.test/"] {
            assert!(Target::new(&settings(url)).is_err(), "{url}");
        }
    }
}
