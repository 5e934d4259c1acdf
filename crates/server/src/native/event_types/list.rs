//! `GET /v1/event-types`: list event types.

use axum::Json;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::shape::Category;
use crate::native::call::{Call, Read, Webhooks};
use crate::native::paths;
use crate::problem::Problem;

/// The workspace's event types.
#[derive(Serialize, ToSchema)]
struct EventTypeList<'a> {
    categories: Vec<Category<'a>>,
}

/// List event types
///
/// The workspace's whole catalogue, by category.
#[utoipa::path(
    get,
    path = paths::EVENT_TYPES,
    tag = "event types",
    responses((status = 200, description = "The catalogue", body = EventTypeList)),
)]
pub(super) async fn list_event_types(call: Call<Read<Webhooks>>) -> Result<Response, Problem> {
    let Call { app, caller: workspace, .. } = call;
    let catalogue = app.engine.of(workspace).catalogue().await?;
    let categories = catalogue.categories.iter().map(Category::new).collect();
    Ok(Json(EventTypeList { categories }).into_response())
}
