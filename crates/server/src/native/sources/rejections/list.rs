//! `GET /v1/sources/{id}/rejections`: list a source's rejections.

use std::sync::Arc;

use axum::Json;
use axum::response::{IntoResponse, Response};
use hookyard_core::id::RejectionId;
use hookyard_core::model::Source as CoreSource;
use hookyard_store::Newest;
use serde::Serialize;
use utoipa::ToSchema;

use super::shape::Rejection;
use crate::native::call::{Call, Data, Read, Within};
use crate::native::page::Page;
use crate::native::paths;
use crate::native::sources::deliveries::Params;
use crate::problem::Problem;

/// A page of a log of rejections, the newest first.
#[derive(Serialize, ToSchema)]
struct RejectionPage<'a> {
    rejections: Vec<Rejection<'a>>,
    /// The path and query of the next page; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// List a source's rejections
///
/// Refused requests with the causes, newest first. In a burst the first requests are shown and further
/// requests are counted.
#[utoipa::path(
    get,
    path = paths::REJECTIONS,
    tag = "sources",
    responses((status = 200, description = "A page of rejections", body = RejectionPage)),
)]
pub(super) async fn list_rejections(
    call: Call<Within<Read<Data>>, Arc<CoreSource>, Params>,
) -> Result<Response, Problem> {
    let Call { app, target: source, query: params, .. } = call;
    let (limit, query) = params.page(RejectionId)?;
    let query = Newest { limit: limit.and_one(), ..query };
    let found = app.engine.rejections(source.spec.workspace, source.id, query).await?;
    let page = Page::cut(found, limit);
    let rejections = page.entries.iter().map(Rejection::new).collect();
    let path = app.link(&paths::REJECTIONS.of([&source.id]));
    let next = page.next(&path, |last| Params::behind(last.id.0, limit));
    Ok(Json(RejectionPage { rejections, next }).into_response())
}
