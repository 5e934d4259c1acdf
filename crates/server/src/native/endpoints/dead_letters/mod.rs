//! `/v1/endpoints/{id}/dead-letters`: events refused by a receiver for good.

mod drop;
mod drop_all;
mod get;
mod list;
mod redeliver;
mod redeliver_all;
mod shape;

use utoipa_axum::router::OpenApiRouter;

use crate::App;
use crate::native::operation::operations;

pub(super) fn router() -> OpenApiRouter<App> {
    operations![
        list::list_dead_letters,
        get::get_dead_letter,
        redeliver_all::redeliver_dead_letters,
        drop_all::drop_dead_letters,
        redeliver::redeliver_dead_letter,
        drop::drop_dead_letter,
    ]
}
