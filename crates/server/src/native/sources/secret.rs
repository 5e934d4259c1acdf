//! The key and the secret of a source.

use axum::Json;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hookyard_core::model::{Scope, Secret, Source as CoreSource};
use hookyard_engine::sources::OVERLAP_MAX;
use hookyard_store::Seen;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

use super::shape::Source;
use super::source;
use crate::App;
use crate::native::input::{self, Nothing, PathText};
use crate::problem::Problem;

/// What deliveries to a source must prove to know.
#[derive(Serialize, ToSchema)]
struct SourceSecret<'a> {
    /// The secret; absent when the source is open.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<&'a str>,
    /// Until when the secret before it proves, too; absent when it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    previous_until: Option<Timestamp>,
}

/// How a key is rotated.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct KeyRotationParams {
    /// For how many seconds the present URL is good, too; 0 unless said, at most 30 days.
    #[param(nullable = false, minimum = 0, maximum = 2592000)]
    overlap_seconds: Option<u32>,
}

/// The overlap that a caller asks for.
fn overlap(seconds: Option<u32>) -> Result<SignedDuration, Problem> {
    let most = u32::try_from(OVERLAP_MAX.as_secs()).unwrap_or(u32::MAX);
    let seconds = input::at_most("overlap_seconds", seconds, most)?.unwrap_or(0);
    Ok(SignedDuration::from_secs(seconds.into()))
}

/// What deliveries must prove to know from now on.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SourceSecretRotation {
    /// The secret, instead of one that is made.
    #[schema(value_type = Option<String>, write_only, min_length = 1, max_length = 1000)]
    secret: Option<Secret>,
    /// For how many seconds the present secret proves, too; 0 unless said, at most 30 days.
    #[schema(minimum = 0, maximum = 2592000)]
    overlap_seconds: Option<u32>,
}

/// Rotate a source's key
///
/// The source gets a new URL. The present one is answered 404 once the overlap is over, which may be
/// at once, and that of an earlier rotation at once.
#[utoipa::path(
    post,
    path = "/v1/sources/{id}/key/rotate",
    tag = "sources",
    params(("id" = i32, Path, description = "The source's number"), KeyRotationParams),
    responses((status = 200, description = "The source", body = Source)),
    security(("simple_key" = ["data_write"])),
)]
pub(super) async fn rotate_key(
    State(app): State<App>,
    PathText(id): PathText<String>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let source = source(&app, &headers, Scope::DataWrite, &id).await?;
    let params: KeyRotationParams = input::query(raw.as_deref())?;
    let overlap = overlap(params.overlap_seconds)?;
    let workspace = source.spec.workspace;
    let source = app.engine.rotate_source_key(workspace, source.id, overlap).await?;
    Ok(Json(Source::new(&source)).into_response())
}

/// End a source's previous key
///
/// The URL that was rotated is answered 404 from now on, whatever is left of its overlap.
#[utoipa::path(
    delete,
    path = "/v1/sources/{id}/key/previous",
    tag = "sources",
    params(("id" = i32, Path, description = "The source's number")),
    responses((status = 204, description = "It is over")),
    security(("simple_key" = ["data_write"])),
)]
pub(super) async fn end_previous_key(
    State(app): State<App>,
    PathText(id): PathText<String>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
) -> Result<StatusCode, Problem> {
    let source = source(&app, &headers, Scope::DataWrite, &id).await?;
    input::query::<Nothing>(raw.as_deref())?;
    app.engine.end_previous_key(source.spec.workspace, source.id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// End a source's previous secret
///
/// The secret that was rotated proves nothing from now on, whatever is left of its overlap.
#[utoipa::path(
    delete,
    path = "/v1/sources/{id}/secret/previous",
    tag = "sources",
    params(("id" = i32, Path, description = "The source's number")),
    responses((status = 204, description = "It is over")),
    security(("simple_key" = ["data_write"])),
)]
pub(super) async fn end_previous_secret(
    State(app): State<App>,
    PathText(id): PathText<String>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
) -> Result<StatusCode, Problem> {
    let source = source(&app, &headers, Scope::DataWrite, &id).await?;
    input::query::<Nothing>(raw.as_deref())?;
    app.engine.end_previous_secret(source.spec.workspace, source.id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Get a source's secret
#[utoipa::path(
    get,
    path = "/v1/sources/{id}/secret",
    tag = "sources",
    params(("id" = i32, Path, description = "The source's number")),
    responses((status = 200, description = "The secret", body = SourceSecret)),
    security(("simple_key" = ["data_write"])),
)]
pub(super) async fn get_source_secret(
    State(app): State<App>,
    PathText(id): PathText<String>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    // Whoever knows it can pass for the sender, so reading it is not for readers.
    let source = source(&app, &headers, Scope::DataWrite, &id).await?;
    input::query::<Nothing>(raw.as_deref())?;
    app.engine.note_seen(source.spec.workspace, Seen::SourceSecret(source.id)).await?;
    Ok(answer(&app, &source))
}

/// Rotate a source's secret
///
/// Deliveries must prove to know the new one, or until the overlap is over the present one; that of an
/// earlier rotation counts no more. A source that was open is secure.
#[utoipa::path(
    post,
    path = "/v1/sources/{id}/secret/rotate",
    tag = "sources",
    params(("id" = i32, Path, description = "The source's number")),
    request_body = SourceSecretRotation,
    responses((status = 200, description = "The secret", body = SourceSecret)),
    security(("simple_key" = ["data_write"])),
)]
pub(super) async fn rotate_source_secret(
    State(app): State<App>,
    PathText(id): PathText<String>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let source = source(&app, &headers, Scope::DataWrite, &id).await?;
    input::query::<Nothing>(raw.as_deref())?;
    let rotation: SourceSecretRotation = input::json(&headers, body, &[input::JSON]).await?;
    let overlap = overlap(rotation.overlap_seconds)?;
    let (workspace, id) = (source.spec.workspace, source.id);
    let source = app.engine.rotate_source_secret(workspace, id, rotation.secret, overlap).await?;
    Ok(answer(&app, &source))
}

fn answer(app: &App, source: &CoreSource) -> Response {
    let now = app.engine.clock().now();
    let secret = source.spec.secret.as_ref().map(Secret::expose);
    let previous = source.spec.previous.secret.as_ref().filter(|it| it.counts(now));
    let body = SourceSecret { secret, previous_until: previous.map(|it| it.until) };
    ([(header::CACHE_CONTROL, "no-store")], Json(body)).into_response()
}

/// Examples of the schemas of this file, by name.
pub(super) fn samples() -> Vec<(&'static str, Value)> {
    vec![(
        "SourceSecretRotation",
        json!({"secret": "whsec_of_the_provider", "overlap_seconds": 86_400}),
    )]
}
