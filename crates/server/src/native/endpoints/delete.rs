//! `DELETE /v1/endpoints/{id}`: remove an endpoint.

use axum::http::StatusCode;
use hookyard_core::id::EndpointId;

use crate::native::call::{Call, Webhooks, Write};
use crate::native::{input, paths};
use crate::problem::Problem;

/// Remove an endpoint
///
/// The endpoint's queue and dead letters are removed, too; the events stay in the journal. With `if-match`
/// only the named revision is removed.
#[utoipa::path(
    delete,
    path = paths::ENDPOINT,
    tag = "endpoints",
    params(("if-match" = Option<String>, Header, description = "The `etag` of the revision to remove")),
    responses(
        (status = 204, description = "It is gone"),
        (status = 412, description = "It is at another revision"),
    ),
)]
pub(super) async fn delete_endpoint(
    call: Call<Write<Webhooks>, EndpointId>,
) -> Result<StatusCode, Problem> {
    let Call { app, caller: workspace, target: id, headers, .. } = call;
    let if_revision = input::if_match(&headers)?;
    app.engine.delete_endpoint(workspace, id, if_revision).await?;
    Ok(StatusCode::NO_CONTENT)
}
