//! `GET /v1/endpoints/{id}/secret`: get an endpoint's signing secrets.

use axum::response::Response;
use hookyard_core::id::EndpointId;
use hookyard_store::Seen;

use super::shape::{SigningSecrets, answer};
use crate::native::call::{Call, Webhooks, Write};
use crate::native::paths;
use crate::problem::Problem;

/// Get an endpoint's signing secrets
#[utoipa::path(
    get,
    path = paths::SIGNING_SECRET,
    tag = "endpoints",
    responses((status = 200, description = "The secrets", body = SigningSecrets)),
)]
pub(super) async fn get_secret(
    call: Call<Write<Webhooks>, EndpointId>,
) -> Result<Response, Problem> {
    let Call { app, caller: workspace, target: id, .. } = call;
    // A holder of the secret can pass for the sender, so credentials with reading scopes alone do not get
    // the secret.
    let signing = app.engine.signing(workspace, id).await?;
    app.engine.note_seen(workspace, Seen::EndpointSecret(id)).await?;
    Ok(answer(&signing))
}
