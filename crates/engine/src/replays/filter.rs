//! The events of a replay, as a test of single events.

use std::collections::HashMap;

use hookyard_core::id::EventTypeId;
use hookyard_core::model::{Endpoint, Event, ReplayScope};
use hookyard_store::EventFilter;

use crate::rules::{self, Single};

/// Compiles a rule; the error names the problem.
pub(super) fn compile(rule: &str) -> Result<Single, String> {
    Single::new(&rules::parse(rule)?)
}

/// How large the work of [`filter()`] is, for [`Work::run`](crate::work::Work::run).
pub(super) fn weight(endpoint: &Endpoint, scope: &ReplayScope) -> usize {
    let rules = endpoint.subscriptions.iter().filter_map(|own| own.rule.as_ref());
    rules::weight(rules.chain(&scope.rule).map(String::len).sum())
}

/// The test for the events of a scope; `None` when all events pass. An event that cannot be
/// searched fails the test: publishing would refuse the event under the rule. So does an event that is not
/// for the endpoint's customer.
pub(super) fn filter(
    endpoint: &Endpoint,
    scope: &ReplayScope,
) -> Result<Option<EventFilter>, String> {
    if let Some(rule) = &scope.rule {
        let rule = compile(rule)?;
        let wanted = move |event: &Event| rule.matches(&event.object).unwrap_or_default();
        return Ok(heard(endpoint, Some(wanted)));
    }
    let mut by_type: HashMap<EventTypeId, Single> = HashMap::new();
    for event_type in &scope.event_types {
        let rule = endpoint.subscription(*event_type).and_then(|own| own.rule.as_deref());
        if let Some(rule) = rule {
            by_type.insert(*event_type, compile(rule)?);
        }
    }
    let wanted = (!by_type.is_empty()).then_some(move |event: &Event| {
        let rule = by_type.get(&event.event_type);
        rule.is_none_or(|rule| rule.matches(&event.object).unwrap_or_default())
    });
    Ok(heard(endpoint, wanted))
}

/// A test of events, for an endpoint: an endpoint of a customer gets the events for that customer and for
/// all customers alone. `None` when all events pass.
pub(crate) fn heard(
    endpoint: &Endpoint,
    wanted: Option<impl Fn(&Event) -> bool + Send + Sync + 'static>,
) -> Option<EventFilter> {
    let Some(customer) = endpoint.customer.clone() else { return wanted.map(EventFilter::new) };
    let wants = move |event: &Event| wanted.as_ref().is_none_or(|wanted| wanted(event));
    Some(EventFilter::whole(move |event| customer.hears(&event.audience()) && wants(event)))
}
