//! `GET /v1/projects/{id}`: get a project.

use axum::Json;
use axum::response::{IntoResponse, Response};
use hookyard_core::model::Project as CoreProject;

use super::shape::Project;
use crate::native::call::{Call, Data, Read, Within};
use crate::native::paths;
use crate::problem::Problem;

/// Get a project
#[utoipa::path(
    get,
    path = paths::PROJECT,
    tag = "workspace",
    responses((status = 200, description = "The project", body = Project)),
)]
pub(super) async fn get_project(
    call: Call<Within<Read<Data>>, CoreProject>,
) -> Result<Response, Problem> {
    let Call { target: project, .. } = call;
    Ok(Json(Project::from(project)).into_response())
}
