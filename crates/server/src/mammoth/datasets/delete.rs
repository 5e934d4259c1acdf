use hookyard_core::model::Scope;
use http::StatusCode;

use super::super::call::Call;
use super::super::error::ApiError;

/// Removes a dataset, its rows and the webhook that fills it.
pub(in super::super) async fn delete(call: Call) -> Result<StatusCode, ApiError> {
    let place = call.place(Scope::DataWrite).await?;
    let id = call.dataset()?;
    call.app.engine.delete_dataset(place.workspace, place.project, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
