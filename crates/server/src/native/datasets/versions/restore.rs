//! `POST /v1/datasets/{id}/versions/{version}/restore`: restore a version.

use axum::http::StatusCode;
use axum::response::Response;
use hookyard_core::id::VersionId;
use hookyard_core::model::Dataset as CoreDataset;

use crate::native::call::{Call, Data, Within, Write};
use crate::native::datasets::shape;
use crate::native::datasets::shape::Dataset as DatasetBody;
use crate::native::paths;
use crate::problem::Problem;

/// Restore a version
///
/// Makes the version visible again; deliveries of a source in mode `combine` then add to the version. The
/// replaced rows become an earlier version. The change takes effect at once, whatever the number of rows.
/// Nothing changes if the version is visible already.
#[utoipa::path(
    post,
    path = paths::VERSION_RESTORE,
    tag = "datasets",
    responses(
        (status = 200, description = "The dataset", body = DatasetBody, headers(
            ("etag" = String, description = "Its revision"),
        )),
    ),
)]
pub(super) async fn restore_version(
    call: Call<Within<Write<Data>>, (CoreDataset, VersionId)>,
) -> Result<Response, Problem> {
    let Call { app, target: (dataset, version), .. } = call;
    let restored = app.engine.restore_version(dataset.workspace, dataset.id, version).await?;
    Ok(shape::answer(StatusCode::OK, &restored))
}
