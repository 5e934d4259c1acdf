//! `POST /v1/datasets` and `/v1/datasets/{id}`: make, show, change and remove a dataset.

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hookyard_core::model::Scope;
use hookyard_engine::Error;

use super::change::{DatasetPatch, NewDataset};
use super::shape::{self, Dataset};
use super::{DATASETS, dataset};
use crate::App;
use crate::native::input::{self, Nothing, PathText};
use crate::native::{caller, place};
use crate::problem::Problem;

/// Make a dataset
///
/// One without a source: what is appended to it comes from elsewhere, such as a subscription that
/// lands events in it.
#[utoipa::path(
    post,
    path = DATASETS,
    tag = "datasets",
    request_body = NewDataset,
    responses(
        (status = 201, description = "The dataset", body = Dataset, headers(
            ("etag" = String, description = "Its revision"),
            ("location" = String, description = "Its path"),
        )),
    ),
    security(("simple_key" = ["data_write"])),
)]
pub(super) async fn create_dataset(
    State(app): State<App>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let reach = caller::reach(&app, &headers, Scope::DataWrite).await?;
    input::query::<Nothing>(raw.as_deref())?;
    let new: NewDataset = input::json(&headers, body, &[input::JSON]).await?;
    let project = place::project(&app, reach, new.project).await?;
    let made = app.engine.create_dataset(reach.workspace, new.draft(project)).await?;
    let location = [(header::LOCATION, format!("{DATASETS}/{}", made.id))];
    Ok((location, shape::answer(StatusCode::CREATED, &made)).into_response())
}

/// Get a dataset
#[utoipa::path(
    get,
    path = "/v1/datasets/{id}",
    tag = "datasets",
    params(("id" = i32, Path, description = "The dataset's number")),
    responses(
        (status = 200, description = "The dataset", body = Dataset, headers(
            ("etag" = String, description = "Its revision"),
        )),
    ),
    security(("simple_key" = ["data_read"])),
)]
pub(super) async fn get_dataset(
    State(app): State<App>,
    PathText(id): PathText<String>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let dataset = dataset(&app, &headers, Scope::DataRead, &id).await?;
    input::query::<Nothing>(raw.as_deref())?;
    Ok(shape::answer(StatusCode::OK, &dataset))
}

/// Change a dataset
///
/// A JSON merge patch (RFC 7396): what is absent stays, null goes back to the default. With `if-match`
/// only the named revision is changed. Its rows stay as they are.
#[utoipa::path(
    patch,
    path = "/v1/datasets/{id}",
    tag = "datasets",
    params(
        ("id" = i32, Path, description = "The dataset's number"),
        ("if-match" = Option<String>, Header, description = "The `etag` of the revision to change"),
    ),
    request_body(content(
        (DatasetPatch = "application/merge-patch+json"),
        (DatasetPatch = "application/json"),
    )),
    responses(
        (status = 200, description = "The dataset", body = Dataset, headers(
            ("etag" = String, description = "Its revision"),
        )),
        (status = 409, description = "Others changed it meanwhile"),
        (status = 412, description = "It is at another revision"),
    ),
    security(("simple_key" = ["data_write"])),
)]
pub(super) async fn update_dataset(
    State(app): State<App>,
    PathText(id): PathText<String>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let dataset = dataset(&app, &headers, Scope::DataWrite, &id).await?;
    input::query::<Nothing>(raw.as_deref())?;
    let if_revision = input::if_match(&headers)?;
    let kinds = [input::MERGE_PATCH, input::JSON];
    let patch: DatasetPatch = input::json(&headers, body, &kinds).await?;
    let change = patch.change(if_revision, dataset.keep)?;
    let changed = app.engine.update_dataset(dataset.workspace, dataset.id, change).await?;
    Ok(shape::answer(StatusCode::OK, &changed))
}

/// Remove a dataset
///
/// Its rows, its versions and its source go with it.
#[utoipa::path(
    delete,
    path = "/v1/datasets/{id}",
    tag = "datasets",
    params(("id" = i32, Path, description = "The dataset's number")),
    responses((status = 204, description = "It is gone")),
    security(("simple_key" = ["data_write"])),
)]
pub(super) async fn delete_dataset(
    State(app): State<App>,
    PathText(id): PathText<String>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
) -> Result<StatusCode, Problem> {
    let dataset = dataset(&app, &headers, Scope::DataWrite, &id).await?;
    input::query::<Nothing>(raw.as_deref())?;
    let deleted = app.engine.delete_dataset(dataset.workspace, dataset.project, dataset.id).await;
    match deleted {
        // Somebody else was faster: it is gone all the same.
        Ok(()) | Err(Error::NotFound(_)) => Ok(StatusCode::NO_CONTENT),
        Err(error) => Err(error.into()),
    }
}
