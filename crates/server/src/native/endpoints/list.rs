//! `GET /v1/endpoints`: pages of endpoints.

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use hookyard_core::id::EndpointId;
use hookyard_core::model::Scope;
use hookyard_engine::Error;
use hookyard_engine::endpoints::PageQuery;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::ENDPOINTS;
use super::shape::Endpoint;
use crate::App;
use crate::native::{caller, input};
use crate::problem::Problem;

/// Endpoints of a page that does not say.
const LIMIT_DEFAULT: usize = 100;

/// The most endpoints of a page. With all event types subscribed each has some ten kilobytes.
const LIMIT_MAX: usize = 200;

/// Which endpoints to list; all conditions must hold.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Params {
    /// Whose target contains this text.
    #[param(value_type = Option<String>, nullable = false)]
    url: Option<String>,
    /// Whose name contains this text.
    #[param(value_type = Option<String>, nullable = false)]
    name: Option<String>,
    /// That are disabled, or are not.
    #[param(nullable = false)]
    disabled: Option<bool>,
    /// With a higher number than this.
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
    /// The path and query of the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// List endpoints
///
/// A page of the workspace's endpoints, numbers ascending.
#[utoipa::path(
    get,
    path = ENDPOINTS,
    tag = "endpoints",
    params(Params),
    responses((status = 200, description = "A page of endpoints", body = EndpointPage)),
    security(("simple_key" = ["webhook_read"])),
)]
pub(super) async fn list_endpoints(
    State(app): State<App>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let workspace = caller::workspace(&app, &headers, Scope::WebhookRead).await?;
    let params: Params = input::query(raw.as_deref())?;
    let limit = input::limit(params.limit, LIMIT_DEFAULT, LIMIT_MAX)?;
    let after = input::number_of("after", params.after)?;
    let after = after.map(EndpointId);
    let query = PageQuery {
        url: params.url.clone(),
        name: params.name.clone(),
        disabled: params.disabled,
        after,
        limit,
    };
    let (views, more) = app.engine.endpoints_page(workspace, query).await?;
    let catalogue = app.engine.store().catalogue(workspace).await.map_err(Error::from)?;
    let last = views.last().filter(|_| more).map(|view| view.endpoint.id);
    let now = app.engine.clock().now();
    let page = EndpointPage {
        endpoints: views.iter().map(|view| Endpoint::new(&catalogue, view, now)).collect(),
        next: last.map(|last| next(&params, last, limit)),
    };
    Ok(Json(page).into_response())
}

fn next(params: &Params, last: EndpointId, limit: usize) -> String {
    let pairs = [
        ("url", params.url.clone()),
        ("name", params.name.clone()),
        ("disabled", params.disabled.map(|disabled| disabled.to_string())),
        ("after", Some(last.to_string())),
        ("limit", Some(limit.to_string())),
    ];
    input::next_page(ENDPOINTS, &pairs)
}
