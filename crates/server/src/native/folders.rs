//! `/v1/folders`: where people look for datasets.

use axum::Json;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hookyard_core::id::{FolderId, ProjectId, WorkspaceId};
use hookyard_core::model::{Folder as CoreFolder, Scope};
use hookyard_engine::Error;
use hookyard_store::{FolderChange, FolderContents, NewFolder as StoreFolder};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::input::{self, Field, Nothing, PathText};
use super::{caller, place};
use crate::App;
use crate::problem::{Code, Problem};

/// Where folders are listed and made.
const FOLDERS: &str = "/v1/folders";

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list_folders, create_folder)).routes(routes!(
        get_folder,
        update_folder,
        delete_folder
    ))
}

/// A part of a project that groups datasets and other folders.
#[derive(Serialize, ToSchema)]
struct Folder<'a> {
    /// Its number.
    id: i32,
    /// The number of its project.
    project: i32,
    name: &'a str,
    /// The number of the folder that it is in; absent at the top of the project.
    #[serde(skip_serializing_if = "Option::is_none")]
    parent: Option<i32>,
    created_at: Timestamp,
    /// When its name or place last changed.
    updated_at: Timestamp,
}

/// A project's folders, numbers ascending.
#[derive(Serialize, ToSchema)]
struct FolderList<'a> {
    folders: Vec<Folder<'a>>,
}

/// Which folders to list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Params {
    /// Of this project; of the workspace's first unless said.
    #[param(nullable = false, minimum = 0, maximum = 2147483647)]
    project: Option<i32>,
}

/// A new folder.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewFolder {
    /// A name for people.
    #[schema(min_length = 1, max_length = 255)]
    name: String,
    /// The project that it shall be in; the workspace's first unless said.
    #[schema(nullable = true, minimum = 1, maximum = 2147483647)]
    project: Option<i32>,
    /// The number of the folder that it shall be in; at the top of the project unless said.
    #[schema(nullable = true, minimum = 1, maximum = 2147483647)]
    parent: Option<i32>,
}

/// A change of a folder: what is absent stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct FolderPatch {
    /// A name for people.
    #[serde(default)]
    #[schema(value_type = String, required = false, min_length = 1, max_length = 255)]
    name: Field<String>,
    /// The number of the folder that it shall be in; null for the top of the project.
    #[serde(default)]
    #[schema(value_type = Option<i32>, minimum = 1, maximum = 2147483647)]
    parent: Field<i32>,
}

impl<'a> Folder<'a> {
    fn new(folder: &'a CoreFolder) -> Self {
        let CoreFolder { id, workspace: _, project, name, parent, created_at, updated_at } = folder;
        Self {
            id: id.0,
            project: project.0,
            name,
            parent: parent.map(|parent| parent.0),
            created_at: *created_at,
            updated_at: *updated_at,
        }
    }
}

/// List folders
///
/// All folders of a project, numbers ascending; there are a thousand at most.
#[utoipa::path(
    get,
    path = FOLDERS,
    tag = "datasets",
    params(Params),
    responses((status = 200, description = "The folders", body = FolderList)),
    security(("simple_key" = ["data_read"])),
)]
async fn list_folders(
    State(app): State<App>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let reach = caller::reach(&app, &headers, Scope::DataRead).await?;
    let params: Params = input::query(raw.as_deref())?;
    let project = place::project(&app, reach, params.project).await?;
    let folders = app.engine.store().folders(reach.workspace, project).await;
    let folders = folders.map_err(Error::from)?;
    let folders = folders.iter().map(Folder::new).collect();
    Ok(Json(FolderList { folders }).into_response())
}

/// Make a folder
#[utoipa::path(
    post,
    path = FOLDERS,
    tag = "datasets",
    request_body = NewFolder,
    responses(
        (status = 201, description = "The folder", body = Folder, headers(
            ("location" = String, description = "Its path"),
        )),
        (status = 409, description = "There are too many, or it would be too deep"),
    ),
    security(("simple_key" = ["data_write"])),
)]
async fn create_folder(
    State(app): State<App>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let reach = caller::reach(&app, &headers, Scope::DataWrite).await?;
    input::query::<Nothing>(raw.as_deref())?;
    let new: NewFolder = input::json(&headers, body, &[input::JSON]).await?;
    let NewFolder { name, project, parent } = new;
    let workspace = reach.workspace;
    let project = place::project(&app, reach, project).await?;
    let new = StoreFolder { workspace, project, name, parent: parent.map(FolderId) };
    let made = app.engine.create_folder(new).await?;
    let location = [(header::LOCATION, format!("{FOLDERS}/{}", made.id))];
    Ok((StatusCode::CREATED, location, Json(Folder::new(&made))).into_response())
}

/// Get a folder
#[utoipa::path(
    get,
    path = "/v1/folders/{id}",
    tag = "datasets",
    params(("id" = i32, Path, description = "The folder's number")),
    responses((status = 200, description = "The folder", body = Folder)),
    security(("simple_key" = ["data_read"])),
)]
async fn get_folder(
    State(app): State<App>,
    PathText(id): PathText<String>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let folder = folder(&app, &headers, Scope::DataRead, &id).await?;
    input::query::<Nothing>(raw.as_deref())?;
    Ok(Json(Folder::new(&folder)).into_response())
}

/// Change a folder
///
/// A JSON merge patch (RFC 7396): what is absent stays. What is in the folder moves with it.
#[utoipa::path(
    patch,
    path = "/v1/folders/{id}",
    tag = "datasets",
    params(("id" = i32, Path, description = "The folder's number")),
    request_body(content(
        (FolderPatch = "application/merge-patch+json"),
        (FolderPatch = "application/json"),
    )),
    responses(
        (status = 200, description = "The folder", body = Folder),
        (status = 409, description = "It would be within itself, or too deep"),
    ),
    security(("simple_key" = ["data_write"])),
)]
async fn update_folder(
    State(app): State<App>,
    PathText(id): PathText<String>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let folder = folder(&app, &headers, Scope::DataWrite, &id).await?;
    input::query::<Nothing>(raw.as_deref())?;
    let kinds = [input::MERGE_PATCH, input::JSON];
    let FolderPatch { name, parent } = input::json(&headers, body, &kinds).await?;
    let parent = match parent {
        Field::Absent => None,
        Field::Null => Some(None),
        Field::Value(parent) => Some(Some(FolderId(parent))),
    };
    let change = FolderChange { name: name.required("name")?, parent };
    let changed = app.engine.update_folder(folder.workspace, folder.id, change).await?;
    Ok(Json(Folder::new(&changed)).into_response())
}

/// Remove a folder
///
/// What is in it moves to where the folder was.
#[utoipa::path(
    delete,
    path = "/v1/folders/{id}",
    tag = "datasets",
    params(("id" = i32, Path, description = "The folder's number")),
    responses((status = 204, description = "It is gone")),
    security(("simple_key" = ["data_write"])),
)]
async fn delete_folder(
    State(app): State<App>,
    PathText(id): PathText<String>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
) -> Result<StatusCode, Problem> {
    let folder = folder(&app, &headers, Scope::DataWrite, &id).await?;
    input::query::<Nothing>(raw.as_deref())?;
    app.engine.delete_folder(folder.workspace, folder.id, FolderContents::Move).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The folder that a path names, for a caller who has the scope.
async fn folder(
    app: &App,
    headers: &HeaderMap,
    scope: Scope,
    id: &str,
) -> Result<CoreFolder, Problem> {
    let reach = caller::reach(app, headers, scope).await?;
    let missing = || Problem::new(Code::NotFound, "no such folder");
    let id = input::number(id).map(FolderId).ok_or_else(missing)?;
    let folder = app.engine.folder(reach.workspace, id).await?;
    if reach.has(folder.project) { Ok(folder) } else { Err(missing()) }
}

/// Examples of the schemas of this file, by name, made as answers are made.
pub(super) fn samples() -> Vec<(&'static str, Value)> {
    let folder = CoreFolder {
        id: FolderId(2),
        workspace: WorkspaceId(1),
        project: ProjectId(1),
        name: "Shop".to_owned(),
        parent: None,
        created_at: Timestamp::UNIX_EPOCH,
        updated_at: Timestamp::UNIX_EPOCH,
    };
    vec![
        ("Folder", json!(Folder::new(&folder))),
        ("NewFolder", json!({"name": "Shop"})),
        ("FolderPatch", json!({"name": "Old shop", "parent": null})),
    ]
}
