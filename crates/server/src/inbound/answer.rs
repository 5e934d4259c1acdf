//! Answers to deliveries.

use axum::Json;
use axum::response::{IntoResponse, Response};
use hookyard_core::model::{Source, SuccessAnswer};
use hookyard_engine::receive::Refusal;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use serde::Serialize;

use super::proof;
use crate::mammoth::error::ApiError;

/// Every client accepts any JSON object, and no client takes an object with these names for a job.
#[derive(Debug, Serialize)]
struct Accepted {
    status: &'static str,
    rows: u32,
}

/// The media type of an owner's answer without a media type.
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// The answer to a delivery that became `rows` rows: the source's own answer, or the usual answer.
pub(super) fn accepted(source: &Source, head: &Parts, rows: u32) -> Response {
    let created = head.method == Method::POST && !takes_200_only(&head.headers);
    let usual = if created { StatusCode::CREATED } else { StatusCode::OK };
    let Some(answer) = &source.spec.options.answer else {
        if let Some(answer) = proof::accepted(source) {
            return answer;
        }
        return (usual, Json(Accepted { status: "ok", rows })).into_response();
    };
    let SuccessAnswer { status, content_type, body } = answer;
    let status = status.and_then(|status| StatusCode::from_u16(status).ok()).unwrap_or(usual);
    if body.is_empty() {
        return status.into_response();
    }
    let kind = content_type.as_deref().and_then(|kind| HeaderValue::from_str(kind).ok());
    let kind = [(header::CONTENT_TYPE, kind.unwrap_or(TEXT))];
    (status, kind, body.clone()).into_response()
}

/// Whether the sender is Mammoth's first SDK (mammoth-analytics-sdk), which takes every status but 200
/// for a failure. The SDK posts by `requests` and shows its API key and secret; of the senders that do
/// so, none needs 201.
fn takes_200_only(headers: &HeaderMap) -> bool {
    let agent = headers.get(header::USER_AGENT).map(HeaderValue::as_bytes);
    agent.is_some_and(|agent| agent.starts_with(b"python-requests/"))
        && headers.contains_key("x-api-key")
        && headers.contains_key("x-api-secret")
}

/// The answer to a refused delivery.
pub(super) fn refused(refusal: Refusal) -> ApiError {
    match refusal {
        Refusal::Malformed(reason) | Refusal::EventType(reason) => {
            ApiError::new(StatusCode::BAD_REQUEST, reason)
        }
        Refusal::Unproven => ApiError::unauthorized(),
        Refusal::TooLarge => ApiError::too_large(),
        Refusal::Unsupported(reason) | Refusal::Coding(reason) => {
            ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, reason)
        }
        Refusal::TooFast(wait) => ApiError::too_many(wait),
    }
}
