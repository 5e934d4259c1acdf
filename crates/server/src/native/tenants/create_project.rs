//! `POST /v1/projects`: make a project.

use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use hookyard_core::id::ProjectId;
use hookyard_engine::Error;
use serde::Deserialize;
use utoipa::ToSchema;

use super::shape::Project;
use crate::native::call::{Call, Person};
use crate::native::input::Nothing;
use crate::native::paths;
use crate::native::sent::JsonBody;
use crate::problem::Problem;

/// A new project.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewProject {
    /// The project's number, used in the paths of the Mammoth API; the next free number by default.
    #[schema(minimum = 1, maximum = 2147483647)]
    id: Option<i32>,
    /// The project's name for people.
    #[schema(min_length = 1, max_length = 100)]
    name: String,
}

/// Make a project
#[utoipa::path(
    post,
    path = paths::PROJECTS,
    tag = "workspace",
    responses(
        (status = 201, description = "The project", body = Project, headers(
            ("location" = String, description = "Its path"),
        )),
        (status = 409, description = "The number is taken, or there are as many as there may be"),
    ),
)]
pub(super) async fn create_project(
    call: Call<Person, (), Nothing, JsonBody<NewProject>>,
) -> Result<Response, Problem> {
    let Call { app, caller: workspace, body: JsonBody(NewProject { id, name }), .. } = call;
    if id.is_some_and(|id| id < 1) {
        return Err(Error::invalid("id", "must be 1 at least").into());
    }
    let project = app.engine.create_project(workspace, id.map(ProjectId), name).await?;
    let location = [(header::LOCATION, app.link(&paths::PROJECT.of([&project.id])))];
    Ok((StatusCode::CREATED, location, Json(Project::from(project))).into_response())
}
