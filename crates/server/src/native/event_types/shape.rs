//! `/v1/event-types`: the workspace's catalogue.

use hookyard_core::catalogue::initial;
use hookyard_core::model::{Category as CoreCategory, EventType as CoreEventType};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

/// A group of event types that share an object and its expansions.
#[derive(Serialize, ToSchema)]
pub(super) struct Category<'a> {
    name: &'a str,
    /// The parts of the object that a subscription gets only on request: dotted paths.
    expansions: &'a [String],
    /// The category's event types, names ascending.
    event_types: Vec<EventType<'a>>,
}

/// A kind of event, for publishing and subscribing.
#[derive(Serialize, ToSchema)]
pub(super) struct EventType<'a> {
    /// The event type's name, which events carry as `type`.
    name: &'a str,
    /// The name of the event type's category.
    category: &'a str,
    /// The occurrence that the event type stands for, for people.
    description: &'a str,
    /// Whether the event type's history can be queued again.
    supports_reflow: bool,
    /// Still served, but better not used any more.
    deprecated: bool,
    /// Takes no new subscriptions.
    discontinued: bool,
}

impl<'a> EventType<'a> {
    pub(super) fn new(category: &'a str, kind: &'a CoreEventType) -> Self {
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
    pub(super) fn new(category: &'a CoreCategory) -> Self {
        let kinds = category.event_types.iter();
        Self {
            name: &category.name,
            expansions: &category.expansions,
            event_types: kinds.map(|kind| EventType::new(&category.name, kind)).collect(),
        }
    }
}

/// Examples of the file's schemas, by name, made as answers are made.
pub(in crate::native) fn samples() -> Vec<(&'static str, Value)> {
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
