//! `POST /v1/endpoints`: register an endpoint.

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hookyard_core::model::Scope;

use super::ENDPOINTS;
use super::change::NewEndpoint;
use super::shape::{self, Endpoint};
use crate::App;
use crate::native::caller;
use crate::native::input::{self, Nothing};
use crate::problem::Problem;

/// Register an endpoint
///
/// The target is judged now and again whenever it is connected to. With basic authentication a
/// password must be given: secrets are never shown.
#[utoipa::path(
    post,
    path = ENDPOINTS,
    tag = "endpoints",
    request_body = NewEndpoint,
    responses(
        (status = 201, description = "The endpoint", body = Endpoint, headers(
            ("etag" = String, description = "Its revision"),
            ("location" = String, description = "Its path"),
        )),
    ),
    security(("simple_key" = ["webhook_write"])),
)]
pub(super) async fn create_endpoint(
    State(app): State<App>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let workspace = caller::workspace(&app, &headers, Scope::WebhookWrite).await?;
    input::query::<Nothing>(raw.as_deref())?;
    let NewEndpoint(new) = input::json(&headers, body, &[input::JSON]).await?;
    let view = app.engine.create_endpoint(workspace, new.change(None)?).await?;
    let location = [(header::LOCATION, format!("{ENDPOINTS}/{}", view.endpoint.id))];
    Ok((location, shape::answer(&app, StatusCode::CREATED, &view).await?).into_response())
}
