//! `GET /v1/endpoints/{id}`: one endpoint.

use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use hookyard_core::model::Scope;

use super::shape::{self, Endpoint};
use crate::App;
use crate::native::caller;
use crate::native::input::{self, Nothing, PathText};
use crate::problem::Problem;

/// Get an endpoint
///
/// The endpoint with its subscriptions and where its queue stands.
#[utoipa::path(
    get,
    path = "/v1/endpoints/{id}",
    tag = "endpoints",
    params(("id" = i32, Path, description = "The endpoint's number")),
    responses(
        (status = 200, description = "The endpoint", body = Endpoint, headers(
            ("etag" = String, description = "Its revision"),
        )),
    ),
    security(("simple_key" = ["webhook_read"])),
)]
pub(super) async fn get_endpoint(
    State(app): State<App>,
    PathText(id): PathText<String>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let workspace = caller::workspace(&app, &headers, Scope::WebhookRead).await?;
    input::query::<Nothing>(raw.as_deref())?;
    let view = app.engine.endpoint_view(workspace, input::endpoint_id(&id)?).await?;
    shape::answer(&app, StatusCode::OK, &view).await
}
