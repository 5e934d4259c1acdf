//! `DELETE /v1/credentials/{id}`: revoke a credential.

use axum::http::StatusCode;
use hookyard_core::id::CredentialId;

use crate::native::call::{Call, Person};
use crate::native::paths;
use crate::problem::Problem;

/// Revoke a credential
///
/// The credential opens nothing any more, at once and for good. A credential cannot revoke itself.
#[utoipa::path(
    delete,
    path = paths::CREDENTIAL,
    tag = "credentials",
    responses(
        (status = 204, description = "It is revoked"),
        (status = 409, description = "It is the one that asks"),
    ),
)]
pub(super) async fn revoke_credential(
    call: Call<Person, CredentialId>,
) -> Result<StatusCode, Problem> {
    let Call { app, caller: workspace, target: id, .. } = call;
    app.engine.revoke_credential(workspace, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
