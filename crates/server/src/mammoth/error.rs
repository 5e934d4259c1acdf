//! Refusals in the form known to the API's clients (docs/spec/mammoth.md#errors).

use std::borrow::Cow;
use std::time::Duration;

use axum::Json;
use axum::response::{IntoResponse, Response};
use hookyard_engine::Error;
use hookyard_engine::access::Refusal;
use http::header::{ALLOW, CONNECTION, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderName, StatusCode};
use serde::Serialize;

/// One unusable value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Problem {
    /// A description of a right value.
    pub(crate) message: String,
    /// Where the value is, such as `limit` or `patch[0].path`.
    pub(crate) key: String,
    /// `path`, `query` or `body`.
    pub(crate) source: &'static str,
}

/// A refusal. Clients take it for an error of theirs only if `detail` is a string and the type is
/// exactly JSON.
#[derive(Debug)]
pub(crate) struct ApiError {
    status: StatusCode,
    detail: String,
    extra: Option<Vec<Problem>>,
    header: Option<(HeaderName, Cow<'static, str>)>,
}

#[derive(Serialize)]
struct Wire<'a> {
    status_code: u16,
    detail: &'a str,
    extra: Option<&'a [Problem]>,
    message: &'a str,
}

impl ApiError {
    /// A refusal with the given words.
    pub(crate) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into(), extra: None, header: None }
    }

    /// Unusable values of the request. `request` is the method, path and query.
    pub(crate) fn validation(request: &str, problems: Vec<Problem>) -> Self {
        let detail = format!("Validation failed for {request}");
        Self { extra: Some(problems), ..Self::new(StatusCode::BAD_REQUEST, detail) }
    }

    /// No such thing, or no such route.
    pub(crate) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "Not Found")
    }

    /// Credentials or a proof are missing or wrong.
    pub(crate) fn unauthorized() -> Self {
        let challenge = (WWW_AUTHENTICATE, Cow::Borrowed("Bearer"));
        Self { header: Some(challenge), ..Self::new(StatusCode::UNAUTHORIZED, "Unauthorized") }
    }

    /// The caller is known and lacks the right.
    pub(crate) fn forbidden() -> Self {
        Self::new(StatusCode::FORBIDDEN, "Forbidden")
    }

    /// The route has no such method. The router adds `Allow`.
    pub(crate) fn method_not_allowed() -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed")
    }

    /// The route has only these methods.
    pub(crate) fn allowed_are(methods: &'static str) -> Self {
        let allow = (ALLOW, Cow::Borrowed(methods));
        Self { header: Some(allow), ..Self::method_not_allowed() }
    }

    /// The body is over the limit. The rest of the body is not read, so the connection ends here.
    pub(crate) fn too_large() -> Self {
        let close = (CONNECTION, Cow::Borrowed("close"));
        let status = StatusCode::PAYLOAD_TOO_LARGE;
        Self { header: Some(close), ..Self::new(status, "Request Entity Too Large") }
    }

    /// The caller is too fast, and may come again after the given time.
    pub(crate) fn too_many(wait: Duration) -> Self {
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        let header = (RETRY_AFTER, Cow::Owned(seconds.to_string()));
        let status = StatusCode::TOO_MANY_REQUESTS;
        Self { header: Some(header), ..Self::new(status, "Too Many Requests") }
    }

    /// The refusal's status.
    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    /// A fault of ours.
    fn internal() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error")
    }
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        match error {
            Error::Invalid { field, message } | Error::UnknownEventType { field, message } => {
                Self::new(StatusCode::BAD_REQUEST, format!("{field}: {message}"))
            }
            Error::NotFound(_) => Self::not_found(),
            Error::Conflict(message) => Self::new(StatusCode::CONFLICT, message),
            error @ Error::Stale { .. } => Self::new(StatusCode::CONFLICT, error.to_string()),
            Error::Quota { wait: Some(wait), .. } => Self::too_many(wait),
            Error::Quota { message, .. } => Self::new(StatusCode::CONFLICT, message),
            Error::Unavailable(reason) => {
                tracing::warn!(%reason, "a request could not be served now");
                // One second: the causes of an unavailable store (a full queue, a restart) are short.
                let wait = (RETRY_AFTER, Cow::Borrowed("1"));
                let status = StatusCode::SERVICE_UNAVAILABLE;
                Self { header: Some(wait), ..Self::new(status, "Service Unavailable") }
            }
            Error::Internal(error) => {
                tracing::error!(%error, "a request failed");
                Self::internal()
            }
        }
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Failed(error) => error.into(),
            Refusal::Unknown | Refusal::Expired(_) => Self::unauthorized(),
            Refusal::Address(_) => Self::new(StatusCode::FORBIDDEN, refusal.to_string()),
            Refusal::Disabled => Self::new(StatusCode::GONE, refusal.to_string()),
            Refusal::Failures(seconds) => {
                let detail = refusal.to_string();
                Self { detail, ..Self::too_many(Duration::from_secs(seconds)) }
            }
            Refusal::TooMany(exceeded) => {
                Self { detail: exceeded.to_string(), ..Self::too_many(exceeded.wait) }
            }
        }
    }
}

impl From<hookyard_store::StoreError> for ApiError {
    fn from(error: hookyard_store::StoreError) -> Self {
        Error::from(error).into()
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let wire = Wire {
            status_code: self.status.as_u16(),
            detail: &self.detail,
            extra: self.extra.as_deref(),
            message: &self.detail,
        };
        (self.status, self.header.map(|(name, value)| [(name, value.into_owned())]), Json(wire))
            .into_response()
    }
}
