//! Adding event types to a workspace's catalogue.

use hookyard_core::expansion;
use hookyard_core::id::WorkspaceId;
use hookyard_core::model::{EventType, NewEventType};
use hookyard_core::readable::{UNREADABLE, is_readable};

use crate::quotas::Counted;
use crate::{Engine, Error};

/// The longest name of an event type or a category, in characters: names are part of URLs and log
/// lines.
pub const NAME_CHARS_MAX: usize = 100;

/// The longest description, in characters: a sentence or two.
pub const DESCRIPTION_CHARS_MAX: usize = 500;

/// The most expansions of a category: the largest of the initial catalogue has 31, and each
/// expansion costs a look at every sent object.
pub const EXPANSIONS_MAX: usize = 100;

/// The longest path of an expansion, in characters.
pub const EXPANSION_CHARS_MAX: usize = 200;

/// The most event types of a workspace. All event types are in memory and in every listing.
const EVENT_TYPES_MAX: usize = 5_000;

/// The category of Hookyard's own event types, and the start of the types' names.
const RESERVED: &str = "hookyard";

impl Engine {
    /// Adds an event type to the workspace's catalogue, and the type's category if missing.
    /// [`Error::Invalid`] names the unusable value; [`Error::Conflict`] means a taken name or a
    /// category with other expansions.
    pub async fn add_event_type(
        &self,
        workspace: WorkspaceId,
        new: NewEventType,
    ) -> Result<EventType, Error> {
        check(&new)?;
        let catalogue = self.store.catalogue(workspace).await?;
        if catalogue.iter().count() >= EVENT_TYPES_MAX {
            let message = format!("the workspace has {EVENT_TYPES_MAX} event types, which is all");
            return Err(Error::Conflict(message));
        }
        self.may_add(workspace, &[Counted::EventTypes]).await?;
        let kind = self.store.add_event_type(workspace, new).await?;
        self.matchers.rebuild(&self.store, workspace).await?;
        Ok(kind)
    }
}

fn check(new: &NewEventType) -> Result<(), Error> {
    check_name("name", &new.name)?;
    check_name("category", &new.category)?;
    let length = new.description.chars().count();
    if length > DESCRIPTION_CHARS_MAX {
        let message = format!("must have at most {DESCRIPTION_CHARS_MAX} characters, not {length}");
        return Err(Error::invalid("description", message));
    }
    if !is_readable(&new.description) {
        return Err(Error::invalid("description", UNREADABLE));
    }
    let expansions = new.expansions.as_deref().unwrap_or_default();
    if expansions.len() > EXPANSIONS_MAX {
        let message = format!("must be at most {EXPANSIONS_MAX}, not {}", expansions.len());
        return Err(Error::invalid("expansions", message));
    }
    for (index, path) in expansions.iter().enumerate() {
        let field = format!("expansions[{index}]");
        check_path(path).map_err(|message| Error::invalid(field.clone(), message))?;
        if expansions[..index].contains(path) {
            return Err(Error::invalid(field, "is there twice"));
        }
    }
    Ok(())
}

/// A name goes into URLs, rules and comma lists unchanged.
fn check_name(field: &str, name: &str) -> Result<(), Error> {
    let usual = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let starts_well = name.starts_with(|c: char| c.is_ascii_alphanumeric());
    if !starts_well || !name.chars().all(usual) || name.len() > NAME_CHARS_MAX {
        let message = format!(
            "must be 1 to {NAME_CHARS_MAX} ASCII letters, digits, `_`, `-` or `.`, a letter or \
             digit first"
        );
        return Err(Error::invalid(field, message));
    }
    if name.split('.').next() == Some(RESERVED) {
        let message = format!("`{RESERVED}` and names beginning with `{RESERVED}.` are taken");
        return Err(Error::invalid(field, message));
    }
    Ok(())
}

/// A dotted path for a subscription's comma list.
fn check_path(path: &str) -> Result<(), String> {
    let usual = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let named = path.split('.').all(|part| !part.is_empty());
    let is_one = expansion::paths(path).eq([path]);
    if !named || !is_one || !path.chars().all(usual) || path.len() > EXPANSION_CHARS_MAX {
        return Err(format!(
            "must be a dotted path of 1 to {EXPANSION_CHARS_MAX} ASCII letters, digits, `_` and \
             `-`, such as `billing.address`"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new(name: &str) -> NewEventType {
        NewEventType {
            name: name.to_owned(),
            description: String::new(),
            supports_reflow: true,
            category: "parcel".to_owned(),
            expansions: None,
        }
    }

    fn field(new: &NewEventType) -> Option<String> {
        match check(new) {
            Err(Error::Invalid { field, .. }) => Some(field),
            _ => None,
        }
    }

    #[test]
    fn names_fit_into_a_url() {
        for name in ["parcel_lost", "com.example.order-created", "7", &"x".repeat(100)] {
            assert_eq!(field(&new(name)), None, "{name}");
        }
        for name in
            ["", "_x", ".x", "a b", "a/b", "a,b", "é", "hookyard.x", "hookyard", &"x".repeat(101)]
        {
            assert_eq!(field(&new(name)).as_deref(), Some("name"), "{name}");
        }
        let odd = NewEventType { category: "a b".to_owned(), ..new("x") };
        assert_eq!(field(&odd).as_deref(), Some("category"));
        let long = NewEventType { description: "é".repeat(501), ..new("x") };
        assert_eq!(field(&long).as_deref(), Some("description"));
        for hidden in ["a\u{202e}b", "a\nb", "\u{200b}"] {
            let odd = NewEventType { description: hidden.to_owned(), ..new("x") };
            assert_eq!(field(&odd).as_deref(), Some("description"), "{hidden:?}");
        }
    }

    #[test]
    fn expansions_are_paths_each_once() {
        let with = |paths: &[&str]| {
            let expansions = paths.iter().map(|&path| path.to_owned()).collect();
            field(&NewEventType { expansions: Some(expansions), ..new("x") })
        };
        assert_eq!(with(&["route", "route.stops", "a-b_c"]), None);
        for wrong in ["", "a,b", "a..b", ".a", "a.", "a[b]", " a", &"x".repeat(201)] {
            assert_eq!(with(&["ok", wrong]).as_deref(), Some("expansions[1]"), "{wrong}");
        }
        assert_eq!(with(&["a", "b", "a"]).as_deref(), Some("expansions[2]"));
        let many: Vec<_> = (0..101).map(|n| format!("x{n}")).collect();
        let many: Vec<_> = many.iter().map(String::as_str).collect();
        assert_eq!(with(&many).as_deref(), Some("expansions"));
    }
}
