//! `/v1/sources/{id}`: show, change and remove a source.

use axum::Json;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use hookyard_core::model::{NewSource, Scope};

use super::change::SourcePatch;
use super::shape::Source;
use super::{check_republish, source, within};
use crate::App;
use crate::native::caller;
use crate::native::input::{self, Nothing, PathText};
use crate::problem::Problem;

/// Get a source
#[utoipa::path(
    get,
    path = "/v1/sources/{id}",
    tag = "sources",
    params(("id" = i32, Path, description = "The source's number")),
    responses((status = 200, description = "The source", body = Source)),
    security(("simple_key" = ["data_read"])),
)]
pub(super) async fn get_source(
    State(app): State<App>,
    PathText(id): PathText<String>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let source = source(&app, &headers, Scope::DataRead, &id).await?;
    input::query::<Nothing>(raw.as_deref())?;
    Ok(Json(Source::new(&source)).into_response())
}

/// Change a source
///
/// A JSON merge patch (RFC 7396): what is absent stays, null goes back to the default, a list is
/// replaced as a whole. It counts from the next delivery on; rows that are there stay.
#[utoipa::path(
    patch,
    path = "/v1/sources/{id}",
    tag = "sources",
    params(("id" = i32, Path, description = "The source's number")),
    request_body(content(
        (SourcePatch = "application/merge-patch+json"),
        (SourcePatch = "application/json"),
    )),
    responses((status = 200, description = "The source", body = Source)),
    security(("simple_key" = ["data_write"])),
)]
pub(super) async fn update_source(
    State(app): State<App>,
    PathText(id): PathText<String>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let reach = caller::reach(&app, &headers, Scope::DataWrite).await?;
    let source = within(&app, reach, &id).await?;
    input::query::<Nothing>(raw.as_deref())?;
    let kinds = [input::MERGE_PATCH, input::JSON];
    let patch: SourcePatch = input::json(&headers, body, &kinds).await?;
    let change = patch.change()?;
    check_republish(reach, change.options.republish.as_ref().and_then(Option::as_ref))?;
    let source = app.engine.patch_source(reach.workspace, source.id, change).await?;
    Ok(Json(Source::new(&source)).into_response())
}

/// Remove a source
///
/// Its URL is answered 404 from then on. Its dataset and the rows stay.
#[utoipa::path(
    delete,
    path = "/v1/sources/{id}",
    tag = "sources",
    params(("id" = i32, Path, description = "The source's number")),
    responses((status = 204, description = "It is gone")),
    security(("simple_key" = ["data_write"])),
)]
pub(super) async fn delete_source(
    State(app): State<App>,
    PathText(id): PathText<String>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
) -> Result<StatusCode, Problem> {
    let source = source(&app, &headers, Scope::DataWrite, &id).await?;
    input::query::<Nothing>(raw.as_deref())?;
    let NewSource { workspace, project, .. } = source.spec;
    app.engine.delete_source(workspace, project, source.id).await?;
    Ok(StatusCode::NO_CONTENT)
}
