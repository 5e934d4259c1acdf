//! Answers to browsers (docs/spec/mammoth.md#origins).

use axum::response::{IntoResponse, Response};
use hookyard_core::model::Source;
use hookyard_core::origins::Verdict;
use hookyard_engine::receive;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, ALLOW,
    ORIGIN, VARY,
};
use http::{HeaderMap, HeaderValue, StatusCode};

use super::METHODS;

/// The methods open to pages.
const PAGE_METHODS: HeaderValue = HeaderValue::from_static("GET, POST, OPTIONS");

/// Seconds that a browser may rely on a preflight: a changed list of origins holds after this.
const PREFLIGHT_SECONDS: HeaderValue = HeaderValue::from_static("600");

/// The verdict on a request's origin, with the answer to the browser.
pub(super) struct Cors {
    verdict: Option<Verdict>,
    origin: Option<HeaderValue>,
}

impl Cors {
    pub(super) fn judge(source: &Source, headers: &HeaderMap) -> Self {
        Self {
            verdict: receive::judge_origin(source, headers),
            origin: headers.get(ORIGIN).cloned(),
        }
    }

    pub(super) fn is_refused(&self) -> bool {
        self.verdict == Some(Verdict::Refused)
    }

    /// Adds the headers for the browser; none when no browser asked.
    pub(super) fn apply(self, headers: &mut HeaderMap) {
        let any = HeaderValue::from_static("*");
        let allowed = match self.verdict {
            None => return,
            Some(Verdict::Any) => Some(any),
            Some(Verdict::Listed) => self.origin,
            Some(Verdict::Refused) => None,
        };
        if self.verdict != Some(Verdict::Any) && !headers.contains_key(VARY) {
            headers.insert(VARY, HeaderValue::from_static("Origin"));
        }
        if let Some(allowed) = allowed {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
        }
    }
}

/// The answer to OPTIONS: a preflight's permissions, or else the methods.
pub(super) fn options(asked: &HeaderMap) -> Response {
    let preflight = asked.contains_key(ORIGIN) && asked.contains_key(ACCESS_CONTROL_REQUEST_METHOD);
    let mut response = StatusCode::NO_CONTENT.into_response();
    let headers = response.headers_mut();
    if !preflight {
        headers.insert(ALLOW, HeaderValue::from_static(METHODS));
        return response;
    }
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, PAGE_METHODS);
    headers.insert(ACCESS_CONTROL_MAX_AGE, PREFLIGHT_SECONDS);
    let vary = "Origin, Access-Control-Request-Method, Access-Control-Request-Headers";
    headers.insert(VARY, HeaderValue::from_static(vary));
    if let Some(wanted) = asked.get(ACCESS_CONTROL_REQUEST_HEADERS) {
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, wanted.clone());
    }
    response
}
