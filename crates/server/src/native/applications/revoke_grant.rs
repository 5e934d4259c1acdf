//! `DELETE /v1/applications/{id}/grants/{grant}`: revoke a grant.

use axum::http::StatusCode;
use hookyard_core::id::{ApplicationId, GrantId};

use crate::native::call::{Call, Person};
use crate::native::paths;
use crate::problem::Problem;

/// Revoke a grant
///
/// The grant's access and refresh tokens open nothing any more.
#[utoipa::path(
    delete,
    path = paths::GRANT,
    tag = "applications",
    responses((status = 204, description = "It is revoked")),
)]
pub(super) async fn revoke_grant(
    call: Call<Person, (ApplicationId, GrantId)>,
) -> Result<StatusCode, Problem> {
    let Call { app, caller: workspace, target: (id, grant), .. } = call;
    app.engine.revoke_grant(workspace, id, grant).await?;
    Ok(StatusCode::NO_CONTENT)
}
