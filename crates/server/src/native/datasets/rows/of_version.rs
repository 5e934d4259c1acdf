//! `GET /v1/datasets/{id}/versions/{version}/rows`: list rows of a version.

use axum::response::Response;
use hookyard_core::id::VersionId;
use hookyard_core::model::Dataset as CoreDataset;

use super::shape::{RowPage, VersionParams, search, show};
use crate::native::call::{Call, Data, Read, Within};
use crate::native::paths;
use crate::problem::Problem;

/// List rows of a version
///
/// A page of the rows of the visible version, or of an earlier version.
#[utoipa::path(
    get,
    path = paths::VERSION_ROWS,
    tag = "datasets",
    responses((status = 200, description = "A page of rows", body = RowPage)),
)]
pub(super) async fn list_version_rows(
    call: Call<Within<Read<Data>>, (CoreDataset, VersionId), VersionParams>,
) -> Result<Response, Problem> {
    let Call { app, target: (dataset, version), query: params, .. } = call;
    let select = params.select();
    let found = search(&app, &dataset, Some(version), &select).await?;
    let path = app.link(&paths::VERSION_ROWS.of([&dataset.id, &version]));
    Ok(show(&found, &path, select, None))
}
