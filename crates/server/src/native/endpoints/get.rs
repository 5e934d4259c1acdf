//! `GET /v1/endpoints/{id}`: one endpoint.

use axum::http::StatusCode;
use axum::response::Response;
use hookyard_engine::endpoints::EndpointView;

use super::shape;
use super::shape::Endpoint;
use crate::native::call::{Call, Read, Webhooks};
use crate::native::paths;
use crate::problem::Problem;

/// Get an endpoint
///
/// The endpoint with its subscriptions and the standing of its queue.
#[utoipa::path(
    get,
    path = paths::ENDPOINT,
    tag = "endpoints",
    responses(
        (status = 200, description = "The endpoint", body = Endpoint, headers(
            ("etag" = String, description = "Its revision"),
        )),
    ),
)]
pub(super) async fn get_endpoint(
    call: Call<Read<Webhooks>, EndpointView>,
) -> Result<Response, Problem> {
    let Call { app, target: view, .. } = call;
    shape::answer(&app, StatusCode::OK, &view).await
}
