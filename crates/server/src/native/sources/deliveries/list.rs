//! `GET /v1/sources/{id}/deliveries`: list a source's deliveries.

use std::sync::Arc;

use axum::Json;
use axum::response::{IntoResponse, Response};
use hookyard_core::id::DeliveryId;
use hookyard_core::model::Source as CoreSource;
use serde::Serialize;
use utoipa::ToSchema;

use super::shape::{Delivery, Params};
use crate::native::call::{Call, Data, Read, Within};
use crate::native::page::Page;
use crate::native::paths;
use crate::problem::Problem;

/// A page of deliveries, the newest first.
#[derive(Serialize, ToSchema)]
struct DeliveryPage<'a> {
    deliveries: Vec<Delivery<'a>>,
    /// The path and query of the next page; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// List a source's deliveries
///
/// What was accepted and is kept for inspection, the newest first, without bodies.
#[utoipa::path(
    get,
    path = paths::DELIVERIES,
    tag = "sources",
    responses((status = 200, description = "A page of deliveries", body = DeliveryPage)),
)]
pub(super) async fn list_deliveries(
    call: Call<Within<Read<Data>>, Arc<CoreSource>, Params>,
) -> Result<Response, Problem> {
    let Call { app, target: source, query: params, .. } = call;
    let (limit, query) = params.page(DeliveryId)?;
    let found = app.engine.of(source.spec.workspace).deliveries(source.id, query).await?;
    let page = Page::from(found);
    let deliveries = page.entries.iter().map(Delivery::new).collect();
    let path = app.link(&paths::DELIVERIES.of([&source.id]));
    let next = page.next(&path, |last| Params::behind(last.id.0, limit));
    Ok(Json(DeliveryPage { deliveries, next }).into_response())
}
