//! `POST /v1/datasets/{id}/batches/{batch}/suspend`: suspend a batch.

use axum::response::Response;
use hookyard_core::id::BatchId;
use hookyard_core::model::Dataset as CoreDataset;
use hookyard_store::BatchChange;

use super::shape::show;
use crate::native::call::{Call, Data, Within, Write};
use crate::native::datasets::shape::Batch;
use crate::native::paths;
use crate::problem::Problem;

/// Suspend a batch
///
/// The batch's row is hidden until the batch is restored. Nothing changes if the row is hidden already.
#[utoipa::path(
    post,
    path = paths::BATCH_SUSPEND,
    tag = "datasets",
    responses((status = 200, description = "The batch", body = Batch)),
)]
pub(super) async fn suspend_batch(
    call: Call<Within<Write<Data>>, (CoreDataset, BatchId)>,
) -> Result<Response, Problem> {
    let Call { app, target: (dataset, batch), .. } = call;
    let change = vec![(batch, BatchChange::Suspend)];
    app.engine.change_batches(dataset.workspace, dataset.id, change).await?;
    show(&app, &dataset, batch).await
}
