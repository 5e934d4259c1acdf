//! `GET /v1/datasets/{id}`: get a dataset.

use axum::http::StatusCode;
use axum::response::Response;
use hookyard_core::model::Dataset as CoreDataset;

use super::shape;
use super::shape::Dataset;
use crate::native::call::{Call, Data, Read, Within};
use crate::native::paths;
use crate::problem::Problem;

/// Get a dataset
#[utoipa::path(
    get,
    path = paths::DATASET,
    tag = "datasets",
    responses(
        (status = 200, description = "The dataset", body = Dataset, headers(
            ("etag" = String, description = "Its revision"),
        )),
    ),
)]
pub(super) async fn get_dataset(
    call: Call<Within<Read<Data>>, CoreDataset>,
) -> Result<Response, Problem> {
    let Call { target: dataset, .. } = call;
    Ok(shape::answer(StatusCode::OK, &dataset))
}
