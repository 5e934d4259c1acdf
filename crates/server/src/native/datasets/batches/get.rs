//! `GET /v1/datasets/{id}/batches/{batch}`: get a batch.

use axum::response::Response;
use hookyard_core::id::BatchId;
use hookyard_core::model::Dataset as CoreDataset;

use super::shape::show;
use crate::native::call::{Call, Data, Read, Within};
use crate::native::datasets::shape::Batch;
use crate::native::paths;
use crate::problem::Problem;

/// Get a batch
#[utoipa::path(
    get,
    path = paths::BATCH,
    tag = "datasets",
    responses((status = 200, description = "The batch", body = Batch)),
)]
pub(super) async fn get_batch(
    call: Call<Within<Read<Data>>, (CoreDataset, BatchId)>,
) -> Result<Response, Problem> {
    let Call { app, target: (dataset, batch), .. } = call;
    show(&app, &dataset, batch).await
}
