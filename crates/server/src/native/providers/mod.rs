//! `/v1/providers`: providers with a scheme for sources.

mod get;
mod list;
mod shape;

use utoipa_axum::router::OpenApiRouter;

use crate::App;
use crate::native::operation::operations;

pub(super) fn router() -> OpenApiRouter<App> {
    operations![list::list_providers, get::get_provider,]
}
