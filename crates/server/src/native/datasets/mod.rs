//! `/v1/datasets`: what was received, with its batches and earlier versions.

mod append;
mod batches;
mod bulk;
mod change;
mod list;
mod one;
mod rows;
mod shape;
mod versions;

use axum::http::HeaderMap;
use hookyard_core::id::DatasetId;
use hookyard_core::model::{Dataset, Scope};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{caller, input};
use crate::App;
use crate::problem::{Code, Problem};

/// Where datasets are listed and made.
const DATASETS: &str = "/v1/datasets";

/// Examples of the schemas of this folder, by name.
pub(super) fn samples() -> Vec<(&'static str, serde_json::Value)> {
    [shape::samples(), change::samples(), append::samples(), bulk::samples()].concat()
}

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list::list_datasets, one::create_dataset))
        .routes(routes!(one::get_dataset, one::update_dataset, one::delete_dataset))
        .routes(routes!(rows::list_rows, append::append_rows))
        .routes(routes!(batches::list_batches))
        .routes(routes!(bulk::change_batches))
        .routes(routes!(batches::get_batch, batches::delete_batch))
        .routes(routes!(batches::suspend_batch))
        .routes(routes!(batches::restore_batch))
        .routes(routes!(versions::list_versions))
        .routes(routes!(versions::get_version, versions::delete_version))
        .routes(routes!(rows::list_version_rows))
        .routes(routes!(versions::restore_version))
}

/// The dataset that a path names, for a caller who has the scope.
async fn dataset(
    app: &App,
    headers: &HeaderMap,
    scope: Scope,
    id: &str,
) -> Result<Dataset, Problem> {
    let reach = caller::reach(app, headers, scope).await?;
    let missing = || Problem::new(Code::NotFound, "no such dataset");
    let id = input::number(id).map(DatasetId).ok_or_else(missing)?;
    let dataset = app.engine.dataset(reach.workspace, id).await?;
    if reach.has(dataset.project) { Ok(dataset) } else { Err(missing()) }
}
