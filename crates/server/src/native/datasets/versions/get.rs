//! `GET /v1/datasets/{id}/versions/{version}`: get a version.

use axum::Json;
use axum::response::{IntoResponse, Response};
use hookyard_core::id::VersionId;
use hookyard_core::model::Dataset as CoreDataset;
use hookyard_engine::Error;
use hookyard_store::Entity;

use super::shape::versions;
use crate::native::call::{Call, Data, Read, Within};
use crate::native::datasets::shape::Version;
use crate::native::paths;
use crate::problem::Problem;

/// Get a version
#[utoipa::path(
    get,
    path = paths::VERSION,
    tag = "datasets",
    responses((status = 200, description = "The version", body = Version)),
)]
pub(super) async fn get_version(
    call: Call<Within<Read<Data>>, (CoreDataset, VersionId)>,
) -> Result<Response, Problem> {
    let Call { app, target: (dataset, id), .. } = call;
    let found = versions(&app, &dataset).await?.into_iter().find(|version| version.id == id);
    let version = found.ok_or(Error::NotFound(Entity::Version))?;
    Ok(Json(Version::from(&version)).into_response())
}
