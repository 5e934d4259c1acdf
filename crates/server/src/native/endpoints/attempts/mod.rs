//! `/v1/endpoints/{id}/attempts`: the delivery log.

mod get;
mod list;
mod shape;

use utoipa_axum::router::OpenApiRouter;

use crate::App;
use crate::native::operation::operations;

pub(super) use shape::Attempt;

pub(super) fn router() -> OpenApiRouter<App> {
    operations![list::list_attempts, get::get_attempt,]
}
