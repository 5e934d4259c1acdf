//! The native API under `/v1`: everything beyond the reach of the compatible APIs.
//!
//! An operation is a function of one `call::Call` under `#[utoipa::path]`. The types of the call name the
//! checks before the function runs: the credential and its scope, the path, the query and the body.
//! `operation` describes the operation from the same types, so the document at `/v1/openapi.json` follows
//! from the code; `document` adds the parts common to all operations.

use axum::Router;
use utoipa_axum::router::OpenApiRouter;

use crate::{App, probes};
use operation::operations;

mod applications;
mod audit;
mod call;
mod caller;
mod credentials;
mod customers;
mod datasets;
mod document;
mod endpoints;
mod event;
mod event_types;
mod events;
mod folders;
mod input;
mod operation;
mod page;
pub(crate) mod paths;
mod place;
mod providers;
mod publish;
mod rules_test;
mod scope;
mod sent;
mod sources;
mod tables;
mod target;
mod tenants;
mod trace;
mod wrong_value;

pub use audit::audit_line;

/// All routes of the native API and the probes, with their descriptions.
fn described() -> OpenApiRouter<App> {
    let own = operations![
        publish::publish_event,
        publish::publish_batch,
        events::list_events,
        event::get_event,
        rules_test::test_rule,
        document::get_openapi,
    ];
    OpenApiRouter::with_openapi(document::base())
        .merge(own)
        .merge(endpoints::router())
        .merge(customers::router())
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
        .merge(probes::router())
}

pub(crate) fn router() -> Router<App> {
    described().split_for_parts().0
}

#[cfg(test)]
pub(crate) mod tests;
