//! `/v1/endpoints`: outbound targets, their subscriptions and their attempts.

mod attempts;
mod change;
mod create;
mod dead_letters;
mod delete;
mod get;
mod list;
mod options;
mod replays;
mod secret;
mod shape;
mod subscriptions;
mod update;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::App;

/// Examples of the schemas of this folder, by name.
pub(super) fn samples() -> Vec<(&'static str, serde_json::Value)> {
    [shape::samples(), secret::samples(), replays::samples()].concat()
}

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
        .routes(routes!(replays::list_replays, replays::start_replay))
        .routes(routes!(replays::get_replay))
        .routes(routes!(replays::pause_replay))
        .routes(routes!(replays::resume_replay))
        .routes(routes!(replays::cancel_replay))
        .routes(routes!(replays::recover))
        .routes(routes!(secret::get_secret))
        .routes(routes!(secret::rotate_secret))
        .routes(routes!(dead_letters::list_dead_letters, dead_letters::drop_dead_letters))
        .routes(routes!(dead_letters::redeliver_dead_letters))
        .routes(routes!(dead_letters::get_dead_letter, dead_letters::drop_dead_letter))
        .routes(routes!(dead_letters::redeliver_dead_letter))
}
