//! `POST /v1/datasets`: make a dataset.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::change::NewDataset;
use super::shape;
use super::shape::Dataset;
use crate::native::call::{Call, Data, Within, Write};
use crate::native::input::Nothing;
use crate::native::sent::JsonBody;
use crate::native::{paths, place};
use crate::problem::Problem;

/// Make a dataset
///
/// The dataset has no source. Rows come from appends, such as a subscription that lands events in the
/// dataset.
#[utoipa::path(
    post,
    path = paths::DATASETS,
    tag = "datasets",
    responses(
        (status = 201, description = "The dataset", body = Dataset, headers(
            ("etag" = String, description = "Its revision"),
            ("location" = String, description = "Its path"),
        )),
    ),
)]
pub(super) async fn create_dataset(
    call: Call<Within<Write<Data>>, (), Nothing, JsonBody<NewDataset>>,
) -> Result<Response, Problem> {
    let Call { app, caller: reach, body: JsonBody(new), .. } = call;
    let project = place::project(&app, reach, new.project).await?;
    let made = app.engine.create_dataset(reach.workspace, new.draft(project)).await?;
    let location = [(header::LOCATION, app.link(&paths::DATASET.of([&made.id])))];
    Ok((location, shape::answer(StatusCode::CREATED, &made)).into_response())
}
