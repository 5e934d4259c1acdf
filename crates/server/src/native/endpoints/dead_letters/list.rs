//! `GET /v1/endpoints/{id}/dead-letters`: list an endpoint's dead letters.

use axum::Json;
use axum::response::{IntoResponse, Response};
use hookyard_core::id::{EndpointId, Seq};
use hookyard_store::DeadLetterQuery;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::shape::DeadLetter;
use crate::native::call::{Call, Read, Webhooks};
use crate::native::page::{Page, PageSize};
use crate::native::{input, paths};
use crate::problem::Problem;

/// How many dead letters of a page.
const PAGE: PageSize = PageSize { default: 100, max: 100 };

/// The choice of dead letters to list.
#[derive(Deserialize, Serialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Params {
    /// Dead letters with a higher journal number only.
    #[param(nullable = false, minimum = 0, maximum = 9223372036854775807_i64)]
    after: Option<u64>,
    /// The most dead letters of the page; 100 unless said.
    #[param(nullable = false, minimum = 1, maximum = 100)]
    limit: Option<usize>,
}

/// A page of dead letters, journal numbers ascending.
#[derive(Serialize, ToSchema)]
struct DeadLetterPage<'a> {
    dead_letters: Vec<DeadLetter<'a>>,
    /// The path and query of the next page; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// List an endpoint's dead letters
#[utoipa::path(
    get,
    path = paths::DEAD_LETTERS,
    tag = "dead letters",
    responses((status = 200, description = "A page of dead letters", body = DeadLetterPage)),
)]
pub(super) async fn list_dead_letters(
    call: Call<Read<Webhooks>, EndpointId, Params>,
) -> Result<Response, Problem> {
    let Call { app, caller: workspace, target: id, query: params, .. } = call;
    let limit = PAGE.limit(params.limit)?;
    let after = input::at_most("after", params.after, i64::MAX.unsigned_abs())?.map(Seq);
    let query = DeadLetterQuery { after, limit: limit.and_one() };
    let page = Page::cut(app.engine.dead_letters(workspace, id, query).await?, limit);
    let catalogue = app.engine.of(workspace).catalogue().await?;
    let dead_letters = page.entries.iter().map(|one| DeadLetter::new(&catalogue, one)).collect();
    let next = page.next(&app.link(&paths::DEAD_LETTERS.of([&id])), |last| Params {
        after: Some(last.seq.0),
        limit: Some(limit.get()),
    });
    Ok(Json(DeadLetterPage { dead_letters, next }).into_response())
}
