//! `/v1/event-types`: the workspace's catalogue.

use axum::Json;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use hookyard_core::catalogue::initial;
use hookyard_core::model::{
    Category as CoreCategory, EventType as CoreEventType, NewEventType as CoreNewEventType, Scope,
};
use hookyard_engine::Error;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::caller;
use super::input::{self, Nothing};
use crate::App;
use crate::problem::Problem;

/// Where event types are listed and added.
const EVENT_TYPES: &str = "/v1/event-types";

/// The category of an event type that names none.
const CATEGORY_DEFAULT: &str = "custom";

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list_event_types, add_event_type))
}

/// The workspace's event types.
#[derive(Serialize, ToSchema)]
struct EventTypeList<'a> {
    categories: Vec<Category<'a>>,
}

/// A group of event types that share an object and its expansions.
#[derive(Serialize, ToSchema)]
struct Category<'a> {
    name: &'a str,
    /// The parts of the object that a subscription gets only when it asks: dotted paths.
    expansions: &'a [String],
    /// Its event types, names ascending.
    event_types: Vec<EventType<'a>>,
}

/// A kind of event that can be published and subscribed to.
#[derive(Serialize, ToSchema)]
struct EventType<'a> {
    /// Its name, which events carry as `type`.
    name: &'a str,
    /// The name of its category.
    category: &'a str,
    /// What happened, for people.
    description: &'a str,
    /// Whether its history can be queued again.
    supports_reflow: bool,
    /// Still served, but better not used any more.
    deprecated: bool,
    /// Takes no new subscriptions.
    discontinued: bool,
}

/// An event type to add.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewEventType {
    /// Its name, new in the workspace.
    #[schema(max_length = 100, pattern = "^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
    name: String,
    /// What happened, for people.
    #[serde(default)]
    #[schema(max_length = 500)]
    description: String,
    /// Its category, which is made when there is none so called; `custom` unless said.
    #[schema(nullable = true, max_length = 100, pattern = "^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
    category: Option<String>,
    /// The expansions of a category that is made: dotted paths, each once.
    #[schema(nullable = true, max_items = 100)]
    expansions: Option<Vec<String>>,
    /// Whether its history can be queued again; true unless said.
    supports_reflow: Option<bool>,
}

impl<'a> EventType<'a> {
    fn new(category: &'a str, kind: &'a CoreEventType) -> Self {
        Self {
            name: &kind.name,
            category,
            description: &kind.description,
            supports_reflow: kind.supports_reflow,
            deprecated: kind.deprecated,
            discontinued: kind.discontinued,
        }
    }
}

impl<'a> Category<'a> {
    fn new(category: &'a CoreCategory) -> Self {
        let kinds = category.event_types.iter();
        Self {
            name: &category.name,
            expansions: &category.expansions,
            event_types: kinds.map(|kind| EventType::new(&category.name, kind)).collect(),
        }
    }
}

/// List event types
///
/// The workspace's whole catalogue, by category.
#[utoipa::path(
    get,
    path = EVENT_TYPES,
    tag = "event types",
    responses((status = 200, description = "The catalogue", body = EventTypeList)),
    security(("simple_key" = ["webhook_read"])),
)]
async fn list_event_types(
    State(app): State<App>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let workspace = caller::workspace(&app, &headers, Scope::WebhookRead).await?;
    input::query::<Nothing>(raw.as_deref())?;
    let catalogue = app.engine.store().catalogue(workspace).await.map_err(Error::from)?;
    let categories = catalogue.categories.iter().map(Category::new).collect();
    Ok(Json(EventTypeList { categories }).into_response())
}

/// Add an event type
///
/// From then on events of the type can be published and subscribed to.
#[utoipa::path(
    post,
    path = EVENT_TYPES,
    tag = "event types",
    request_body = NewEventType,
    responses(
        (status = 201, description = "The event type", body = EventType),
        (status = 409, description = "The name is taken, or the category has other expansions"),
    ),
    security(("simple_key" = ["admin"])),
)]
async fn add_event_type(
    State(app): State<App>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let workspace = caller::workspace(&app, &headers, Scope::Admin).await?;
    input::query::<Nothing>(raw.as_deref())?;
    let new: NewEventType = input::json(&headers, body, &[input::JSON]).await?;
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

/// Examples of the schemas of this file, by name, made as answers are made.
pub(super) fn samples() -> Vec<(&'static str, Value)> {
    let Some((category, kind)) = initial().by_name("item_update") else { return Vec::new() };
    let new = json!({
        "name": "parcel_lost",
        "description": "Fired when a parcel is lost",
        "category": "parcel",
        "expansions": ["route", "route.stops"],
    });
    vec![
        ("NewEventType", new),
        ("EventType", json!(EventType::new(&category.name, kind))),
        ("Category", json!(Category::new(category))),
    ]
}
