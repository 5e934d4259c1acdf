//! Workspaces and projects: as much as clients ask for to test a connection, and to keep projects.

use axum::Json;
use axum::body::Body;
use hookyard_core::id::ProjectId;
use hookyard_core::model::{Project, Scope};
use http::StatusCode;
use serde::Serialize;
use serde_json::{Value, json};

use super::body;

use super::call::{Call, require};
use super::error::ApiError;
use super::query::Page;

/// The default length of these lists and, below, the most (docs/spec/mammoth.md#places).
const LIMIT_DEFAULT: usize = 10;
const LIMIT_MAX: usize = 100;

/// The longest name of a project, in characters, and the most operations of a patch.
const PROJECT_CHARS_MAX: usize = 63;
const PATCHES_MAX: usize = 20;

#[derive(Debug, Serialize)]
struct Named {
    id: i32,
    name: String,
}

#[derive(Debug, Serialize)]
pub(super) struct Workspaces {
    workspaces: Vec<Named>,
    limit: usize,
    offset: u64,
    next: String,
}

#[derive(Debug, Serialize)]
pub(super) struct Projects {
    projects: Vec<Named>,
    limit: usize,
    offset: u64,
    next: String,
}

/// The workspace of the caller's credential, as a list.
pub(super) async fn workspaces(call: Call) -> Result<Json<Workspaces>, ApiError> {
    let credential = call.credential().await?;
    require(&credential, Scope::DataRead)?;
    let page = page(&call)?;
    let own = call.app.engine.of(credential.workspace).workspace().await?;
    let named = own.into_iter().map(|own| Named { id: own.id.0, name: own.name }).collect();
    let (workspaces, next) = cut(&call, page, named);
    Ok(Json(Workspaces { workspaces, limit: page.limit, offset: page.offset, next }))
}

/// A workspace's projects within the credential's reach.
pub(super) async fn projects(call: Call) -> Result<Json<Projects>, ApiError> {
    let credential = call.of_workspace(Scope::DataRead).await?;
    let page = page(&call)?;
    let projects = call.app.engine.of(credential.workspace).projects().await?;
    let named = projects
        .into_iter()
        .filter(|project| credential.opens(project.id))
        .map(|project| Named { id: project.id.0, name: project.name })
        .collect();
    let (projects, next) = cut(&call, page, named);
    Ok(Json(Projects { projects, limit: page.limit, offset: page.offset, next }))
}

/// The workspace of the caller's credential, and the credential's reach.
pub(super) async fn current(call: Call) -> Result<Json<Value>, ApiError> {
    let credential = call.credential().await?;
    require(&credential, Scope::DataRead)?;
    Ok(Json(json!({
        "id": credential.workspace,
        "resource": null,
        "project": credential.project,
        "projects": credential.project.map(|project| [project]),
        "read_only": !credential.scopes.has(Scope::DataWrite),
    })))
}

/// Reads the caller's workspace. Some clients look for the members at the top and others in a list, so the
/// answer has the members in both places.
pub(super) async fn workspace(call: Call) -> Result<Json<Value>, ApiError> {
    let credential = call.of_workspace(Scope::DataRead).await?;
    let own = call.app.engine.workspace(credential.workspace).await?;
    let members = json!({"id": own.id, "name": own.name, "status": "ACTIVE"});
    let mut answer = members.clone();
    answer["workspaces"] = json!([members]);
    answer["limit"] = json!(1);
    answer["offset"] = json!(0);
    answer["next"] = json!("");
    Ok(Json(answer))
}

/// Makes a project. Members about the colour and about access mean nothing here: credentials decide about
/// access.
pub(super) async fn create_project(
    call: Call,
    body: Body,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let credential = call.whole_workspace(Scope::Admin).await?;
    let mut object = body::object(&call, body).await?;
    let name = object.remove("name").map(body::unwrap_example);
    let name = project_name(&call, "name", name.as_ref())?;
    let made = call.app.engine.create_project(credential.workspace, None, name).await;
    let project = made.map_err(|error| call.refuse(error))?;
    Ok((StatusCode::CREATED, Json(project_members(&call, &project)?)))
}

/// Renames a project: `{"patches": [{"op": "replace", "path": "name", "value": NAME}]}`. A patch of
/// `properties` changes nothing.
pub(super) async fn patch_project(call: Call, body: Body) -> Result<Json<Value>, ApiError> {
    let credential = call.whole_workspace(Scope::Admin).await?;
    let id = ProjectId(call.id("project_id", 1)?);
    let object = body::object(&call, body).await?;
    let patches = object.get("patches").and_then(Value::as_array);
    let patches = patches.filter(|patches| patches.len() <= PATCHES_MAX).ok_or_else(|| {
        call.invalid_body("patches", format!("Expected `array` of length <= {PATCHES_MAX}"))
    })?;
    let mut name = None;
    for (index, patch) in patches.iter().enumerate() {
        let at = |key: &str| format!("patches[{index}].{key}");
        if patch.get("op").and_then(Value::as_str) != Some("replace") {
            return Err(call.invalid_body(at("op"), "Expected `replace`"));
        }
        match patch.get("path").and_then(Value::as_str) {
            Some("name") => name = Some(project_name(&call, &at("value"), patch.get("value"))?),
            Some("properties") => {}
            _ => return Err(call.invalid_body(at("path"), "Expected `name` or `properties`")),
        }
    }
    let engine = &call.app.engine;
    let project = match name {
        Some(name) => engine.rename_project(credential.workspace, id, name).await,
        None => engine.project(credential.workspace, id).await,
    };
    let project = project.map_err(|error| call.refuse(error))?;
    Ok(Json(project_members(&call, &project)?))
}

fn project_name(call: &Call, key: &str, value: Option<&Value>) -> Result<String, ApiError> {
    let name = value.and_then(Value::as_str);
    let name = name.filter(|name| (1..=PROJECT_CHARS_MAX).contains(&name.chars().count()));
    let wanted = || format!("Expected `str` of length 1 to {PROJECT_CHARS_MAX}");
    name.map(str::to_owned).ok_or_else(|| call.invalid_body(key, wanted()))
}

fn project_members(call: &Call, project: &Project) -> Result<Value, ApiError> {
    let Project { id, name } = project;
    let workspace = call.id("workspace_id", 1)?;
    Ok(json!({
        "id": id,
        "name": name,
        "owner_workspace_id": workspace,
        "status": "ready",
        "properties": {},
    }))
}

fn page(call: &Call) -> Result<Page, ApiError> {
    let mut query = call.query();
    let page = query.page(LIMIT_DEFAULT, LIMIT_MAX);
    call.checked(query)?;
    Ok(page)
}

fn cut(call: &Call, page: Page, named: Vec<Named>) -> (Vec<Named>, String) {
    let (shown, next) = page.cut(named);
    (shown, next.map(|offset| call.page_at(offset)).unwrap_or_default())
}
