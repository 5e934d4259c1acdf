//! `/v1/applications/{id}`: show, change and remove an application.

use axum::Json;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use hookyard_core::model::Scope;

use super::application_id;
use super::change::ApplicationPatch;
use super::shape::Application;
use crate::App;
use crate::native::caller;
use crate::native::input::{self, Nothing, PathText};
use crate::problem::Problem;

/// Get an application
#[utoipa::path(
    get,
    path = "/v1/applications/{id}",
    tag = "applications",
    params(("id" = i32, Path, description = "The application's number")),
    responses((status = 200, description = "The application", body = Application)),
    security(("simple_key" = ["admin"])),
)]
pub(super) async fn get_application(
    State(app): State<App>,
    PathText(id): PathText<String>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let workspace = caller::workspace(&app, &headers, Scope::Admin).await?;
    input::query::<Nothing>(raw.as_deref())?;
    let application = app.engine.application(workspace, application_id(&id)?).await?;
    Ok(Json(Application::new(&application)).into_response())
}

/// Change an application
///
/// A JSON merge patch (RFC 7396): what is absent stays, null takes it away, a list is replaced as a
/// whole. A disabled application's tokens are answered 410 until it is enabled again; people who come
/// to let it in are told.
#[utoipa::path(
    patch,
    path = "/v1/applications/{id}",
    tag = "applications",
    params(("id" = i32, Path, description = "The application's number")),
    request_body(content(
        (ApplicationPatch = "application/merge-patch+json"),
        (ApplicationPatch = "application/json"),
    )),
    responses((status = 200, description = "The application", body = Application)),
    security(("simple_key" = ["admin"])),
)]
pub(super) async fn update_application(
    State(app): State<App>,
    PathText(id): PathText<String>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let workspace = caller::person(&app, &headers).await?;
    input::query::<Nothing>(raw.as_deref())?;
    let id = application_id(&id)?;
    app.engine.application(workspace, id).await?;
    let kinds = [input::MERGE_PATCH, input::JSON];
    let patch: ApplicationPatch = input::json(&headers, body, &kinds).await?;
    let application = app.engine.update_application(workspace, id, patch.change()?).await?;
    Ok(Json(Application::new(&application)).into_response())
}

/// Remove an application
///
/// All that it was granted goes with it: its tokens open nothing any more.
#[utoipa::path(
    delete,
    path = "/v1/applications/{id}",
    tag = "applications",
    params(("id" = i32, Path, description = "The application's number")),
    responses((status = 204, description = "It is gone")),
    security(("simple_key" = ["admin"])),
)]
pub(super) async fn delete_application(
    State(app): State<App>,
    PathText(id): PathText<String>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
) -> Result<StatusCode, Problem> {
    let workspace = caller::person(&app, &headers).await?;
    input::query::<Nothing>(raw.as_deref())?;
    app.engine.delete_application(workspace, application_id(&id)?).await?;
    Ok(StatusCode::NO_CONTENT)
}
