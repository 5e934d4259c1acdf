//! `GET /v1/datasets`: pages of datasets.

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use hookyard_core::id::{DatasetId, FolderId, ProjectId};
use hookyard_core::model::Scope;
use hookyard_engine::Error;
use hookyard_store::DatasetQuery;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::DATASETS;
use super::shape::Dataset;
use crate::App;
use crate::native::{caller, input};
use crate::problem::Problem;

/// Datasets of a page that does not say.
const LIMIT_DEFAULT: usize = 100;

/// The most datasets of a page: a quarter of a megabyte.
const LIMIT_MAX: usize = 500;

/// Which datasets to list; all conditions must hold.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Params {
    /// Of this project only; of all unless said.
    #[param(nullable = false, minimum = 0, maximum = 2147483647)]
    project: Option<u32>,
    /// In the folder with this number itself; 0 for those at the top of their project.
    #[param(nullable = false, minimum = 0, maximum = 2147483647)]
    folder: Option<u32>,
    /// Whose name contains this text, in any case of ASCII letters.
    #[param(nullable = false)]
    name: Option<String>,
    /// With a higher number than this.
    #[param(nullable = false, minimum = 0, maximum = 2147483647)]
    after: Option<u32>,
    /// The most datasets of the page; 100 unless said.
    #[param(nullable = false, minimum = 1, maximum = 500)]
    limit: Option<usize>,
}

/// A page of datasets, numbers ascending.
#[derive(Serialize, ToSchema)]
struct DatasetPage<'a> {
    datasets: Vec<Dataset<'a>>,
    /// The path and query of the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// List datasets
///
/// A page of the workspace's datasets, numbers ascending.
#[utoipa::path(
    get,
    path = DATASETS,
    tag = "datasets",
    params(Params),
    responses((status = 200, description = "A page of datasets", body = DatasetPage)),
    security(("simple_key" = ["data_read"])),
)]
pub(super) async fn list_datasets(
    State(app): State<App>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let reach = caller::reach(&app, &headers, Scope::DataRead).await?;
    let params: Params = input::query(raw.as_deref())?;
    let limit = input::limit(params.limit, LIMIT_DEFAULT, LIMIT_MAX)?;
    let folder = input::number_of("folder", params.folder)?;
    let project = input::number_of("project", params.project)?.map(ProjectId);
    let query = DatasetQuery {
        project: reach.narrow(project)?,
        folder: folder.map(|folder| (folder > 0).then_some(FolderId(folder))),
        name: params.name.clone(),
        after: input::number_of("after", params.after)?.map(DatasetId),
        // One more than the page tells whether there is another.
        limit: limit + 1,
    };
    let found = app.engine.store().find_datasets(reach.workspace, query).await;
    let found = found.map_err(Error::from)?;
    let shown = &found[..found.len().min(limit)];
    let next = shown.last().filter(|_| found.len() > limit);
    let next = next.map(|last| next_page(&params, last.id, limit));
    let datasets = shown.iter().map(Dataset::new).collect();
    Ok(Json(DatasetPage { datasets, next }).into_response())
}

fn next_page(params: &Params, last: DatasetId, limit: usize) -> String {
    let pairs = [
        ("project", params.project.map(|project| project.to_string())),
        ("folder", params.folder.map(|folder| folder.to_string())),
        ("name", params.name.clone()),
        ("after", Some(last.to_string())),
        ("limit", Some(limit.to_string())),
    ];
    input::next_page(DATASETS, &pairs)
}
