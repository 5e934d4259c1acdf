//! `POST /v1/sources`: make a source.

use axum::Json;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hookyard_core::id::{ProjectId, WorkspaceId};
use hookyard_core::model::Scope;
use hookyard_engine::Error;
use hookyard_store::Entity;

use super::SOURCES;
use super::change::NewSource;
use super::shape::Source;
use crate::App;
use crate::native::caller;
use crate::native::input::{self, Nothing};
use crate::problem::{Code, Problem};

/// Make a source
///
/// Its dataset is made with it. Nothing is required.
#[utoipa::path(
    post,
    path = SOURCES,
    tag = "sources",
    request_body = NewSource,
    responses(
        (status = 201, description = "The source", body = Source, headers(
            ("location" = String, description = "Its path"),
        )),
    ),
    security(("simple_key" = ["data_write"])),
)]
pub(super) async fn create_source(
    State(app): State<App>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let workspace = caller::workspace(&app, &headers, Scope::DataWrite).await?;
    input::query::<Nothing>(raw.as_deref())?;
    let new: NewSource = input::json(&headers, body, &[input::JSON]).await?;
    let (project, draft) = new.draft()?;
    let project = match project {
        Some(project) => known(&app, workspace, project).await?,
        None => first(&app, workspace).await?,
    };
    let source = app.engine.create_source(workspace, project, draft).await?;
    let location = [(header::LOCATION, format!("{SOURCES}/{}", source.id))];
    Ok((StatusCode::CREATED, location, Json(Source::new(&source))).into_response())
}

async fn known(
    app: &App,
    workspace: WorkspaceId,
    project: ProjectId,
) -> Result<ProjectId, Problem> {
    if app.engine.store().has_project(workspace, project).await.map_err(Error::from)? {
        return Ok(project);
    }
    let detail = format!("the workspace has no project {project}");
    Err(Problem::of_field(Code::InvalidValue, "project", detail))
}

/// The workspace's first project.
async fn first(app: &App, workspace: WorkspaceId) -> Result<ProjectId, Problem> {
    let projects = app.engine.store().projects(workspace).await.map_err(Error::from)?;
    let first = projects.first().map(|project| project.id);
    first.ok_or_else(|| Error::NotFound(Entity::Project).into())
}
