//! `POST /v1/event-types`: add an event type.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use hookyard_core::model::NewEventType as CoreNewEventType;
use serde::Deserialize;
use utoipa::ToSchema;

use super::shape::EventType;
use crate::native::call::{Admin, Call};
use crate::native::input::Nothing;
use crate::native::paths;
use crate::native::sent::JsonBody;
use crate::problem::Problem;

/// The category of an event type without a named category.
const CATEGORY_DEFAULT: &str = "custom";

/// An event type to add.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewEventType {
    /// The event type's name, new in the workspace.
    #[schema(max_length = 100, pattern = "^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
    name: String,
    /// The occurrence that the event type stands for, for people.
    #[serde(default)]
    #[schema(max_length = 500)]
    description: String,
    /// The event type's category, made if missing; `custom` by default.
    #[schema(nullable = true, max_length = 100, pattern = "^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
    category: Option<String>,
    /// The expansions of a new category: dotted paths, each once.
    #[schema(nullable = true, max_items = 100)]
    expansions: Option<Vec<String>>,
    /// Whether the event type's history can be queued again; true by default.
    supports_reflow: Option<bool>,
}

/// Add an event type
///
/// From then on events of the type can be published and subscribed to.
#[utoipa::path(
    post,
    path = paths::EVENT_TYPES,
    tag = "event types",
    responses(
        (status = 201, description = "The event type", body = EventType),
        (status = 409, description = "The name is taken, or the category has other expansions"),
    ),
)]
pub(super) async fn add_event_type(
    call: Call<Admin, (), Nothing, JsonBody<NewEventType>>,
) -> Result<Response, Problem> {
    let Call { app, caller: workspace, body: JsonBody(new), .. } = call;
    let category = new.category.unwrap_or_else(|| CATEGORY_DEFAULT.to_owned());
    let new = CoreNewEventType {
        name: new.name,
        description: new.description,
        supports_reflow: new.supports_reflow.unwrap_or(true),
        category: category.clone(),
        expansions: new.expansions,
    };
    let kind = app.engine.add_event_type(workspace, new).await?;
    Ok((StatusCode::CREATED, Json(EventType::new(&category, &kind))).into_response())
}
