//! `DELETE /v1/datasets/{id}`: remove a dataset.

use axum::http::StatusCode;
use hookyard_core::model::Dataset as CoreDataset;
use hookyard_engine::Error;

use crate::native::call::{Call, Data, Within, Write};
use crate::native::paths;
use crate::problem::Problem;

/// Remove a dataset
///
/// The dataset's rows, versions and source are removed, too.
#[utoipa::path(
    delete,
    path = paths::DATASET,
    tag = "datasets",
    responses((status = 204, description = "It is gone")),
)]
pub(super) async fn delete_dataset(
    call: Call<Within<Write<Data>>, CoreDataset>,
) -> Result<StatusCode, Problem> {
    let Call { app, target: dataset, .. } = call;
    let deleted = app.engine.delete_dataset(dataset.workspace, dataset.project, dataset.id).await;
    match deleted {
        // Another caller was faster: the dataset is gone all the same.
        Ok(()) | Err(Error::NotFound(_)) => Ok(StatusCode::NO_CONTENT),
        Err(error) => Err(error.into()),
    }
}
