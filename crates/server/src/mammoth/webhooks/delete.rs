use hookyard_core::id::SourceId;
use hookyard_core::model::Scope;
use http::StatusCode;

use super::super::call::Call;
use super::super::error::ApiError;

/// Removes a webhook; the dataset and the rows stay (docs/spec/mammoth.md#delete).
pub(in super::super) async fn delete(call: Call) -> Result<StatusCode, ApiError> {
    let place = call.place(Scope::DataWrite).await?;
    let id = SourceId(call.id("webhook_id", 0)?);
    call.app.engine.delete_source(place.workspace, place.project, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
