//! `GET /v1/datasets`: pages of datasets.

use axum::Json;
use axum::response::{IntoResponse, Response};
use hookyard_core::id::{DatasetId, FolderId, ProjectId};
use hookyard_store::DatasetQuery;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::shape::Dataset;
use crate::native::call::{Call, Data, Read, Within};
use crate::native::page::{Page, PageSize};
use crate::native::{input, paths};
use crate::problem::Problem;

/// How many datasets of a page: a quarter of a megabyte.
const PAGE: PageSize = PageSize { default: 100, max: 500 };

/// Conditions on the listed datasets; all conditions must hold.
#[derive(Deserialize, Serialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Params {
    /// Datasets of this project only; of all projects by default.
    #[param(nullable = false, minimum = 0, maximum = 2147483647)]
    project: Option<u32>,
    /// Datasets directly in the folder with this number; 0 for datasets at the top of a project.
    #[param(nullable = false, minimum = 0, maximum = 2147483647)]
    folder: Option<u32>,
    /// Datasets with this text in the name, in any case of ASCII letters.
    #[param(nullable = false)]
    name: Option<String>,
    /// Datasets in the trash; without this, or with false, datasets outside of the trash.
    #[param(nullable = false)]
    trashed: Option<bool>,
    /// Datasets with a higher number only.
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
    /// The path and query of the next page; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// List datasets
///
/// A page of the workspace's datasets, numbers ascending.
#[utoipa::path(
    get,
    path = paths::DATASETS,
    tag = "datasets",
    responses((status = 200, description = "A page of datasets", body = DatasetPage)),
)]
pub(super) async fn list_datasets(
    call: Call<Within<Read<Data>>, (), Params>,
) -> Result<Response, Problem> {
    let Call { app, caller: reach, query: params, .. } = call;
    let limit = PAGE.limit(params.limit)?;
    let folder = input::number_of("folder", params.folder)?;
    let project = input::number_of("project", params.project)?.map(ProjectId);
    let query = DatasetQuery {
        project: reach.narrow(project)?,
        folder: folder.map(|folder| (folder > 0).then_some(FolderId(folder))),
        name: params.name.clone(),
        trashed: params.trashed.unwrap_or_default(),
        after: input::number_of("after", params.after)?.map(DatasetId),
        limit: limit.and_one(),
    };
    let found = app.engine.of(reach.workspace).find_datasets(query).await?;
    let page = Page::cut(found, limit);
    let datasets = page.entries.iter().map(Dataset::new).collect();
    let next = page.next(&app.link(&paths::DATASETS), |last| Params {
        after: Some(last.id.0.unsigned_abs()),
        limit: Some(limit.get()),
        ..params
    });
    Ok(Json(DatasetPage { datasets, next }).into_response())
}
