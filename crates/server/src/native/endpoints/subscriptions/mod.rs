//! `/v1/endpoints/{id}/subscriptions`: an endpoint's subscriptions, one event type at a time.

mod delete;
mod list;
mod put;

use utoipa_axum::router::OpenApiRouter;

use crate::App;
use crate::native::operation::operations;

pub(super) fn router() -> OpenApiRouter<App> {
    operations![list::list_subscriptions, put::put_subscription, delete::delete_subscription,]
}
