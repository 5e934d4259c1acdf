//! `GET /v1/endpoints/{id}/attempts/{request_id}`: get an attempt.

use crate::native::target::AttemptName;
use axum::Json;
use axum::response::{IntoResponse, Response};
use hookyard_core::id::EndpointId;
use hookyard_core::model::{ContentEncoding, Header};
use hookyard_engine::Error;
use hookyard_engine::endpoints::AttemptDetail as CoreDetail;
use hookyard_store::Entity;
use serde::Serialize;
use utoipa::ToSchema;

use super::shape::Attempt;
use crate::native::call::{Call, Read, Webhooks};
use crate::native::endpoints::options::EncodingBody;
use crate::native::paths;
use crate::problem::Problem;

/// One attempt with the request and the answer.
#[derive(Serialize, ToSchema)]
struct AttemptDetail<'a> {
    #[serde(flatten)]
    attempt: Attempt<'a>,
    /// The request's headers, credentials masked.
    #[schema(value_type = Vec<HttpHeader>)]
    request_headers: &'a [Header],
    /// The request's body before content encoding, the first 100,000 characters. The body and the two
    /// members below are absent when a part of the bundle is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<&'a str>,
    /// The content encoding of the sent body.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = EncodingBody)]
    request_encoding: Option<ContentEncoding>,
    /// The size of the sent body, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    request_bytes: Option<usize>,
    /// The answer's headers.
    #[schema(value_type = Vec<HttpHeader>)]
    response_headers: &'a [Header],
    /// The answer's body, the first 100,000 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    response: Option<&'a str>,
}

/// One HTTP header.
#[derive(Serialize, ToSchema)]
struct HttpHeader {
    name: String,
    value: String,
}

/// Get an attempt
///
/// One attempt with the sent request and the answer.
#[utoipa::path(
    get,
    path = paths::ATTEMPT,
    tag = "endpoints",
    responses((status = 200, description = "The attempt", body = AttemptDetail)),
)]
pub(super) async fn get_attempt(
    call: Call<Read<Webhooks>, (EndpointId, AttemptName)>,
) -> Result<Response, Problem> {
    let Call { app, caller: workspace, target: (id, AttemptName(name)), .. } = call;
    let found = app.engine.attempt_detail(workspace, id, &name).await?;
    let CoreDetail { attempt, request } = found.ok_or(Error::NotFound(Entity::Attempt))?;
    let catalogue = app.engine.of(workspace).catalogue().await?;
    let detail = AttemptDetail {
        attempt: Attempt::new(&catalogue, &attempt),
        request_headers: &attempt.record.request_headers,
        request: request.as_ref().map(|request| request.text.as_str()),
        request_encoding: request.as_ref().map(|request| request.encoding),
        request_bytes: request.as_ref().map(|request| request.bytes),
        response_headers: &attempt.record.outcome.response_headers,
        response: attempt.record.outcome.response.as_deref(),
    };
    Ok(Json(detail).into_response())
}
