//! `/v1/workspace` and `/v1/projects`: the tenant, and its parts.

use axum::Json;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hookyard_core::id::ProjectId;
use hookyard_core::model::{Project as CoreProject, Scope, Workspace as CoreWorkspace};
use hookyard_engine::Error;
use hookyard_engine::quotas::Standing;
use hookyard_store::Entity;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::caller;
use super::input::{self, Nothing, PathText};
use crate::App;
use crate::problem::Problem;

/// The caller's workspace.
const WORKSPACE: &str = "/v1/workspace";

/// Where projects are listed and made.
const PROJECTS: &str = "/v1/projects";

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(get_workspace, rename_workspace))
        .routes(routes!(get_quotas))
        .routes(routes!(list_projects, create_project))
        .routes(routes!(get_project, rename_project, delete_project))
}

/// The tenant.
#[derive(Serialize, ToSchema)]
struct Workspace {
    /// Its number, Mammoth's workspace id.
    id: i32,
    /// Its merchant code, UltraCart's merchant id.
    merchant: String,
    /// Its name for people.
    name: String,
}

/// How much of something the workspace may have, and has.
#[derive(Serialize, ToSchema)]
#[schema(as = Quota)]
struct QuotaBody {
    /// How much it may have or, by the hour, take; absent for any amount.
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<u64>,
    /// How much it has; by the hour what came lately to this server, absent while there is no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    used: Option<u64>,
}

/// What the workspace may have and take. Whoever runs the installation sets it.
#[derive(Serialize, ToSchema)]
struct Quotas {
    /// Endpoints.
    endpoints: QuotaBody,
    /// Event types.
    event_types: QuotaBody,
    /// Sources.
    sources: QuotaBody,
    /// Datasets, those of sources among them.
    datasets: QuotaBody,
    /// Events that are published, deliveries that are received and rows that are added, in an hour.
    events_hour: QuotaBody,
    /// Bytes of their bodies, in an hour.
    bytes_hour: QuotaBody,
    /// Bytes of the rows of its datasets, earlier versions included.
    stored_bytes: QuotaBody,
}

impl From<Standing> for Quotas {
    fn from(standing: Standing) -> Self {
        let Standing { quotas, usage, events_hour, bytes_hour } = standing;
        let body = |limit, used| QuotaBody { limit, used };
        Self {
            endpoints: body(quotas.endpoints, Some(usage.endpoints)),
            event_types: body(quotas.event_types, Some(usage.event_types)),
            sources: body(quotas.sources, Some(usage.sources)),
            datasets: body(quotas.datasets, Some(usage.datasets)),
            events_hour: body(quotas.events_hour, events_hour),
            bytes_hour: body(quotas.bytes_hour, bytes_hour),
            stored_bytes: body(quotas.stored_bytes, Some(usage.stored_bytes)),
        }
    }
}

/// A part of the workspace that groups sources and datasets.
#[derive(Serialize, ToSchema)]
struct Project {
    /// Its number within the workspace.
    id: i32,
    /// Its name for people.
    name: String,
}

/// The workspace's projects, at most 1,000.
#[derive(Serialize, ToSchema)]
struct ProjectList {
    /// Numbers ascending.
    projects: Vec<Project>,
}

/// A new project.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewProject {
    /// Its number, which stands in the paths of the Mammoth API; the next one unless said.
    #[schema(minimum = 1, maximum = 2147483647)]
    id: Option<i32>,
    /// Its name for people.
    #[schema(min_length = 1, max_length = 100)]
    name: String,
}

/// Another name.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Rename {
    /// The name for people.
    #[schema(min_length = 1, max_length = 100)]
    name: String,
}

impl From<CoreWorkspace> for Workspace {
    fn from(workspace: CoreWorkspace) -> Self {
        let CoreWorkspace { id, merchant, name } = workspace;
        Self { id: id.0, merchant, name }
    }
}

impl From<CoreProject> for Project {
    fn from(project: CoreProject) -> Self {
        let CoreProject { id, name } = project;
        Self { id: id.0, name }
    }
}

/// Get the workspace
///
/// The one that the credential opens.
#[utoipa::path(
    get,
    path = WORKSPACE,
    tag = "workspace",
    responses((status = 200, description = "The workspace", body = Workspace)),
    security(("simple_key" = ["admin"])),
)]
async fn get_workspace(
    State(app): State<App>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let workspace = caller::workspace(&app, &headers, Scope::Admin).await?;
    input::query::<Nothing>(raw.as_deref())?;
    let workspace = app.engine.workspace(workspace).await?;
    Ok(Json(Workspace::from(workspace)).into_response())
}

/// Get the workspace's quotas
///
/// What it may have and take, and how much of that is used.
#[utoipa::path(
    get,
    path = "/v1/workspace/quotas",
    tag = "workspace",
    responses((status = 200, description = "The quotas", body = Quotas)),
    security(("simple_key" = ["admin"])),
)]
async fn get_quotas(
    State(app): State<App>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let workspace = caller::workspace(&app, &headers, Scope::Admin).await?;
    input::query::<Nothing>(raw.as_deref())?;
    let standing = app.engine.quota_standing(workspace).await?;
    Ok(Json(Quotas::from(standing)).into_response())
}

/// Rename the workspace
///
/// Its number and its merchant code stay.
#[utoipa::path(
    patch,
    path = WORKSPACE,
    tag = "workspace",
    request_body(content((Rename = "application/merge-patch+json"), (Rename = "application/json"))),
    responses((status = 200, description = "The workspace", body = Workspace)),
    security(("simple_key" = ["admin"])),
)]
async fn rename_workspace(
    State(app): State<App>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let workspace = caller::person(&app, &headers).await?;
    input::query::<Nothing>(raw.as_deref())?;
    let kinds = [input::MERGE_PATCH, input::JSON];
    let Rename { name } = input::json(&headers, body, &kinds).await?;
    let workspace = app.engine.rename_workspace(workspace, name).await?;
    Ok(Json(Workspace::from(workspace)).into_response())
}

/// List projects
#[utoipa::path(
    get,
    path = PROJECTS,
    tag = "workspace",
    responses((status = 200, description = "The projects", body = ProjectList)),
    security(("simple_key" = ["data_read"])),
)]
async fn list_projects(
    State(app): State<App>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let reach = caller::reach(&app, &headers, Scope::DataRead).await?;
    input::query::<Nothing>(raw.as_deref())?;
    let projects = app.engine.store().projects(reach.workspace).await.map_err(Error::from)?;
    let projects = projects.into_iter().filter(|project| reach.has(project.id));
    let projects = projects.map(Project::from).collect();
    Ok(Json(ProjectList { projects }).into_response())
}

/// Make a project
#[utoipa::path(
    post,
    path = PROJECTS,
    tag = "workspace",
    request_body = NewProject,
    responses(
        (status = 201, description = "The project", body = Project, headers(
            ("location" = String, description = "Its path"),
        )),
        (status = 409, description = "The number is taken, or there are as many as there may be"),
    ),
    security(("simple_key" = ["admin"])),
)]
async fn create_project(
    State(app): State<App>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let workspace = caller::person(&app, &headers).await?;
    input::query::<Nothing>(raw.as_deref())?;
    let NewProject { id, name } = input::json(&headers, body, &[input::JSON]).await?;
    if id.is_some_and(|id| id < 1) {
        return Err(Error::invalid("id", "must be 1 at least").into());
    }
    let project = app.engine.create_project(workspace, id.map(ProjectId), name).await?;
    let location = [(header::LOCATION, format!("{PROJECTS}/{}", project.id))];
    Ok((StatusCode::CREATED, location, Json(Project::from(project))).into_response())
}

/// Get a project
#[utoipa::path(
    get,
    path = "/v1/projects/{id}",
    tag = "workspace",
    params(("id" = i32, Path, description = "The project's number")),
    responses((status = 200, description = "The project", body = Project)),
    security(("simple_key" = ["data_read"])),
)]
async fn get_project(
    State(app): State<App>,
    PathText(id): PathText<String>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let reach = caller::reach(&app, &headers, Scope::DataRead).await?;
    input::query::<Nothing>(raw.as_deref())?;
    let id = input::project_id(&id)?;
    if !reach.has(id) {
        return Err(Error::NotFound(Entity::Project).into());
    }
    let project = app.engine.project(reach.workspace, id).await?;
    Ok(Json(Project::from(project)).into_response())
}

/// Rename a project
#[utoipa::path(
    patch,
    path = "/v1/projects/{id}",
    tag = "workspace",
    params(("id" = i32, Path, description = "The project's number")),
    request_body(content((Rename = "application/merge-patch+json"), (Rename = "application/json"))),
    responses((status = 200, description = "The project", body = Project)),
    security(("simple_key" = ["admin"])),
)]
async fn rename_project(
    State(app): State<App>,
    PathText(id): PathText<String>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let workspace = caller::person(&app, &headers).await?;
    input::query::<Nothing>(raw.as_deref())?;
    let id = input::project_id(&id)?;
    app.engine.project(workspace, id).await?;
    let kinds = [input::MERGE_PATCH, input::JSON];
    let Rename { name } = input::json(&headers, body, &kinds).await?;
    let project = app.engine.rename_project(workspace, id, name).await?;
    Ok(Json(Project::from(project)).into_response())
}

/// Remove a project
///
/// Only one that is empty and not the workspace's only one: nothing is deleted with it.
#[utoipa::path(
    delete,
    path = "/v1/projects/{id}",
    tag = "workspace",
    params(("id" = i32, Path, description = "The project's number")),
    responses(
        (status = 204, description = "It is gone"),
        (status = 409, description = "It is not empty, or it is the only one"),
    ),
    security(("simple_key" = ["admin"])),
)]
async fn delete_project(
    State(app): State<App>,
    PathText(id): PathText<String>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
) -> Result<StatusCode, Problem> {
    let workspace = caller::person(&app, &headers).await?;
    input::query::<Nothing>(raw.as_deref())?;
    app.engine.delete_project(workspace, input::project_id(&id)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Examples of the schemas of this file, by name.
pub(super) fn samples() -> Vec<(&'static str, Value)> {
    vec![("NewProject", json!({"name": "Shops"})), ("Rename", json!({"name": "All shops"}))]
}
