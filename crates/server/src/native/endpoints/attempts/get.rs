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

/// One attempt with what was sent and answered.
#[derive(Serialize, ToSchema)]
struct AttemptDetail<'a> {
    #[serde(flatten)]
    attempt: Attempt<'a>,
    /// The request's headers, credentials masked.
    #[schema(value_type = Vec<HttpHeader>)]
    request_headers: &'a [Header],
    /// The request's body before its content encoding, its first 100,000 characters; absent, as the
    /// two below, when some of what it was made of is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<&'a str>,
    /// The content encoding that the body was sent with.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = EncodingBody)]
    request_encoding: Option<ContentEncoding>,
    /// The size of the body as it was sent, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    request_bytes: Option<usize>,
    /// The answer's headers.
    #[schema(value_type = Vec<HttpHeader>)]
    response_headers: &'a [Header],
    /// The answer's body, its first 100,000 characters.
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
/// One attempt with the request that was sent and the answer to it.
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
    let catalogue = app.engine.store().catalogue(workspace).await?;
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
