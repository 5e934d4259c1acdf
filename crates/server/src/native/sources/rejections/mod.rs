//! `/v1/sources/{id}/rejections`: requests refused by a source, and the causes.

mod get;
mod list;
mod shape;

use utoipa_axum::router::OpenApiRouter;

use crate::App;
use crate::native::operation::operations;

pub(super) fn router() -> OpenApiRouter<App> {
    operations![list::list_rejections, get::get_rejection,]
}
