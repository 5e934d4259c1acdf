//! The key and the secret of a source.

use axum::Json;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use hookyard_core::model::{Scope, Secret, Source as CoreSource};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

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
}

/// What deliveries must prove to know from now on.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SourceSecretRotation {
    /// The secret, instead of one that is made.
    #[schema(value_type = Option<String>, write_only, min_length = 1, max_length = 1000)]
    secret: Option<Secret>,
}

/// Rotate a source's key
///
/// The source gets a new URL. The present one is answered 404 from then on.
#[utoipa::path(
    post,
    path = "/v1/sources/{id}/key/rotate",
    tag = "sources",
    params(("id" = i32, Path, description = "The source's number")),
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
    input::query::<Nothing>(raw.as_deref())?;
    let workspace = source.spec.workspace;
    let source = app.engine.rotate_source_key(workspace, source.id).await?;
    Ok(Json(Source::new(&source)).into_response())
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
    Ok(answer(&source))
}

/// Rotate a source's secret
///
/// Deliveries must prove to know the new one from then on; a source that was open is secure.
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
    let workspace = source.spec.workspace;
    let source = app.engine.rotate_source_secret(workspace, source.id, rotation.secret).await?;
    Ok(answer(&source))
}

fn answer(source: &CoreSource) -> Response {
    let secret = source.spec.secret.as_ref().map(Secret::expose);
    ([(header::CACHE_CONTROL, "no-store")], Json(SourceSecret { secret })).into_response()
}

/// Examples of the schemas of this file, by name.
pub(super) fn samples() -> Vec<(&'static str, Value)> {
    vec![("SourceSecretRotation", json!({"secret": "whsec_of_the_provider"}))]
}
