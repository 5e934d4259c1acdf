use axum::Json;
use hookyard_core::model::Scope;
use serde_json::{Value, json};

use super::super::call::Call;
use super::super::error::ApiError;

/// Views in a list when the caller names no limit, and at most.
const LIMIT_DEFAULT: usize = 100;
const LIMIT_MAX: usize = 1_000;

/// The views of a dataset: always none (docs/reference/mammoth.md). Clients ask before they delete.
pub(in super::super) async fn dataviews(call: Call) -> Result<Json<Value>, ApiError> {
    let place = call.place(Scope::DataRead).await?;
    let id = call.dataset()?;
    let mut query = call.query();
    let page = query.page(LIMIT_DEFAULT, LIMIT_MAX);
    call.checked(query)?;
    let found = call.app.engine.of(place.workspace).dataset(place.project, id).await?;
    found.ok_or_else(ApiError::not_found)?;
    Ok(Json(json!({"dataviews": [], "limit": page.limit, "offset": page.offset, "next": ""})))
}
