//! `/v1/datasets`: received rows, with batches and earlier versions.

mod append;
mod batches;
mod bulk;
mod change;
mod create;
mod delete;
mod get;
mod list;
mod restore;
mod rows;
mod shape;
mod trash;
mod update;
mod versions;

use utoipa_axum::router::OpenApiRouter;

use super::operation::operations;
use crate::App;

/// Examples of the folder's schemas, by name.
pub(super) fn samples() -> Vec<(&'static str, serde_json::Value)> {
    [shape::samples(), change::samples(), append::samples(), bulk::samples()].concat()
}

pub(super) fn router() -> OpenApiRouter<App> {
    operations![
        list::list_datasets,
        create::create_dataset,
        get::get_dataset,
        update::update_dataset,
        delete::delete_dataset,
        trash::trash_dataset,
        restore::restore_dataset,
        append::append_rows,
        bulk::change_batches,
    ]
    .merge(rows::router())
    .merge(batches::router())
    .merge(versions::router())
}
