//! `DELETE /v1/datasets/{id}/batches/{batch}`: remove a batch.

use axum::http::StatusCode;
use hookyard_core::id::BatchId;
use hookyard_core::model::Dataset as CoreDataset;
use hookyard_store::BatchChange;

use crate::native::call::{Call, Data, Within, Write};
use crate::native::paths;
use crate::problem::Problem;

/// Remove a batch
///
/// The batch's row is removed, too.
#[utoipa::path(
    delete,
    path = paths::BATCH,
    tag = "datasets",
    responses((status = 204, description = "It is gone")),
)]
pub(super) async fn delete_batch(
    call: Call<Within<Write<Data>>, (CoreDataset, BatchId)>,
) -> Result<StatusCode, Problem> {
    let Call { app, target: (dataset, batch), .. } = call;
    let change = vec![(batch, BatchChange::Delete)];
    app.engine.change_batches(dataset.workspace, dataset.id, change).await?;
    Ok(StatusCode::NO_CONTENT)
}
