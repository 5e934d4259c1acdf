//! `/v1/datasets/{id}/batches`: accepted deliveries, shown, hidden and removed.

use axum::Json;
use axum::response::{IntoResponse, Response};
use hookyard_core::id::BatchId;
use hookyard_core::model::Dataset;
use hookyard_engine::Error;
use hookyard_store::Entity;

use crate::App;
use crate::native::datasets::shape::Batch;
use crate::problem::Problem;

pub(super) async fn show(app: &App, dataset: &Dataset, id: BatchId) -> Result<Response, Problem> {
    let Dataset { id: of, workspace, project, .. } = *dataset;
    let found = app.engine.of(workspace).batch(project, of, id).await?;
    let batch = found.ok_or(Error::NotFound(Entity::Batch))?;
    Ok(Json(Batch::from(&batch)).into_response())
}
