//! `/v1/sources/{id}/rejections`: what a source did not take, and why.

mod get;
mod list;
mod shape;

use utoipa_axum::router::OpenApiRouter;

use crate::App;
use crate::native::operation::operations;

pub(super) fn router() -> OpenApiRouter<App> {
    operations![list::list_rejections, get::get_rejection,]
}
