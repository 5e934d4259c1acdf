//! `GET /v1/datasets/{id}/rows`: rows by cursor, time and conditions on JSON.

mod list;
mod of_version;
mod shape;

use utoipa_axum::router::OpenApiRouter;

use crate::App;
use crate::native::operation::operations;

pub(super) use shape::Order;

pub(super) fn router() -> OpenApiRouter<App> {
    operations![list::list_rows, of_version::list_version_rows,]
}
