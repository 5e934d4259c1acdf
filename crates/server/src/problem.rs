//! Errors outside the compatible APIs, in the form of RFC 9457.

use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hookyard_engine::Error;
use hookyard_engine::access::Refusal;
use hookyard_store::StoreError;
use serde::Serialize;
use utoipa::ToSchema;

use crate::turned::Turned;

/// Seconds until a caller may come again: a store that cannot commit now is usually back after a moment.
const RETRY_AFTER_SECONDS: HeaderValue = HeaderValue::from_static("1");

/// The kind of problem, for programs. The list is closed and documented in docs/reference/native-api.md.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ProblemCode)]
pub(crate) enum Code {
    /// The path has no route, or the named thing is missing.
    NotFound,
    /// The path does not take this method.
    MethodNotAllowed,
    /// The credential is missing or unknown.
    Unauthenticated,
    /// The credential lacks a scope, or opens one project alone and the request goes beyond the project.
    MissingScope,
    /// The credential may not be used from the caller's address.
    AddressNotAllowed,
    /// The credential or its application is disabled.
    Disabled,
    /// The body does not fit its media type.
    MalformedBody,
    /// A value is missing or cannot be used.
    InvalidValue,
    /// The event type is not in the workspace's catalogue.
    UnknownEventType,
    /// The body, an event or a batch is larger than allowed.
    TooLarge,
    /// The media type is not accepted here.
    UnsupportedMediaType,
    /// The request contradicts the present state, or its subject changed meanwhile.
    Conflict,
    /// The workspace has reached its quota.
    QuotaExceeded,
    /// `if-match` names an older revision.
    PreconditionFailed,
    /// The path and query are longer than allowed.
    UriTooLong,
    /// There are more headers than allowed.
    HeadersTooLarge,
    /// The caller comes too often.
    TooManyRequests,
    /// The request needs more memory, time or room for the answer than one request may have.
    LimitExceeded,
    /// This build was made without the feature.
    NotBuilt,
    /// The request took too long to arrive.
    Timeout,
    /// The operation is impossible now and possible later.
    Unavailable,
    /// The request needs a part of HTTP that this server lacks.
    NotImplemented,
    /// Hookyard's own fault.
    Internal,
}

impl Code {
    /// The whole list.
    pub(crate) const ALL: [Self; 23] = [
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::Unauthenticated,
        Self::MissingScope,
        Self::AddressNotAllowed,
        Self::Disabled,
        Self::MalformedBody,
        Self::InvalidValue,
        Self::UnknownEventType,
        Self::TooLarge,
        Self::UnsupportedMediaType,
        Self::Conflict,
        Self::QuotaExceeded,
        Self::PreconditionFailed,
        Self::UriTooLong,
        Self::HeadersTooLarge,
        Self::TooManyRequests,
        Self::LimitExceeded,
        Self::NotBuilt,
        Self::Timeout,
        Self::Unavailable,
        Self::NotImplemented,
        Self::Internal,
    ];

    pub(crate) fn status(self) -> StatusCode {
        match self {
            Self::NotFound | Self::NotBuilt => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::Unauthenticated => StatusCode::UNAUTHORIZED,
            Self::MissingScope | Self::AddressNotAllowed => StatusCode::FORBIDDEN,
            Self::Disabled => StatusCode::GONE,
            Self::MalformedBody | Self::InvalidValue | Self::UnknownEventType => {
                StatusCode::BAD_REQUEST
            }
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Conflict | Self::QuotaExceeded => StatusCode::CONFLICT,
            Self::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
            Self::UriTooLong => StatusCode::URI_TOO_LONG,
            Self::HeadersTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::TooManyRequests => StatusCode::TOO_MANY_REQUESTS,
            Self::LimitExceeded => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Timeout => StatusCode::REQUEST_TIMEOUT,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::NotImplemented => StatusCode::NOT_IMPLEMENTED,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The header of this code.
    pub(crate) fn header(self) -> Option<(HeaderName, HeaderValue)> {
        match self {
            Self::Unauthenticated => {
                Some((header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")))
            }
            Self::Unavailable => Some((header::RETRY_AFTER, RETRY_AFTER_SECONDS)),
            _ => None,
        }
    }
}

/// Whole seconds of a wait, at least one.
pub(crate) fn whole_seconds(wait: Duration) -> u64 {
    (wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).max(1)
}

/// An answer with a problem: a code for programs, and words for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) code: Code,
    pub(crate) detail: String,
    /// The parameter, attribute or header at fault.
    pub(crate) field: Option<String>,
    /// The index of the faulty event in a batch, from 0.
    pub(crate) index: Option<usize>,
    /// Seconds until the caller may come again.
    pub(crate) retry_after: Option<u64>,
}

/// A problem in the form of RFC 9457.
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct ProblemBody<'a> {
    /// Always `about:blank`: `code` names the kind of problem.
    r#type: &'static str,
    /// The status in words.
    title: &'a str,
    /// The status.
    status: u16,
    /// The problem and the fix, for people.
    detail: &'a str,
    code: Code,
    /// The parameter, member or header at fault.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'a str>,
    /// The index of the faulty event in a batch, from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<usize>,
}

impl Problem {
    /// A problem with `code` and `detail` alone.
    pub(crate) fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), field: None, index: None, retry_after: None }
    }

    /// A problem with one parameter, attribute or header.
    pub(crate) fn of_field(code: Code, field: &str, detail: impl Into<String>) -> Self {
        Self { field: Some(field.to_owned()), ..Self::new(code, detail) }
    }

    /// The problem as a body.
    pub(crate) fn body(&self) -> ProblemBody<'_> {
        let status = self.code.status();
        ProblemBody {
            r#type: "about:blank",
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            detail: &self.detail,
            code: self.code,
            field: self.field.as_deref(),
            index: self.index,
        }
    }

    /// A plausible problem of each kind, for the description of the API.
    pub(crate) fn sample(code: Code) -> Self {
        let (field, detail) = match code {
            Code::NotFound => ("", "no such endpoint"),
            Code::MethodNotAllowed => ("", "this path does not take this method"),
            Code::Unauthenticated => ("", "the credential is not valid"),
            Code::MissingScope => ("", "the credential lacks the scope `webhook_write`"),
            Code::AddressNotAllowed => ("", "the credential may not be used from 192.0.2.7"),
            Code::Disabled => ("", "the credential is disabled"),
            Code::MalformedBody => ("", "the body is not JSON: look at line 1, column 1"),
            Code::InvalidValue => ("url", "must be an absolute https:// or http:// URL"),
            Code::UnknownEventType => ("type", "the workspace has no event type `order_vanish`"),
            Code::TooLarge => ("", "the body has more than the 1048576 bytes that are accepted"),
            Code::UnsupportedMediaType => ("content-type", "send the body as application/json"),
            Code::Conflict => ("", "the workspace has an event type `parcel_lost` already"),
            Code::QuotaExceeded => ("endpoints", "the workspace has 10 endpoints, and may have 10"),
            Code::PreconditionFailed => ("if-match", "it is at revision 4 now"),
            Code::UriTooLong => ("", "path and query have more than 16384 bytes"),
            Code::HeadersTooLarge => ("", "there are more than 100 headers or 32768 bytes of them"),
            Code::TooManyRequests => ("", "rate of 1000 per 3600 second(s) exceeded."),
            Code::LimitExceeded => {
                ("", "the query took more than the 30 seconds that one may take")
            }
            Code::NotBuilt => ("", "this build of hookyard has no SQL"),
            Code::Timeout => ("", "the request took too long to arrive"),
            Code::Unavailable => ("", "the store is stopping"),
            Code::NotImplemented => ("", "the only transfer-encoding that is read here is chunked"),
            Code::Internal => ("", "the server failed; its log says why"),
        };
        let field = Some(field.to_owned()).filter(|field| !field.is_empty());
        Self { field, ..Self::new(code, detail) }
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::Invalid { field, message } => {
                Self::of_field(Code::InvalidValue, &field, message)
            }
            Error::UnknownEventType { field, message } => {
                Self::of_field(Code::UnknownEventType, &field, message)
            }
            Error::NotFound(entity) => Self::new(Code::NotFound, format!("no such {entity}")),
            Error::Conflict(message) => Self::new(Code::Conflict, message),
            error @ Error::Stale { .. } => {
                Self::of_field(Code::PreconditionFailed, "if-match", error.to_string())
            }
            Error::Quota { field, message, wait } => {
                let code = if wait.is_some() { Code::TooManyRequests } else { Code::QuotaExceeded };
                let retry_after = wait.map(whole_seconds);
                Self { retry_after, ..Self::of_field(code, field, message) }
            }
            Error::Unavailable(reason) => {
                tracing::warn!(reason, "a request could not be served now");
                Self::new(Code::Unavailable, reason)
            }
            Error::Internal(error) => {
                tracing::error!(%error, "request failed");
                Self::new(Code::Internal, "the server failed; its log says why")
            }
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        Error::from(error).into()
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let code = match refusal {
            Refusal::Failed(error) => return error.into(),
            Refusal::TooMany(exceeded) => return Self::from(&Turned::Rate(exceeded)),
            Refusal::Failures(seconds) => {
                let problem = Self::new(Code::TooManyRequests, refusal.to_string());
                return Self { retry_after: Some(seconds), ..problem };
            }
            Refusal::Unknown | Refusal::Expired(_) => Code::Unauthenticated,
            Refusal::Address(_) => Code::AddressNotAllowed,
            Refusal::Disabled => Code::Disabled,
        };
        Self::new(code, refusal.to_string())
    }
}

impl From<&Turned> for Problem {
    fn from(turned: &Turned) -> Self {
        let code = match turned {
            Turned::Uri(_) => Code::UriTooLong,
            Turned::Headers(_) => Code::HeadersTooLarge,
            Turned::Rate(_) | Turned::Connections => Code::TooManyRequests,
            Turned::Stalled => Code::Timeout,
            Turned::Full => Code::Unavailable,
            Turned::Host => Code::InvalidValue,
            Turned::TransferCoding => Code::NotImplemented,
        };
        Self { retry_after: turned.retry_after(), ..Self::new(code, turned.to_string()) }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.code.status();
        let kind = HeaderValue::from_static("application/problem+json");
        let text = serde_json::to_string(&self.body()).unwrap_or_default();
        let mut response = (status, [(header::CONTENT_TYPE, kind)], text).into_response();
        if let Some((name, value)) = self.code.header() {
            response.headers_mut().insert(name, value);
        }
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
