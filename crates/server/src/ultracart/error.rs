//! Errors in the form of UltraCart clients (docs/spec/ultracart.md#errors,
//! docs/spec/ultracart.md#refusals).

use std::fmt;
use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use hookyard_core::model::Scope;
use hookyard_engine::Error;
use hookyard_engine::access::Refusal;
use hookyard_store::StoreError;
use http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderName, HeaderValue, StatusCode};
use serde::Serialize;

use super::answer;
use crate::problem::whole_seconds;
use crate::turned::Turned;

/// The header with a copy of the message.
pub(super) const ERROR_HEADER: HeaderName = HeaderName::from_static("uc-rest-error");

/// The most characters of the header: readers give up at 8,000 for all headers together.
const ERROR_HEADER_CHARS_MAX: usize = 1_000;

/// The wait before a retry after a short failure, in seconds.
const RETRY_AFTER_SECONDS: HeaderValue = HeaderValue::from_static("1");

/// An answer with an error.
#[derive(Debug)]
pub(super) struct ApiError {
    status: StatusCode,
    message: String,
    fault: Option<Fault>,
    retry_after: Option<u64>,
}

/// The internal fault, for the log alone, beside the id in the caller's answer.
#[derive(Debug, Clone)]
pub(super) struct Fault(pub(super) Arc<StoreError>);

/// The subject of a request, for the wording when the subject is missing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Subject {
    /// The kind of object on the wire.
    pub(super) object: &'static str,
    /// The verb of the operation.
    pub(super) verb: &'static str,
}

impl Subject {
    /// A webhook, with the verb of the operation.
    pub(super) fn webhook(verb: &'static str) -> Self {
        Self { object: "webhook", verb }
    }
}

impl ApiError {
    fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), fault: None, retry_after: None }
    }

    /// An unusable value, by name or path.
    pub(super) fn invalid(field: &str, message: impl fmt::Display) -> Self {
        Self::new(StatusCode::BAD_REQUEST, format!("{field}: {message}"))
    }

    /// An unreadable body.
    pub(super) fn unreadable(message: impl fmt::Display) -> Self {
        Self::new(StatusCode::BAD_REQUEST, format!("the body cannot be read: {message}"))
    }

    /// A missing object. The status and the words are the live server's.
    pub(super) fn missing(subject: Subject) -> Self {
        let Subject { object, verb } = subject;
        let message =
            format!("Server side object '{object}' could not be {verb}.  It does not exist.");
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    /// A missing or unknown credential.
    pub(super) fn unauthorized(message: &str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, message)
    }

    /// An unknown credential, or a credential not valid here and now (docs/spec/ultracart.md#refusals).
    pub(super) fn refused(refusal: Refusal) -> Self {
        let status = match refusal {
            Refusal::Failed(error) => return Self::from_engine(error, Subject::webhook("read")),
            Refusal::Unknown | Refusal::Expired(_) => StatusCode::UNAUTHORIZED,
            Refusal::Address(_) => StatusCode::FORBIDDEN,
            Refusal::Disabled => StatusCode::GONE,
            Refusal::TooMany(exceeded) => return Self::turned_away(&Turned::Rate(exceeded)),
            Refusal::Failures(seconds) => {
                let refused = Self::new(StatusCode::TOO_MANY_REQUESTS, refusal.to_string());
                return Self { retry_after: Some(seconds), ..refused };
            }
        };
        Self::new(status, refusal.to_string())
    }

    /// A request refused before its handler.
    pub(super) fn turned_away(turned: &Turned) -> Self {
        let retry_after = turned.retry_after();
        Self { retry_after, ..Self::new(turned.status(), turned.to_string()) }
    }

    /// A credential without the scope.
    pub(super) fn forbidden(scope: Scope) -> Self {
        let message = format!("the credential lacks the scope {}", scope.as_str());
        Self::new(StatusCode::FORBIDDEN, message)
    }

    /// A path without a route.
    pub(super) fn no_route() -> Self {
        Self::new(StatusCode::NOT_FOUND, "there is nothing at this path")
    }

    /// A path without the method.
    pub(super) fn wrong_method() -> Self {
        let message = "this path does not take this method: see the Allow header";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, message)
    }

    /// A body beyond the limit, in bytes.
    pub(super) fn too_large(max: usize) -> Self {
        let message = format!("the body has more than {max} bytes");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, message)
    }

    /// An error of the engine, about a subject.
    pub(super) fn from_engine(error: Error, subject: Subject) -> Self {
        match error {
            Error::Invalid { field, message } | Error::UnknownEventType { field, message } => {
                Self::invalid(&field, message)
            }
            Error::NotFound(_) => Self::missing(subject),
            Error::Conflict(message) => Self::new(StatusCode::CONFLICT, message),
            error @ Error::Stale { .. } => Self::new(StatusCode::CONFLICT, error.to_string()),
            Error::Quota { message, wait: Some(wait), .. } => {
                let retry_after = Some(whole_seconds(wait));
                Self { retry_after, ..Self::new(StatusCode::TOO_MANY_REQUESTS, message) }
            }
            Error::Quota { message, .. } => Self::new(StatusCode::CONFLICT, message),
            Error::Unavailable(reason) => {
                tracing::warn!(reason, "a request could not be served now");
                Self::new(StatusCode::SERVICE_UNAVAILABLE, reason)
            }
            Error::Internal(error) => {
                let message = "the server failed; its log says why";
                let fault = Some(Fault(Arc::new(error)));
                Self { fault, ..Self::new(StatusCode::INTERNAL_SERVER_ERROR, message) }
            }
        }
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

#[derive(Serialize)]
struct ErrorBody<'a> {
    error: ErrorFields<'a>,
    success: bool,
    metadata: Empty,
}

#[derive(Serialize)]
struct ErrorFields<'a> {
    developer_message: &'a str,
    error_code: &'a str,
    user_message: &'a str,
}

#[derive(Serialize)]
struct Empty {}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let Self { status, message, fault, retry_after } = self;
        let error = ErrorFields {
            developer_message: &message,
            error_code: status.as_str(),
            user_message: &message,
        };
        let body = ErrorBody { error, success: false, metadata: Empty {} };
        let mut response = answer::json(&body);
        *response.status_mut() = status;
        if let Some(fault) = fault {
            response.extensions_mut().insert(fault);
        }
        let headers = response.headers_mut();
        headers.insert(ERROR_HEADER, header_line(&message));
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if matches!(status, StatusCode::CONFLICT | StatusCode::SERVICE_UNAVAILABLE) {
            headers.insert(RETRY_AFTER, RETRY_AFTER_SECONDS);
        }
        if let Some(seconds) = retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// A message as a single line, safe for every header reader.
pub(super) fn header_line(message: &str) -> HeaderValue {
    let safe = message.chars().take(ERROR_HEADER_CHARS_MAX).map(|c| match c {
        ' '..='~' => c,
        c if c.is_ascii() => ' ',
        _ => '?',
    });
    HeaderValue::from_str(&safe.collect::<String>())
        .unwrap_or_else(|_| HeaderValue::from_static("invalid request"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_is_one_short_ascii_line() {
        assert_eq!(header_line("a\r\nSet-Cookie: b"), "a  Set-Cookie: b");
        assert_eq!(header_line("naïve \u{7f}"), "na?ve  ");
        assert_eq!(header_line(&"é".repeat(5_000)).len(), ERROR_HEADER_CHARS_MAX);
    }
}
