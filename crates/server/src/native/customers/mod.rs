//! `/v1/customers`: whoever of the workspace's own customers has endpoints.

mod delete;
mod get;
mod list;
mod put;
mod shape;
mod update;

use utoipa_axum::router::OpenApiRouter;

use super::operation::operations;
use crate::App;

pub(super) use shape::samples;

pub(super) fn router() -> OpenApiRouter<App> {
    operations![
        list::list_customers,
        get::get_customer,
        put::put_customer,
        update::update_customer,
        delete::delete_customer,
    ]
}
