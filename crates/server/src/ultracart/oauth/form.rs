//! Reading `application/x-www-form-urlencoded`.

use std::collections::HashMap;

use axum::body::Body;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};

use crate::body;

/// The media type of forms.
const FORM: &str = "application/x-www-form-urlencoded";

/// The largest form, in bytes: a state and a redirect URI of 2,000 characters each, all of them
/// percent-encoded, and a credential.
const FORM_BYTES_MAX: usize = 32 << 10;

/// Parameters, each there once and with a value.
#[derive(Debug, Default)]
pub(super) struct Form(HashMap<String, String>);

/// Why a body is not read as a form, in words, and with the status for it.
#[derive(Debug)]
pub(super) struct Unread {
    pub(super) status: StatusCode,
    pub(super) message: String,
}

impl From<String> for Unread {
    fn from(message: String) -> Self {
        Self { status: StatusCode::BAD_REQUEST, message }
    }
}

impl Form {
    /// Reads a query string; `Err` with the fault in words.
    pub(super) fn parse(text: &[u8]) -> Result<Self, String> {
        let mut parameters = HashMap::new();
        for (name, value) in form_urlencoded::parse(text) {
            // An empty value counts as none (RFC 6749, section 3.1).
            if value.is_empty() {
                continue;
            }
            if parameters.insert(name.clone().into_owned(), value.into_owned()).is_some() {
                return Err(format!("{name} is there more than once"));
            }
        }
        Ok(Self(parameters))
    }

    /// Reads a body.
    pub(super) async fn read(headers: &HeaderMap, body: Body) -> Result<Self, Unread> {
        let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let kind = kind.and_then(|kind| kind.split(';').next()).unwrap_or_default().trim();
        if !kind.eq_ignore_ascii_case(FORM) {
            return Err(format!("send the body as {FORM}").into());
        }
        match body::read(body, FORM_BYTES_MAX).await {
            Ok(bytes) => Ok(Self::parse(&bytes)?),
            Err(body::Unread::TooLarge) => {
                let message = format!("the body has more than {FORM_BYTES_MAX} bytes");
                Err(Unread { status: StatusCode::PAYLOAD_TOO_LARGE, message })
            }
            Err(full @ body::Unread::Full) => {
                let message = full.to_string();
                Err(Unread { status: StatusCode::SERVICE_UNAVAILABLE, message })
            }
            Err(body::Unread::Broken(error)) => {
                Err(format!("the body could not be read to its end: {error}").into())
            }
        }
    }

    /// A parameter.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// An owned copy of a parameter.
    pub(super) fn owned(&self, name: &str) -> Option<String> {
        self.0.get(name).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_is_there_once_or_not_at_all() {
        let form = Form::parse(b"code=C+1%26&state=&x").unwrap();
        assert_eq!(form.get("code"), Some("C 1&"));
        assert_eq!((form.get("state"), form.get("x"), form.get("y")), (None, None, None));
        let twice = Form::parse(b"code=1&code=1").unwrap_err();
        assert_eq!(twice, "code is there more than once");
    }

    #[tokio::test]
    async fn only_forms_of_a_bounded_size_are_read() {
        let headers = |kind: &str| HeaderMap::from_iter([(CONTENT_TYPE, kind.parse().unwrap())]);
        let kind = headers("Application/X-www-form-urlencoded; charset=utf-8");
        let form = Form::read(&kind, Body::from("a=1")).await.unwrap();
        assert_eq!(form.get("a"), Some("1"));
        assert!(Form::read(&headers("application/json"), Body::from("{}")).await.is_err());
        assert!(Form::read(&HeaderMap::new(), Body::from("a=1")).await.is_err());
        let large = Body::from("x".repeat(FORM_BYTES_MAX + 1));
        let unread = Form::read(&kind, large).await.unwrap_err();
        assert_eq!(unread.status, StatusCode::PAYLOAD_TOO_LARGE);
        assert!(unread.message.contains("32768"));
    }
}
