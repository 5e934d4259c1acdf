//! `GET /v1/datasets/{id}/rows`: list rows.

use axum::response::Response;
use hookyard_core::id::VersionId;
use hookyard_core::model::Dataset as CoreDataset;

use super::shape::{NUMBER_MAX, Params, RowPage, search, show};
use crate::native::call::{Call, Data, Read, Within};
use crate::native::{input, paths};
use crate::problem::Problem;

/// List rows
///
/// A page of a dataset's rows by the number of their batch, of suspended batches none.
#[utoipa::path(
    get,
    path = paths::ROWS,
    tag = "datasets",
    responses(
        (status = 200, description = "A page of rows", body = RowPage),
        (status = 404, description = "No such dataset, or the version is not kept any more"),
    ),
)]
pub(super) async fn list_rows(
    call: Call<Within<Read<Data>>, CoreDataset, Params>,
) -> Result<Response, Problem> {
    let Call { app, target: dataset, query: params, .. } = call;
    let version = input::at_most("version", params.version, NUMBER_MAX)?.map(VersionId);
    let select = params.select();
    let found = search(&app, &dataset, version, &select).await?;
    let path = app.link(&paths::ROWS.of([&dataset.id]));
    Ok(show(&found, &path, select, Some(found.version)))
}
