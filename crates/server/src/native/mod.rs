//! The native API under `/v1`: what the compatible APIs cannot say.
//!
//! A route is a function under `#[utoipa::path]`, so the description at `/v1/openapi.json` follows
//! from the code; `document` adds what all operations share.
#![expect(unused_qualifications, reason = "the macro that describes query parameters writes them")]

use axum::Router;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::{App, probes};

mod applications;
mod audit;
mod caller;
mod credentials;
mod datasets;
mod document;
mod endpoints;
mod event;
mod event_types;
mod events;
mod folders;
mod input;
mod place;
mod providers;
mod publish;
mod rules_test;
mod scope;
mod sources;
mod tables;
mod tenants;
mod trace;

pub use audit::audit_line;

/// Where events are published and the journal is listed.
const EVENTS: &str = "/v1/events";

/// All routes of the native API and the probes, with what describes them.
fn described() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(document::base())
        .routes(routes!(publish::publish_events, events::list_events))
        .routes(routes!(event::get_event))
        .merge(endpoints::router())
        .merge(event_types::router())
        .merge(sources::router())
        .merge(datasets::router())
        .merge(folders::router())
        .merge(applications::router())
        .merge(credentials::router())
        .merge(tenants::router())
        .merge(audit::router())
        .merge(providers::router())
        .merge(tables::router())
        .routes(routes!(rules_test::test_rule))
        .routes(routes!(document::get_openapi))
        .merge(probes::router())
}

pub(crate) fn router() -> Router<App> {
    described().split_for_parts().0
}

#[cfg(test)]
pub(crate) mod tests;
