//! `GET /v1/workspace`: get the workspace.

use axum::Json;
use axum::response::{IntoResponse, Response};

use super::shape::Workspace;
use crate::native::call::{Admin, Call};
use crate::native::paths;
use crate::problem::Problem;

/// Get the workspace
///
/// Answers the credential's own workspace.
#[utoipa::path(
    get,
    path = paths::WORKSPACE,
    tag = "workspace",
    responses((status = 200, description = "The workspace", body = Workspace)),
)]
pub(super) async fn get_workspace(call: Call<Admin>) -> Result<Response, Problem> {
    let Call { app, caller: workspace, .. } = call;
    let workspace = app.engine.workspace(workspace).await?;
    Ok(Json(Workspace::from(workspace)).into_response())
}
