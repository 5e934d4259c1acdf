//! `/v1/event-types`: the workspace's catalogue.

mod add;
mod list;
mod shape;

use utoipa_axum::router::OpenApiRouter;

use crate::App;
use crate::native::operation::operations;

pub(in crate::native) use shape::samples;

pub(super) fn router() -> OpenApiRouter<App> {
    operations![list::list_event_types, add::add_event_type,]
}
