//! `/v1/datasets/{id}/versions`: a dataset's rows before replacements.

mod delete;
mod get;
mod list;
mod restore;
mod shape;

use utoipa_axum::router::OpenApiRouter;

use crate::App;
use crate::native::operation::operations;

pub(super) fn router() -> OpenApiRouter<App> {
    operations![
        list::list_versions,
        get::get_version,
        restore::restore_version,
        delete::delete_version,
    ]
}
