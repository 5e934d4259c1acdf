//! `/v1/folders`: where people look for datasets.

mod create;
mod delete;
mod get;
mod list;
mod shape;
mod trash;
mod update;

use utoipa_axum::router::OpenApiRouter;

use crate::App;
use crate::native::operation::operations;

pub(in crate::native) use shape::samples;

pub(super) fn router() -> OpenApiRouter<App> {
    operations![
        list::list_folders,
        create::create_folder,
        get::get_folder,
        update::update_folder,
        delete::delete_folder,
        trash::trash_folder,
    ]
}
