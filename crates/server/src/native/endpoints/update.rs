//! `PATCH /v1/endpoints/{id}`: change an endpoint.

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use hookyard_core::model::Scope;
use hookyard_engine::endpoints::EndpointChange;

use super::change::EndpointPatch;
use super::shape::{self, Endpoint};
use crate::App;
use crate::native::caller;
use crate::native::input::{self, Nothing, PathText};
use crate::problem::Problem;

/// Change an endpoint
///
/// A JSON merge patch (RFC 7396): what is absent stays, null goes back to the default, a list is
/// replaced as a whole. With `if-match` only the named revision is changed.
#[utoipa::path(
    patch,
    path = "/v1/endpoints/{id}",
    tag = "endpoints",
    params(
        ("id" = i32, Path, description = "The endpoint's number"),
        ("if-match" = Option<String>, Header, description = "The `etag` of the revision to change"),
    ),
    request_body(content(
        (EndpointPatch = "application/merge-patch+json"),
        (EndpointPatch = "application/json"),
    )),
    responses(
        (status = 200, description = "The endpoint", body = Endpoint, headers(
            ("etag" = String, description = "Its revision"),
        )),
        (status = 409, description = "Others kept changing it"),
        (status = 412, description = "It is at another revision"),
    ),
    security(("simple_key" = ["webhook_write"])),
)]
pub(super) async fn update_endpoint(
    State(app): State<App>,
    PathText(id): PathText<String>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let workspace = caller::workspace(&app, &headers, Scope::WebhookWrite).await?;
    input::query::<Nothing>(raw.as_deref())?;
    let id = input::endpoint_id(&id)?;
    let if_revision = input::if_match(&headers)?;
    let current = app.engine.endpoint_view(workspace, id).await?;
    let kinds = [input::MERGE_PATCH, input::JSON];
    let patch: EndpointPatch = input::json(&headers, body, &kinds).await?;
    let change = patch.change(Some(&current.endpoint.settings))?;
    let change = EndpointChange { if_revision, ..change };
    let view = app.engine.update_endpoint(workspace, id, change).await?;
    shape::answer(&app, StatusCode::OK, &view).await
}
