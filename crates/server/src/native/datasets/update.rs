//! `PATCH /v1/datasets/{id}`: change a dataset.

use axum::http::StatusCode;
use axum::response::Response;
use hookyard_core::model::Dataset as CoreDataset;

use super::change::DatasetPatch;
use super::shape;
use super::shape::Dataset;
use crate::native::call::{Call, Data, Within, Write};
use crate::native::input::Nothing;
use crate::native::sent::PatchBody;
use crate::native::{input, paths};
use crate::problem::Problem;

/// Change a dataset
///
/// A JSON merge patch (RFC 7396): absent members stay, null restores the default. With `if-match` only the
/// named revision is changed. The dataset's rows stay.
#[utoipa::path(
    patch,
    path = paths::DATASET,
    tag = "datasets",
    params(("if-match" = Option<String>, Header, description = "The `etag` of the revision to change")),
    responses(
        (status = 200, description = "The dataset", body = Dataset, headers(
            ("etag" = String, description = "Its revision"),
        )),
        (status = 409, description = "Others changed it meanwhile"),
        (status = 412, description = "It is at another revision"),
    ),
)]
pub(super) async fn update_dataset(
    call: Call<Within<Write<Data>>, CoreDataset, Nothing, PatchBody<DatasetPatch>>,
) -> Result<Response, Problem> {
    let Call { app, target: dataset, headers, body: PatchBody(patch), .. } = call;
    let if_revision = input::if_match(&headers)?;
    let change = patch.change(if_revision, dataset.keep)?;
    let changed = app.engine.update_dataset(dataset.workspace, dataset.id, change).await?;
    Ok(shape::answer(StatusCode::OK, &changed))
}
