//! `/v1/endpoints`: outbound targets with subscriptions and attempts.

mod attempts;
mod change;
mod create;
mod dead_letters;
mod delete;
mod get;
mod kind;
mod list;
mod options;
mod replays;
mod secret;
mod shape;
mod subscriptions;
mod update;

use utoipa_axum::router::OpenApiRouter;

use super::operation::operations;
use crate::App;

/// Examples of the folder's schemas, by name.
pub(super) fn samples() -> Vec<(&'static str, serde_json::Value)> {
    [shape::samples(), secret::samples(), replays::samples()].concat()
}

pub(super) fn router() -> OpenApiRouter<App> {
    operations![
        list::list_endpoints,
        create::create_endpoint,
        get::get_endpoint,
        update::update_endpoint,
        delete::delete_endpoint,
    ]
    .merge(subscriptions::router())
    .merge(attempts::router())
    .merge(replays::router())
    .merge(secret::router())
    .merge(dead_letters::router())
}
