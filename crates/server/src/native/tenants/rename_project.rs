//! `PATCH /v1/projects/{id}`: rename a project.

use axum::Json;
use axum::response::{IntoResponse, Response};
use hookyard_core::model::Project as CoreProject;

use super::shape::{Project, Rename};
use crate::native::call::{Call, Person};
use crate::native::input::Nothing;
use crate::native::paths;
use crate::native::sent::PatchBody;
use crate::problem::Problem;

/// Rename a project
#[utoipa::path(
    patch,
    path = paths::PROJECT,
    tag = "workspace",
    responses((status = 200, description = "The project", body = Project)),
)]
pub(super) async fn rename_project(
    call: Call<Person, CoreProject, Nothing, PatchBody<Rename>>,
) -> Result<Response, Problem> {
    let Call {
        app,
        caller: workspace,
        target: CoreProject { id, .. },
        body: PatchBody(Rename { name }),
        ..
    } = call;
    let project = app.engine.rename_project(workspace, id, name).await?;
    Ok(Json(Project::from(project)).into_response())
}
