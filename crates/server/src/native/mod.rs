//! The native API under `/v1`: what the compatible APIs cannot say.

use axum::Router;
use axum::routing::{get, post};

use crate::App;

mod caller;
mod event;
mod events;
mod publish;
mod rules_test;
mod trace;

/// Where events are published and the journal is listed.
pub(crate) const EVENTS: &str = "/v1/events";

/// One event by its publisher's id.
pub(crate) const EVENT: &str = "/v1/events/{id}";

/// Where rules are tried out.
pub(crate) const RULES_TEST: &str = "/v1/rules/test";

pub(crate) fn router() -> Router<App> {
    Router::new()
        .route(EVENTS, post(publish::publish).get(events::events))
        .route(EVENT, get(event::event))
        .route(RULES_TEST, post(rules_test::test))
}

#[cfg(test)]
mod rules_tests;
#[cfg(test)]
mod tests;
