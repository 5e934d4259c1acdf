//! `/v1/endpoints`: outbound targets, their subscriptions and their attempts.

mod attempts;
mod change;
mod create;
mod delete;
mod get;
mod list;
mod shape;
mod subscriptions;
mod update;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::App;

pub(super) use shape::samples;

/// Where endpoints are listed and registered.
const ENDPOINTS: &str = "/v1/endpoints";

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list::list_endpoints, create::create_endpoint))
        .routes(routes!(get::get_endpoint, update::update_endpoint, delete::delete_endpoint))
        .routes(routes!(subscriptions::list_subscriptions))
        .routes(routes!(subscriptions::put_subscription, subscriptions::delete_subscription))
        .routes(routes!(attempts::list_attempts))
        .routes(routes!(attempts::get_attempt))
}
