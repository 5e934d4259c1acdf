//! `GET /v1/endpoints`: pages of endpoints.

use axum::Json;
use axum::response::{IntoResponse, Response};
use hookyard_core::id::EndpointId;
use hookyard_engine::endpoints::PageQuery;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::shape::Endpoint;
use crate::native::call::{Call, Read, Webhooks};
use crate::native::page::{Page, PageSize};
use crate::native::{input, paths};
use crate::problem::Problem;

/// How many endpoints of a page. With all event types subscribed each has some ten kilobytes.
const PAGE: PageSize = PageSize { default: 100, max: 200 };

/// Conditions on the listed endpoints; all conditions must hold.
#[derive(Deserialize, Serialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Params {
    /// Endpoints with this text in the target.
    #[param(value_type = Option<String>, nullable = false)]
    url: Option<String>,
    /// Endpoints with this text in the name.
    #[param(value_type = Option<String>, nullable = false)]
    name: Option<String>,
    /// With true, disabled endpoints only; with false, enabled endpoints only.
    #[param(nullable = false)]
    disabled: Option<bool>,
    /// Endpoints of the customer with this id.
    #[param(value_type = Option<String>, nullable = false)]
    customer: Option<String>,
    /// Endpoints with a higher number only.
    #[param(nullable = false, minimum = 0, maximum = 2147483647)]
    after: Option<u32>,
    /// The most endpoints of the page; 100 unless said.
    #[param(nullable = false, minimum = 1, maximum = 200)]
    limit: Option<usize>,
}

/// A page of endpoints, numbers ascending.
#[derive(Serialize, ToSchema)]
pub(super) struct EndpointPage<'a> {
    endpoints: Vec<Endpoint<'a>>,
    /// The path and query of the next page; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// List endpoints
///
/// A page of the workspace's endpoints, numbers ascending.
#[utoipa::path(
    get,
    path = paths::ENDPOINTS,
    tag = "endpoints",
    responses((status = 200, description = "A page of endpoints", body = EndpointPage)),
)]
pub(super) async fn list_endpoints(
    call: Call<Read<Webhooks>, (), Params>,
) -> Result<Response, Problem> {
    let Call { app, caller: workspace, query: params, .. } = call;
    let limit = PAGE.limit(params.limit)?;
    let after = input::number_of("after", params.after)?;
    let after = after.map(EndpointId);
    let query = PageQuery {
        url: params.url.clone(),
        name: params.name.clone(),
        disabled: params.disabled,
        customer: params.customer.clone(),
        after,
        limit: limit.get(),
    };
    let page = Page::from(app.engine.endpoints_page(workspace, query).await?);
    let catalogue = app.engine.of(workspace).catalogue().await?;
    let now = app.engine.clock().now();
    let endpoints = page.entries.iter().map(|view| Endpoint::new(&catalogue, view, now)).collect();
    let next = page.next(&app.link(&paths::ENDPOINTS), |last| Params {
        after: Some(last.endpoint.id.0.unsigned_abs()),
        limit: Some(limit.get()),
        ..params
    });
    Ok(Json(EndpointPage { endpoints, next }).into_response())
}
