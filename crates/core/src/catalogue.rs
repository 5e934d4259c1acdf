//! The event types that a new workspace starts with: 10 categories and 43 types, with the names,
//! grouping, expansions and numbers of the UltraCart event catalogue
//! (docs/spec/ultracart.md#event-catalogue), and a category of Hookyard's own, which clients of
//! that API do not see.

use std::sync::LazyLock;

use serde::Deserialize;

use crate::id::EventTypeId;
use crate::model::{Catalogue, Category, EventType};

#[derive(Deserialize)]
struct CategoryFile {
    name: String,
    expansions: Vec<String>,
    event_types: Vec<EventTypeFile>,
}

#[derive(Deserialize)]
struct EventTypeFile {
    id: EventTypeId,
    name: String,
    description: String,
    supports_reflow: bool,
}

static INITIAL: LazyLock<Catalogue> = LazyLock::new(|| {
    // The file is part of the program and a test reads the file, so parsing always succeeds.
    let categories: Vec<CategoryFile> =
        serde_json::from_str(include_str!("catalogue.json")).unwrap_or_default();
    let categories = categories.into_iter().map(category);
    Catalogue { categories: categories.chain([system()]).collect() }
});

/// The type of the event about an endpoint with repeated failures.
pub const ENDPOINT_FAILING: &str = "hookyard.endpoint.failing";

/// The type of the event about an endpoint disabled by Hookyard.
pub const ENDPOINT_DISABLED: &str = "hookyard.endpoint.disabled";

/// The events about the installation itself. Their numbers follow those of the UltraCart catalogue.
fn system() -> Category {
    let kind = |id, name: &str, description: &str| EventType {
        id: EventTypeId(id),
        name: name.to_owned(),
        description: description.to_owned(),
        supports_reflow: false,
        deprecated: false,
        discontinued: false,
    };
    let disabled = "Fired when an endpoint was disabled because of its receiver's answers";
    let failing = "Fired when deliveries to an endpoint keep failing";
    Category {
        name: "hookyard".to_owned(),
        expansions: Vec::new(),
        system: true,
        event_types: vec![
            kind(44, ENDPOINT_DISABLED, disabled),
            kind(45, ENDPOINT_FAILING, failing),
        ],
    }
}

fn category(file: CategoryFile) -> Category {
    let event_types = file.event_types.into_iter().map(|kind| EventType {
        id: kind.id,
        name: kind.name,
        description: kind.description,
        supports_reflow: kind.supports_reflow,
        deprecated: false,
        discontinued: false,
    });
    Category {
        name: file.name,
        expansions: file.expansions,
        system: false,
        event_types: event_types.collect(),
    }
}

/// The catalogue of a new workspace.
pub fn initial() -> &'static Catalogue {
    &INITIAL
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_initial_catalogue_has_43_types_in_10_categories() {
        let catalogue = initial();
        let shown = || catalogue.categories.iter().filter(|category| !category.system);
        assert_eq!(shown().count(), 10);
        assert_eq!(shown().map(|category| category.event_types.len()).sum::<usize>(), 43);
        let own: Vec<_> = catalogue
            .iter()
            .filter(|(category, _)| category.system)
            .map(|(_, k)| &k.name)
            .collect();
        assert_eq!(own, [ENDPOINT_DISABLED, ENDPOINT_FAILING]);
        let reflow: Vec<_> = catalogue
            .iter()
            .filter(|(_, kind)| kind.supports_reflow)
            .map(|(_, k)| &k.name)
            .collect();
        assert_eq!(reflow, ["item_update", "order_create"]);
        for (index, (_, kind)) in catalogue.iter().enumerate() {
            assert_eq!(kind.id.0, i32::try_from(index).unwrap() + 1, "{}", kind.name);
        }
    }

    #[test]
    fn types_are_found_by_name_and_number() {
        let (category, kind) = initial().by_name("order_create").unwrap();
        assert_eq!(category.name, "order");
        assert_eq!(initial().by_id(kind.id).unwrap().1.name, "order_create");
        assert!(initial().by_name("order_vanish").is_none());
    }
}
