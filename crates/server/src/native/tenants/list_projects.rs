//! `GET /v1/projects`: list projects.

use axum::Json;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::shape::Project;
use crate::native::call::{Call, Data, Read, Within};
use crate::native::paths;
use crate::problem::Problem;

/// The workspace's projects, at most 1,000.
#[derive(Serialize, ToSchema)]
struct ProjectList {
    /// Numbers ascending.
    projects: Vec<Project>,
}

/// List projects
#[utoipa::path(
    get,
    path = paths::PROJECTS,
    tag = "workspace",
    responses((status = 200, description = "The projects", body = ProjectList)),
)]
pub(super) async fn list_projects(call: Call<Within<Read<Data>>>) -> Result<Response, Problem> {
    let Call { app, caller: reach, .. } = call;
    let projects = app.engine.of(reach.workspace).projects().await?;
    let projects = projects.into_iter().filter(|project| reach.has(project.id));
    let projects = projects.map(Project::from).collect();
    Ok(Json(ProjectList { projects }).into_response())
}
