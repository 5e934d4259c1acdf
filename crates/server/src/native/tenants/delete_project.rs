//! `DELETE /v1/projects/{id}`: remove a project.

use axum::http::StatusCode;
use hookyard_core::id::ProjectId;

use crate::native::call::{Call, Person};
use crate::native::paths;
use crate::problem::Problem;

/// Remove a project
///
/// Only an empty project can be removed, and never the workspace's last project. Nothing is deleted along
/// with the project.
#[utoipa::path(
    delete,
    path = paths::PROJECT,
    tag = "workspace",
    responses(
        (status = 204, description = "It is gone"),
        (status = 409, description = "It is not empty, or it is the only one"),
    ),
)]
pub(super) async fn delete_project(call: Call<Person, ProjectId>) -> Result<StatusCode, Problem> {
    let Call { app, caller: workspace, target: id, .. } = call;
    app.engine.delete_project(workspace, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
