use axum::Json;
use hookyard_core::id::DatasetId;
use hookyard_core::model::Scope;
use hookyard_engine::Error;
use http::StatusCode;
use serde_json::{Value, json};

use super::super::call::Call;
use super::super::error::ApiError;
use super::super::jobs;

/// The most datasets removed by one call.
const IDS_MAX: usize = 100;

/// Removes a dataset with its rows and the webhook of the dataset.
pub(in super::super) async fn delete(call: Call) -> Result<StatusCode, ApiError> {
    let place = call.place(Scope::DataWrite).await?;
    let id = call.dataset()?;
    call.app.engine.delete_dataset(place.workspace, place.project, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Removes the datasets of a list, which must all be there. Without a list nothing is removed.
pub(in super::super) async fn delete_many(
    call: Call,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let place = call.place(Scope::DataWrite).await?;
    let mut query = call.query();
    let ids = query.id_list("ids", IDS_MAX);
    if ids.is_none() {
        query.missing("ids");
    }
    call.checked(query)?;
    let engine = &call.app.engine;
    let mut datasets = Vec::new();
    for id in ids.unwrap_or_default() {
        let id = i32::try_from(id).map(DatasetId).map_err(|_| ApiError::not_found())?;
        let found = engine.of(place.workspace).dataset(place.project, id).await?;
        datasets.push(found.ok_or_else(ApiError::not_found)?.id);
    }
    for id in &datasets {
        match engine.delete_dataset(place.workspace, place.project, *id).await {
            // The dataset was in the list twice, or another caller was faster.
            Ok(()) | Err(Error::NotFound(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let response = json!({"dataset_ids": datasets});
    jobs::accepted(&call, place, "delete_datasets", response).await
}
