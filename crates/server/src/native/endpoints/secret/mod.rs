//! `/v1/endpoints/{id}/secret`: the signing secrets of deliveries.

mod get;
mod rotate;
mod shape;

use utoipa_axum::router::OpenApiRouter;

use crate::App;
use crate::native::operation::operations;

pub(in crate::native) use shape::samples;

pub(super) fn router() -> OpenApiRouter<App> {
    operations![get::get_secret, rotate::rotate_secret,]
}
