//! `GET /v1/datasets/{id}/batches`: list batches.

use axum::Json;
use axum::response::{IntoResponse, Response};
use hookyard_core::id::BatchId;
use hookyard_core::model::Dataset as CoreDataset;
use hookyard_store::BatchQuery;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::native::call::{Call, Data, Read, Within};
use crate::native::datasets::rows::Order;
use crate::native::datasets::shape::{Batch, State};
use crate::native::page::{Page, PageSize};
use crate::native::{input, paths};
use crate::problem::Problem;

/// How many batches of a page.
const PAGE: PageSize = PageSize { default: 100, max: 1_000 };

/// Conditions on the listed batches; all conditions must hold.
#[derive(Deserialize, Serialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Params {
    /// Batches in this state only.
    #[param(nullable = false, inline)]
    state: Option<State>,
    /// Batches beyond this batch only, in the order of the page.
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
    /// The path and query of the next page; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// List batches
///
/// A page of the batches of the visible version, suspended batches included.
#[utoipa::path(
    get,
    path = paths::BATCHES,
    tag = "datasets",
    responses((status = 200, description = "A page of batches", body = BatchPage)),
)]
pub(super) async fn list_batches(
    call: Call<Within<Read<Data>>, CoreDataset, Params>,
) -> Result<Response, Problem> {
    let Call { app, target: CoreDataset { id, workspace, project, .. }, query: params, .. } = call;
    let limit = PAGE.limit(params.limit)?;
    let newest_first = params.order == Some(Order::Desc);
    let query = BatchQuery {
        state: params.state.map(State::into),
        after: input::at_most("after", params.after, i64::MAX.unsigned_abs())?.map(BatchId),
        from: None,
        until: None,
        newest_first,
        offset: 0,
        limit: limit.and_one(),
    };
    let found = app.engine.of(workspace).batches(project, id, query).await?;
    let page = Page::cut(found, limit);
    let batches = page.entries.iter().map(Batch::from).collect();
    let next = page.next(&app.link(&paths::BATCHES.of([&id])), |last| Params {
        after: Some(last.id.0),
        order: newest_first.then_some(Order::Desc),
        limit: Some(limit.get()),
        ..params
    });
    Ok(Json(BatchPage { batches, next }).into_response())
}
