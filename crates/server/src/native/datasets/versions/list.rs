//! `GET /v1/datasets/{id}/versions`: list versions.

use axum::Json;
use axum::response::{IntoResponse, Response};
use hookyard_core::model::Dataset as CoreDataset;
use serde::Serialize;
use utoipa::ToSchema;

use super::shape::versions;
use crate::native::call::{Call, Data, Read, Within};
use crate::native::datasets::shape::Version;
use crate::native::paths;
use crate::problem::Problem;

/// A dataset's versions: the visible version, then the earlier versions, the last replaced first.
#[derive(Serialize, ToSchema)]
struct VersionList {
    versions: Vec<Version>,
}

/// List versions
///
/// The visible version, then the kept earlier versions, the last replaced first.
#[utoipa::path(
    get,
    path = paths::VERSIONS,
    tag = "datasets",
    responses((status = 200, description = "The versions", body = VersionList)),
)]
pub(super) async fn list_versions(
    call: Call<Within<Read<Data>>, CoreDataset>,
) -> Result<Response, Problem> {
    let Call { app, target: dataset, .. } = call;
    let versions = versions(&app, &dataset).await?.iter().map(Version::from).collect();
    Ok(Json(VersionList { versions }).into_response())
}
