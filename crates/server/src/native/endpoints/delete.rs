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
/// Its queue goes with it; the events stay in the journal.
#[utoipa::path(
    delete,
    path = "/v1/endpoints/{id}",
    tag = "endpoints",
    params(("id" = i32, Path, description = "The endpoint's number")),
    responses((status = 204, description = "It is gone")),
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
    app.engine.delete_endpoint(workspace, input::endpoint_id(&id)?).await?;
    Ok(StatusCode::NO_CONTENT)
}
