//! `DELETE /v1/datasets/{id}/versions/{version}`: remove an earlier version.

use axum::http::StatusCode;
use hookyard_core::id::VersionId;
use hookyard_core::model::Dataset as CoreDataset;

use crate::native::call::{Call, Data, Within, Write};
use crate::native::paths;
use crate::problem::Problem;

/// Remove an earlier version
///
/// The version's rows are removed, too. The visible version cannot be removed, only replaced.
#[utoipa::path(
    delete,
    path = paths::VERSION,
    tag = "datasets",
    responses(
        (status = 204, description = "It is gone"),
        (status = 409, description = "It is the version that is seen"),
    ),
)]
pub(super) async fn delete_version(
    call: Call<Within<Write<Data>>, (CoreDataset, VersionId)>,
) -> Result<StatusCode, Problem> {
    let Call { app, target: (dataset, version), .. } = call;
    app.engine.delete_version(dataset.workspace, dataset.id, version).await?;
    Ok(StatusCode::NO_CONTENT)
}
