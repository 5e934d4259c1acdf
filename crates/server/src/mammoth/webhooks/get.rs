use axum::Json;
use hookyard_core::id::SourceId;
use hookyard_core::model::Scope;
use hookyard_store::Seen;

use super::super::call::Call;
use super::super::error::ApiError;
use super::shape::{Details, Fields};

/// Reads one webhook.
pub(in super::super) async fn get(call: Call) -> Result<Json<Details>, ApiError> {
    let place = call.place(Scope::DataRead).await?;
    let id = SourceId(call.id("webhook_id", 0)?);
    let mut query = call.query();
    let fields = Fields::parse(query.text("fields").as_deref()).shown_to(place);
    call.checked(query)?;
    let found = call.app.engine.of(place.workspace).source(place.project, id).await?;
    let source = found.ok_or_else(ApiError::not_found)?;
    if fields.shows_secret(&source) {
        call.app.engine.note_listed(place.workspace, Seen::SourceSecrets).await;
    }
    Ok(Json(Details::new(&source, fields)))
}
