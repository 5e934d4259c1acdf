//! `POST /v1/datasets/{id}/restore`: take a dataset out of the trash.

use axum::http::StatusCode;
use axum::response::Response;
use hookyard_core::model::Dataset as CoreDataset;
use hookyard_engine::Error;
use hookyard_store::Entity;

use super::shape;
use super::shape::Dataset;
use crate::native::call::{Call, Data, Within, Write};
use crate::native::paths;
use crate::problem::Problem;

/// Restore a dataset from the trash
///
/// The dataset returns to its folder. If the folder is gone, Hookyard looks up the folders on the way by
/// their names, and makes the missing folders. For a dataset outside of the trash nothing changes.
#[utoipa::path(
    post,
    path = paths::DATASET_RESTORE,
    tag = "datasets",
    responses(
        (status = 200, description = "The dataset", body = Dataset, headers(
            ("etag" = String, description = "Its revision"),
        )),
    ),
)]
pub(super) async fn restore_dataset(
    call: Call<Within<Write<Data>>, CoreDataset>,
) -> Result<Response, Problem> {
    let Call { app, target: CoreDataset { id, workspace, project, .. }, .. } = call;
    let changed = app.engine.restore_datasets(workspace, project, vec![id]).await?;
    let dataset = changed.first().ok_or(Error::NotFound(Entity::Dataset))?;
    Ok(shape::answer(StatusCode::OK, dataset))
}
