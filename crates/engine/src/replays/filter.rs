//! The events of a replay, as a test of single events.

use std::collections::HashMap;

use hookyard_core::id::EventTypeId;
use hookyard_core::model::{Endpoint, ReplayScope};
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
/// searched fails the test: publishing would refuse the event under the rule.
pub(super) fn filter(
    endpoint: &Endpoint,
    scope: &ReplayScope,
) -> Result<Option<EventFilter>, String> {
    if let Some(rule) = &scope.rule {
        let rule = compile(rule)?;
        let wanted = move |event: &hookyard_core::model::Event| {
            rule.matches(&event.object).unwrap_or_default()
        };
        return Ok(Some(EventFilter::new(wanted)));
    }
    let mut by_type: HashMap<EventTypeId, Single> = HashMap::new();
    for event_type in &scope.event_types {
        let rule = endpoint.subscription(*event_type).and_then(|own| own.rule.as_deref());
        if let Some(rule) = rule {
            by_type.insert(*event_type, compile(rule)?);
        }
    }
    if by_type.is_empty() {
        return Ok(None);
    }
    Ok(Some(EventFilter::new(move |event| match by_type.get(&event.event_type) {
        Some(rule) => rule.matches(&event.object).unwrap_or_default(),
        None => true,
    })))
}
