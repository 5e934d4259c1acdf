//! `/v1/audit`: the log of changes and their actors.

mod export;
mod list;
mod shape;

use utoipa_axum::router::OpenApiRouter;

use crate::App;
use crate::native::operation::operations;

pub use shape::audit_line;

pub(super) fn router() -> OpenApiRouter<App> {
    operations![list::list_audit, export::export_audit,]
}
