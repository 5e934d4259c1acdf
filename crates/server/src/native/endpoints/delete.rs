//! `DELETE /v1/endpoints/{id}`: remove an endpoint.

use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use hookyard_core::model::Scope;

use crate::App;
use crate::native::caller;
use crate::native::input::{self, Nothing, PathText};
use crate::problem::Problem;

/// Remove an endpoint
///
/// Its queue and its dead letters go with it; the events stay in the journal. With `if-match` only
/// the named revision is removed.
#[utoipa::path(
    delete,
    path = "/v1/endpoints/{id}",
    tag = "endpoints",
    params(
        ("id" = i32, Path, description = "The endpoint's number"),
        ("if-match" = Option<String>, Header, description = "The `etag` of the revision to remove"),
    ),
    responses(
        (status = 204, description = "It is gone"),
        (status = 412, description = "It is at another revision"),
    ),
    security(("simple_key" = ["webhook_write"])),
)]
pub(super) async fn delete_endpoint(
    State(app): State<App>,
    PathText(id): PathText<String>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
) -> Result<StatusCode, Problem> {
    let workspace = caller::workspace(&app, &headers, Scope::WebhookWrite).await?;
    input::query::<Nothing>(raw.as_deref())?;
    let id = input::endpoint_id(&id)?;
    let if_revision = input::if_match(&headers)?;
    app.engine.delete_endpoint(workspace, id, if_revision).await?;
    Ok(StatusCode::NO_CONTENT)
}
