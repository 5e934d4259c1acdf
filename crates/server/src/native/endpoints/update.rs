//! `PATCH /v1/endpoints/{id}`: change an endpoint.

use axum::http::StatusCode;
use axum::response::Response;
use hookyard_engine::endpoints::{EndpointChange, EndpointView};

use super::change::EndpointPatch;
use super::shape;
use super::shape::Endpoint;
use crate::native::call::{Call, Webhooks, Write};
use crate::native::input::Nothing;
use crate::native::sent::PatchBody;
use crate::native::{input, paths};
use crate::problem::Problem;

/// Change an endpoint
///
/// A JSON merge patch (RFC 7396): what is absent stays, null goes back to the default, a list is
/// replaced as a whole. With `if-match` only the named revision is changed.
#[utoipa::path(
    patch,
    path = paths::ENDPOINT,
    tag = "endpoints",
    params(("if-match" = Option<String>, Header, description = "The `etag` of the revision to change")),
    responses(
        (status = 200, description = "The endpoint", body = Endpoint, headers(
            ("etag" = String, description = "Its revision"),
        )),
        (status = 409, description = "Others kept changing it"),
        (status = 412, description = "It is at another revision"),
    ),
)]
pub(super) async fn update_endpoint(
    call: Call<Write<Webhooks>, EndpointView, Nothing, PatchBody<EndpointPatch>>,
) -> Result<Response, Problem> {
    let Call { app, caller: workspace, target: current, headers, body: PatchBody(patch), .. } =
        call;
    let if_revision = input::if_match(&headers)?;
    let id = current.endpoint.id;
    let change = patch.change(Some(&current.endpoint.settings))?;
    let change = EndpointChange { if_revision, ..change };
    let view = app.engine.update_endpoint(workspace, id, change).await?;
    shape::answer(&app, StatusCode::OK, &view).await
}
