//! `/v1/datasets/{id}/batches`: accepted deliveries, shown, hidden and removed.

use axum::Json;
use axum::extract::{RawQuery, State as Shared};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use hookyard_core::id::BatchId;
use hookyard_core::model::{Dataset, Scope};
use hookyard_engine::Error;
use hookyard_store::{BatchChange, BatchQuery, Entity};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::rows::Order;
use super::shape::{Batch, State};
use super::{DATASETS, dataset};
use crate::App;
use crate::native::input::{self, Nothing, PathText};
use crate::problem::{Code, Problem};

/// Batches of a page that does not say.
const LIMIT_DEFAULT: usize = 100;

/// The most batches of a page.
const LIMIT_MAX: usize = 1_000;

/// Which batches to list; all conditions must hold.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Params {
    /// In this state.
    #[param(nullable = false, inline)]
    state: Option<State>,
    /// Beyond this batch, in the order of the page.
    #[param(nullable = false, minimum = 0, maximum = 9223372036854775807_i64)]
    after: Option<u64>,
    /// Oldest first, or newest first; `asc` unless said.
    #[param(nullable = false, inline)]
    order: Option<Order>,
    /// The most batches of the page; 100 unless said.
    #[param(nullable = false, minimum = 1, maximum = 1000)]
    limit: Option<usize>,
}

/// A page of batches, by number.
#[derive(Serialize, ToSchema)]
struct BatchPage {
    batches: Vec<Batch>,
    /// The path and query of the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// List batches
///
/// A page of the batches of the version that is seen, suspended ones too.
#[utoipa::path(
    get,
    path = "/v1/datasets/{id}/batches",
    tag = "datasets",
    params(("id" = i32, Path, description = "The dataset's number"), Params),
    responses((status = 200, description = "A page of batches", body = BatchPage)),
    security(("simple_key" = ["data_read"])),
)]
pub(super) async fn list_batches(
    Shared(app): Shared<App>,
    PathText(id): PathText<String>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let Dataset { id, workspace, project, .. } =
        dataset(&app, &headers, Scope::DataRead, &id).await?;
    let params: Params = input::query(raw.as_deref())?;
    let limit = input::limit(params.limit, LIMIT_DEFAULT, LIMIT_MAX)?;
    let newest_first = params.order == Some(Order::Desc);
    let query = BatchQuery {
        state: params.state.map(State::into),
        after: input::at_most("after", params.after, i64::MAX.unsigned_abs())?.map(BatchId),
        from: None,
        until: None,
        newest_first,
        offset: 0,
        // One more than the page tells whether there is another.
        limit: limit + 1,
    };
    let found = app.engine.store().batches(workspace, project, id, query).await;
    let found = found.map_err(Error::from)?;
    let shown = &found[..found.len().min(limit)];
    let next = shown.last().filter(|_| found.len() > limit).map(|last| {
        let state = params.state.map(|state| match state {
            State::Active => "active".to_owned(),
            State::Suspended => "suspended".to_owned(),
        });
        let pairs = [
            ("state", state),
            ("after", Some(last.id.to_string())),
            ("order", newest_first.then(|| "desc".to_owned())),
            ("limit", Some(limit.to_string())),
        ];
        input::next_page(&format!("{DATASETS}/{id}/batches"), &pairs)
    });
    Ok(Json(BatchPage { batches: shown.iter().map(Batch::from).collect(), next }).into_response())
}

/// Get a batch
#[utoipa::path(
    get,
    path = "/v1/datasets/{id}/batches/{batch}",
    tag = "datasets",
    params(
        ("id" = i32, Path, description = "The dataset's number"),
        ("batch" = u64, Path, description = "The batch's number"),
    ),
    responses((status = 200, description = "The batch", body = Batch)),
    security(("simple_key" = ["data_read"])),
)]
pub(super) async fn get_batch(
    Shared(app): Shared<App>,
    PathText((id, batch)): PathText<(String, String)>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let dataset = dataset(&app, &headers, Scope::DataRead, &id).await?;
    input::query::<Nothing>(raw.as_deref())?;
    show(&app, &dataset, batch_id(&batch)?).await
}

/// Suspend a batch
///
/// Its row is hidden until the batch is restored. Nothing changes if it is hidden already.
#[utoipa::path(
    post,
    path = "/v1/datasets/{id}/batches/{batch}/suspend",
    tag = "datasets",
    params(
        ("id" = i32, Path, description = "The dataset's number"),
        ("batch" = u64, Path, description = "The batch's number"),
    ),
    responses((status = 200, description = "The batch", body = Batch)),
    security(("simple_key" = ["data_write"])),
)]
pub(super) async fn suspend_batch(
    Shared(app): Shared<App>,
    PathText((id, batch)): PathText<(String, String)>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (dataset, batch) = change(&app, &headers, (&id, &batch), raw, BatchChange::Suspend).await?;
    show(&app, &dataset, batch).await
}

/// Restore a batch
///
/// Its row is seen again, at its place. Nothing changes if it is seen already.
#[utoipa::path(
    post,
    path = "/v1/datasets/{id}/batches/{batch}/restore",
    tag = "datasets",
    params(
        ("id" = i32, Path, description = "The dataset's number"),
        ("batch" = u64, Path, description = "The batch's number"),
    ),
    responses((status = 200, description = "The batch", body = Batch)),
    security(("simple_key" = ["data_write"])),
)]
pub(super) async fn restore_batch(
    Shared(app): Shared<App>,
    PathText((id, batch)): PathText<(String, String)>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (dataset, batch) = change(&app, &headers, (&id, &batch), raw, BatchChange::Restore).await?;
    show(&app, &dataset, batch).await
}

/// Remove a batch
///
/// Its row goes with it.
#[utoipa::path(
    delete,
    path = "/v1/datasets/{id}/batches/{batch}",
    tag = "datasets",
    params(
        ("id" = i32, Path, description = "The dataset's number"),
        ("batch" = u64, Path, description = "The batch's number"),
    ),
    responses((status = 204, description = "It is gone")),
    security(("simple_key" = ["data_write"])),
)]
pub(super) async fn delete_batch(
    Shared(app): Shared<App>,
    PathText((id, batch)): PathText<(String, String)>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
) -> Result<StatusCode, Problem> {
    change(&app, &headers, (&id, &batch), raw, BatchChange::Delete).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn change(
    app: &App,
    headers: &HeaderMap,
    (id, batch): (&str, &str),
    raw: Option<String>,
    change: BatchChange,
) -> Result<(Dataset, BatchId), Problem> {
    let dataset = dataset(app, headers, Scope::DataWrite, id).await?;
    input::query::<Nothing>(raw.as_deref())?;
    let batch = batch_id(batch)?;
    app.engine.change_batches(dataset.workspace, dataset.id, vec![(batch, change)]).await?;
    Ok((dataset, batch))
}

async fn show(app: &App, dataset: &Dataset, id: BatchId) -> Result<Response, Problem> {
    let Dataset { id: of, workspace, project, .. } = *dataset;
    let found = app.engine.store().batch(workspace, project, of, id).await.map_err(Error::from)?;
    let batch = found.ok_or(Error::NotFound(Entity::Batch))?;
    Ok(Json(Batch::from(&batch)).into_response())
}

fn batch_id(text: &str) -> Result<BatchId, Problem> {
    let number = input::number(text).map(BatchId);
    number.ok_or_else(|| Problem::new(Code::NotFound, "no such batch"))
}
