//! `/v1/providers`: whose schemes sources can go by.

mod get;
mod list;
mod shape;

use utoipa_axum::router::OpenApiRouter;

use crate::App;
use crate::native::operation::operations;

pub(super) fn router() -> OpenApiRouter<App> {
    operations![list::list_providers, get::get_provider,]
}
