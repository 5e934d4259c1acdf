//! `/v1/datasets/{id}/batches`: accepted deliveries, shown, hidden and removed.

mod delete;
mod get;
mod list;
mod restore;
mod shape;
mod suspend;

use utoipa_axum::router::OpenApiRouter;

use crate::App;
use crate::native::operation::operations;

pub(super) fn router() -> OpenApiRouter<App> {
    operations![
        list::list_batches,
        get::get_batch,
        suspend::suspend_batch,
        restore::restore_batch,
        delete::delete_batch,
    ]
}
