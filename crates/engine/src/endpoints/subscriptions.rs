use std::collections::BTreeMap;

use hookyard_core::model::{Catalogue, Subscription};

use super::page::subscription_bytes;
use super::patch::{FieldNames, Patch};
use super::rule::check_rule;
use crate::Error;

/// A subscription of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestedSubscription {
    /// The place of the subscription in the caller's input; empty when the input is a single
    /// subscription.
    pub path: String,
    /// The name of the event type.
    pub event_type: String,
    /// Whether the subscription is wanted; `false` names an unwanted subscription.
    pub active: bool,
    /// The parts to send beyond the base object.
    pub expansion: Patch<String>,
    /// A note for people.
    pub comments: Patch<String>,
    /// The rule for events.
    pub rule: Patch<String>,
}

/// The longest expansion, in bytes. All of UltraCart's published expansions of an event together
/// are under two kilobytes; with arguments for each there is still room.
const EXPANSION_BYTES_MAX: usize = 16 << 10;

/// The longest note of a subscription, in characters: as long as an endpoint's.
const COMMENTS_CHARS_MAX: usize = 2_000;

/// The most bytes of all of an endpoint's subscriptions: the bytes that a request of the UltraCart
/// API can send, and that an endpoint can add to a list or to the matcher. An endpoint with more
/// bytes may go down, or keep its subscriptions.
const SUBSCRIPTIONS_BYTES_MAX: usize = 1 << 20;

/// The subscriptions from a caller's complete set. Values missing in an entry for an active
/// subscription stay unchanged; of two entries for the same event type the later counts.
pub(super) fn resolve(
    names: &FieldNames,
    requested: Vec<RequestedSubscription>,
    current: &[Subscription],
    catalogue: &Catalogue,
) -> Result<Vec<Subscription>, Error> {
    let mut wanted = BTreeMap::new();
    let last = requested.last().map(|entry| entry.path.clone()).unwrap_or_default();
    for entry in requested {
        let at = |name: &str| match entry.path.as_str() {
            "" => name.to_owned(),
            path => format!("{path}.{name}"),
        };
        let Some((_, kind)) = catalogue.by_name(&entry.event_type) else {
            let message = format!("there is no event called '{}'", entry.event_type);
            return Err(Error::UnknownEventType { field: at(names.event_type), message });
        };
        if let Patch::Set(rule) = &entry.rule {
            check_rule(rule).map_err(|reason| Error::invalid(at(names.rule), reason))?;
        }
        if let Patch::Set(expansion) = &entry.expansion
            && expansion.len() > EXPANSION_BYTES_MAX
        {
            let bytes = expansion.len();
            let message = format!("must have at most {EXPANSION_BYTES_MAX} bytes, not {bytes}");
            return Err(Error::invalid(at("expansion"), message));
        }
        if let Patch::Set(comments) = &entry.comments
            && comments.chars().count() > COMMENTS_CHARS_MAX
        {
            let message = format!("must have at most {COMMENTS_CHARS_MAX} characters");
            return Err(Error::invalid(at("comments"), message));
        }
        if !entry.active {
            wanted.remove(&kind.id);
            continue;
        }
        let old = current.iter().find(|old| old.active && old.event_type == kind.id);
        if kind.discontinued && old.is_none() {
            let message = format!("'{}' is discontinued: it takes no new subscriptions", kind.name);
            return Err(Error::invalid(at(names.event_type), message));
        }
        let subscription = Subscription {
            event_type: kind.id,
            active: true,
            expansion: entry.expansion.or_clear().apply(old.and_then(|old| old.expansion.clone())),
            comments: entry.comments.or_clear().apply(old.and_then(|old| old.comments.clone())),
            rule: entry.rule.or_clear().apply(old.and_then(|old| old.rule.clone())),
        };
        wanted.insert(kind.id, subscription);
    }
    let wanted: Vec<_> = wanted.into_values().collect();
    check_bytes(&wanted, current).map_err(|message| {
        let field =
            if last.is_empty() { names.rule.to_owned() } else { format!("{last}.{}", names.rule) };
        Error::invalid(field, message)
    })?;
    Ok(wanted)
}

fn check_bytes(wanted: &[Subscription], current: &[Subscription]) -> Result<(), String> {
    let bytes = |all: &[Subscription]| all.iter().map(subscription_bytes).sum::<usize>();
    let after = bytes(wanted);
    if after > SUBSCRIPTIONS_BYTES_MAX && after > bytes(current) {
        return Err(format!(
            "all subscriptions of the endpoint have {after} bytes then, and may have \
             {SUBSCRIPTIONS_BYTES_MAX}: shorten rules, or divide them among several endpoints"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::EndpointChange;
    use super::super::change::Draft;
    use super::super::test_names::{NAMES, subscribe};
    use super::*;
    use hookyard_core::catalogue::initial;
    use hookyard_core::entropy::SystemEntropy;
    use hookyard_core::model::EndpointSettings;

    fn draft() -> Draft {
        let settings = EndpointSettings::to_url("https://x.test/h");
        Draft { settings, subscriptions: Vec::new() }
    }

    fn none() -> EndpointChange {
        EndpointChange::none(&NAMES)
    }

    fn apply(draft: Draft, change: EndpointChange) -> Result<Draft, Error> {
        draft.changed(change, initial(), &SystemEntropy)
    }

    fn field(result: Result<Draft, Error>) -> String {
        match result {
            Err(Error::Invalid { field, .. } | Error::UnknownEventType { field, .. }) => field,
            other => panic!("expected an invalid field, got {other:?}"),
        }
    }

    #[test]
    fn a_given_set_is_complete_and_an_absent_one_leaves() {
        let both = EndpointChange {
            subscriptions: Some(vec![subscribe("order_create"), subscribe("item_update")]),
            ..none()
        };
        let both = apply(draft(), both).unwrap();
        assert_eq!(both.subscriptions.len(), 2);
        assert_eq!(apply(both.clone(), none()).unwrap(), both);
        let one = EndpointChange { subscriptions: Some(vec![subscribe("item_update")]), ..none() };
        let one = apply(both, one).unwrap();
        assert_eq!(one.subscriptions.len(), 1);
        assert!(one.is_items_only(initial()));
    }

    #[test]
    fn an_entry_keeps_what_it_does_not_say() {
        let with = |expansion| {
            let entry = RequestedSubscription { expansion, ..subscribe("order_create") };
            EndpointChange { subscriptions: Some(vec![entry]), ..none() }
        };
        let expanded = apply(draft(), with(Patch::Set("item,summary".to_owned()))).unwrap();
        let kept = apply(expanded.clone(), with(Patch::Keep)).unwrap();
        assert_eq!(kept.subscriptions[0].expansion.as_deref(), Some("item,summary"));
        let cleared = apply(expanded, with(Patch::Clear)).unwrap();
        assert_eq!(cleared.subscriptions[0].expansion, None);
    }

    #[test]
    fn unknown_names_and_rules_are_refused_with_their_path() {
        let with = |entry| EndpointChange { subscriptions: Some(vec![entry]), ..none() };
        assert_eq!(
            field(apply(draft(), with(subscribe("order_vanish")))),
            "event_categories[0].events[0].event_name"
        );
        let rule = |text: &str| {
            let rule = Patch::Set(text.to_owned());
            with(RequestedSubscription { rule, ..subscribe("order_create") })
        };
        assert_eq!(field(apply(draft(), rule("{}"))), "event_categories[0].events[0].event_ruler");
        assert_eq!(apply(draft(), rule("")).unwrap().subscriptions[0].rule, None);
    }

    #[test]
    fn texts_of_a_subscription_are_bounded() {
        let with = |entry| EndpointChange { subscriptions: Some(vec![entry]), ..none() };
        let expanded = |bytes: usize| {
            let expansion = Patch::Set("e".repeat(bytes));
            with(RequestedSubscription { expansion, ..subscribe("order_create") })
        };
        assert!(apply(draft(), expanded(EXPANSION_BYTES_MAX)).is_ok());
        let at = "event_categories[0].events[0]";
        assert_eq!(field(apply(draft(), expanded(1 << 20))), format!("{at}.expansion"));
        let comments = Patch::Set("c".repeat(COMMENTS_CHARS_MAX + 1));
        let noted = with(RequestedSubscription { comments, ..subscribe("order_create") });
        assert_eq!(field(apply(draft(), noted)), format!("{at}.comments"));
    }

    #[test]
    fn an_endpoint_has_a_bound_for_all_its_subscriptions() {
        let rule =
            |letter: &str| Patch::Set(format!(r#"{{"a":["{}"]}}"#, letter.repeat(100 << 10)));
        let names: Vec<_> = initial().iter().map(|(_, kind)| kind.name.clone()).take(11).collect();
        let of = |count: usize| {
            let one = |name: &String| RequestedSubscription { rule: rule("x"), ..subscribe(name) };
            let subscriptions = Some(names[..count].iter().map(one).collect());
            EndpointChange { subscriptions, ..none() }
        };
        let ten = apply(draft(), of(10)).unwrap();
        assert_eq!(field(apply(ten, of(11))), "event_categories[0].events[0].event_ruler");
        let one = |name: &String| Subscription {
            event_type: initial().by_name(name).unwrap().1.id,
            active: true,
            expansion: None,
            comments: None,
            rule: Some("x".repeat(200 << 10)),
        };
        let over = Draft { subscriptions: names.iter().map(one).collect(), ..draft() };
        let fewer = apply(over, of(10)).unwrap();
        assert_eq!(fewer.subscriptions.len(), 10, "what has too much may have less");
    }

    #[test]
    fn a_discontinued_type_takes_no_new_subscriptions_and_keeps_the_old() {
        let mut catalogue = initial().clone();
        let with =
            || EndpointChange { subscriptions: Some(vec![subscribe("order_create")]), ..none() };
        let old = draft().changed(with(), &catalogue, &SystemEntropy).unwrap();
        for category in &mut catalogue.categories {
            category.event_types.iter_mut().for_each(|kind| kind.discontinued = true);
        }
        assert!(draft().changed(with(), &catalogue, &SystemEntropy).is_err());
        assert_eq!(old.clone().changed(with(), &catalogue, &SystemEntropy).unwrap(), old);
    }
}
