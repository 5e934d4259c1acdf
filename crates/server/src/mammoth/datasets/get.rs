use axum::Json;
use hookyard_core::model::Scope;
use serde_json::{Value, json};

use super::super::call::Call;
use super::super::error::ApiError;
use super::super::fields::Fields;
use super::super::folders::Tree;
use super::shape;

/// Reads one dataset.
pub(in super::super) async fn get(call: Call) -> Result<Json<Value>, ApiError> {
    let place = call.place(Scope::DataRead).await?;
    let id = call.dataset()?;
    let mut query = call.query();
    let fields = Fields::parse(query.text("fields").as_deref());
    call.checked(query)?;
    let reads = call.app.engine.of(place.workspace);
    let found = reads.dataset(place.project, id).await?;
    let dataset = found.ok_or_else(ApiError::not_found)?;
    let tree = Tree::read(&reads, place.project).await?;
    Ok(Json(json!({"dataset": fields.keep(shape::dataset(&dataset, &tree))})))
}
