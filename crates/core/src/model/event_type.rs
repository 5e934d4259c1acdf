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

/// The most edits between a name and the name that was perhaps meant.
const EDITS_MAX: usize = 3;

/// The most names that are compared with a name. Each comparison takes some microseconds of the request's
/// thread.
const COMPARED_MAX: usize = 1_000;

/// A name outside of a workspace's catalogue.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the workspace has no event type `{name}`{}", meant(.nearest.as_deref()))]
pub struct UnknownEventType {
    /// The name.
    pub name: String,
    /// The nearest name of the catalogue, if a typing error may be between the two.
    pub nearest: Option<String>,
}

fn meant(nearest: Option<&str>) -> String {
    nearest.map_or(String::new(), |nearest| format!("; the nearest is `{nearest}`"))
}

impl UnknownEventType {
    /// A name outside of a catalogue with these names.
    pub fn new<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Self {
        let similar = known.filter(|known| known.len().abs_diff(name.len()) <= EDITS_MAX);
        let measured =
            similar.take(COMPARED_MAX).map(|known| (strsim::levenshtein(known, name), known));
        let nearest = measured.min().filter(|(edits, _)| *edits <= EDITS_MAX.min(name.len() / 2));
        Self { name: name.to_owned(), nearest: nearest.map(|(_, known)| known.to_owned()) }
    }
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

    /// The event type with the given name; the error names the nearest name.
    pub fn find(&self, name: &str) -> Result<(&Category, &EventType), UnknownEventType> {
        let names = || self.iter().map(|(_, kind)| kind.name.as_str());
        self.by_name(name).ok_or_else(|| UnknownEventType::new(name, names()))
    }

    /// The event type with the given number.
    pub fn by_id(&self, id: EventTypeId) -> Option<(&Category, &EventType)> {
        self.iter().find(|(_, kind)| kind.id == id)
    }
}

#[cfg(test)]
mod tests {
    use super::UnknownEventType;

    #[test]
    fn a_typing_error_is_told_from_another_name() {
        let said = |name: &str| {
            let known = ["invoice.paid", "invoice.overdue", "parcel.lost", "x"];
            UnknownEventType::new(name, known.into_iter()).to_string()
        };
        let expected =
            "the workspace has no event type `invoice.payed`; the nearest is `invoice.paid`";
        assert_eq!(said("invoice.payed"), expected);
        assert!(said("Parcel.lots").ends_with("`parcel.lost`"));
        for far in ["invoice", "y", "", "customer.made"] {
            assert_eq!(said(far), format!("the workspace has no event type `{far}`"));
        }
    }
}
