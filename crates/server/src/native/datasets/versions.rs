//! `/v1/datasets/{id}/versions`: what the dataset held before it was replaced.

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use hookyard_core::id::VersionId;
use hookyard_core::model::{Dataset, Scope, Version as CoreVersion};
use hookyard_engine::Error;
use hookyard_store::Entity;
use serde::Serialize;
use utoipa::ToSchema;

use super::shape::{self, Version};
use super::{dataset, shape::Dataset as DatasetBody};
use crate::App;
use crate::native::input::{self, Nothing, PathText};
use crate::problem::{Code, Problem};

/// A dataset's versions: the one that is seen, then the earlier ones, the last replaced first.
#[derive(Serialize, ToSchema)]
struct VersionList {
    versions: Vec<Version>,
}

/// List versions
///
/// The version that is seen, then the earlier ones that are kept, the last replaced first.
#[utoipa::path(
    get,
    path = "/v1/datasets/{id}/versions",
    tag = "datasets",
    params(("id" = i32, Path, description = "The dataset's number")),
    responses((status = 200, description = "The versions", body = VersionList)),
    security(("simple_key" = ["data_read"])),
)]
pub(super) async fn list_versions(
    State(app): State<App>,
    PathText(id): PathText<String>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let dataset = dataset(&app, &headers, Scope::DataRead, &id).await?;
    input::query::<Nothing>(raw.as_deref())?;
    let versions = versions(&app, &dataset).await?.iter().map(Version::from).collect();
    Ok(Json(VersionList { versions }).into_response())
}

/// Get a version
#[utoipa::path(
    get,
    path = "/v1/datasets/{id}/versions/{version}",
    tag = "datasets",
    params(
        ("id" = i32, Path, description = "The dataset's number"),
        ("version" = u64, Path, description = "The version's number"),
    ),
    responses((status = 200, description = "The version", body = Version)),
    security(("simple_key" = ["data_read"])),
)]
pub(super) async fn get_version(
    State(app): State<App>,
    PathText((id, version)): PathText<(String, String)>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let dataset = dataset(&app, &headers, Scope::DataRead, &id).await?;
    input::query::<Nothing>(raw.as_deref())?;
    let id = version_id(&version)?;
    let found = versions(&app, &dataset).await?.into_iter().find(|version| version.id == id);
    let version = found.ok_or(Error::NotFound(Entity::Version))?;
    Ok(Json(Version::from(&version)).into_response())
}

/// Restore a version
///
/// Readers see it again, and deliveries of a source in mode `combine` add to it. What they saw becomes
/// an earlier version. It happens at once, however many rows there are; nothing changes if the
/// version is seen already.
#[utoipa::path(
    post,
    path = "/v1/datasets/{id}/versions/{version}/restore",
    tag = "datasets",
    params(
        ("id" = i32, Path, description = "The dataset's number"),
        ("version" = u64, Path, description = "The version's number"),
    ),
    responses(
        (status = 200, description = "The dataset", body = DatasetBody, headers(
            ("etag" = String, description = "Its revision"),
        )),
    ),
    security(("simple_key" = ["data_write"])),
)]
pub(super) async fn restore_version(
    State(app): State<App>,
    PathText((id, version)): PathText<(String, String)>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let dataset = dataset(&app, &headers, Scope::DataWrite, &id).await?;
    input::query::<Nothing>(raw.as_deref())?;
    let version = version_id(&version)?;
    let restored = app.engine.restore_version(dataset.workspace, dataset.id, version).await?;
    Ok(shape::answer(StatusCode::OK, &restored))
}

/// Remove an earlier version
///
/// Its rows go with it. The version that is seen stays: it can only be replaced.
#[utoipa::path(
    delete,
    path = "/v1/datasets/{id}/versions/{version}",
    tag = "datasets",
    params(
        ("id" = i32, Path, description = "The dataset's number"),
        ("version" = u64, Path, description = "The version's number"),
    ),
    responses(
        (status = 204, description = "It is gone"),
        (status = 409, description = "It is the version that is seen"),
    ),
    security(("simple_key" = ["data_write"])),
)]
pub(super) async fn delete_version(
    State(app): State<App>,
    PathText((id, version)): PathText<(String, String)>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
) -> Result<StatusCode, Problem> {
    let Dataset { id, workspace, project, .. } =
        dataset(&app, &headers, Scope::DataWrite, &id).await?;
    input::query::<Nothing>(raw.as_deref())?;
    let version = version_id(&version)?;
    let store = app.engine.store();
    let there = store.delete_version(workspace, project, id, version).await;
    match there.map_err(Error::from)? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Error::NotFound(Entity::Version).into()),
    }
}

async fn versions(app: &App, dataset: &Dataset) -> Result<Vec<CoreVersion>, Problem> {
    let Dataset { id, workspace, project, .. } = *dataset;
    let store = app.engine.store();
    Ok(store.versions(workspace, project, id).await.map_err(Error::from)?)
}

pub(super) fn version_id(text: &str) -> Result<VersionId, Problem> {
    let number = input::number(text).map(VersionId);
    number.ok_or_else(|| Problem::new(Code::NotFound, "no such version"))
}
