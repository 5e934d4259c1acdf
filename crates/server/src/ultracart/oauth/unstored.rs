//! Answers that no cache may keep.

use axum::response::Response;
use http::HeaderValue;
use http::header::{CACHE_CONTROL, PRAGMA};

/// Keeps an answer out of caches (RFC 6749, section 5.1).
pub(super) fn unstored(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(PRAGMA, HeaderValue::from_static("no-cache"));
    response
}
