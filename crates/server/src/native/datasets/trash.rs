//! `POST /v1/datasets/{id}/trash`: put a dataset in the trash.

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

/// Put a dataset in the trash
///
/// Lists, searches and SQL leave out a dataset in the trash. Requests with the number of the dataset work as
/// before, and its source and endpoints go on filling the dataset. 30 days later Hookyard removes the
/// dataset for good, with its rows, versions and source, unless somebody restores the dataset before. For a
/// dataset in the trash already nothing changes.
#[utoipa::path(
    post,
    path = paths::DATASET_TRASH,
    tag = "datasets",
    responses(
        (status = 200, description = "The dataset", body = Dataset, headers(
            ("etag" = String, description = "Its revision"),
        )),
    ),
)]
pub(super) async fn trash_dataset(
    call: Call<Within<Write<Data>>, CoreDataset>,
) -> Result<Response, Problem> {
    let Call { app, target: CoreDataset { id, workspace, project, .. }, .. } = call;
    let changed = app.engine.trash_datasets(workspace, project, vec![id]).await?;
    let dataset = changed.first().ok_or(Error::NotFound(Entity::Dataset))?;
    Ok(shape::answer(StatusCode::OK, dataset))
}
