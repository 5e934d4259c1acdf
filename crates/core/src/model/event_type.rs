use crate::id::EventTypeId;

/// A name in the catalogue, such as `order_create`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventType {
    /// The type's number within the workspace; stable.
    pub id: EventTypeId,
    /// The name; unique in the workspace.
    pub name: String,
    /// The occurrence, for people.
    pub description: String,
    /// Whether the type's history can be queued again.
    pub supports_reflow: bool,
    /// Still served, but better not used any more.
    pub deprecated: bool,
    /// Refuses new subscriptions.
    pub discontinued: bool,
}

/// A group of event types with a common payload object and common expansions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Category {
    /// The category's name; unique in the workspace.
    pub name: String,
    /// The optional parts of the object, as dotted paths: a subscription gets such a part only on request.
    /// Everything outside these paths is always sent.
    pub expansions: Vec<String>,
    /// Whether the category's events are Hookyard's own: nobody else publishes such events, and clients of
    /// the UltraCart API see the category only where subscribed.
    pub system: bool,
    /// The event types, names ascending.
    pub event_types: Vec<EventType>,
}

/// A new event type for a workspace's catalogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEventType {
    /// The name; unique in the workspace.
    pub name: String,
    /// The occurrence, for people.
    pub description: String,
    /// Whether the type's history can be queued again.
    pub supports_reflow: bool,
    /// The category's name; a missing category is made.
    pub category: String,
    /// The expansions of a new category. For an existing category: the category's own expansions, or `None`.
    pub expansions: Option<Vec<String>>,
}

/// All categories of a workspace, in catalogue order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Catalogue {
    /// The categories.
    pub categories: Vec<Category>,
}

impl Catalogue {
    /// Every event type with its category, in catalogue order.
    pub fn iter(&self) -> impl Iterator<Item = (&Category, &EventType)> {
        self.categories
            .iter()
            .flat_map(|category| category.event_types.iter().map(move |kind| (category, kind)))
    }

    /// The event type with the given name.
    pub fn by_name(&self, name: &str) -> Option<(&Category, &EventType)> {
        self.iter().find(|(_, kind)| kind.name == name)
    }

    /// The event type with the given number.
    pub fn by_id(&self, id: EventTypeId) -> Option<(&Category, &EventType)> {
        self.iter().find(|(_, kind)| kind.id == id)
    }
}
