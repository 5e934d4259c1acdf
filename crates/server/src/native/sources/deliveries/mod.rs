//! `/v1/sources/{id}/deliveries`: received requests, for inspection.

mod get;
mod list;
mod shape;

use utoipa_axum::router::OpenApiRouter;

use crate::App;
use crate::native::operation::operations;

pub(super) use shape::{DeliveryHeader, Params};

pub(super) fn router() -> OpenApiRouter<App> {
    operations![list::list_deliveries, get::get_delivery,]
}
