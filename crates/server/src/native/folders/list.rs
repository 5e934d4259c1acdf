//! `GET /v1/folders`: list folders.

use axum::Json;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::shape::Folder;
use crate::native::call::{Call, Data, Read, Within};
use crate::native::{paths, place};
use crate::problem::Problem;

/// A project's folders, numbers ascending.
#[derive(Serialize, ToSchema)]
struct FolderList<'a> {
    folders: Vec<Folder<'a>>,
}

/// The choice of folders to list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Params {
    /// Folders of this project; of the workspace's first project by default.
    #[param(nullable = false, minimum = 0, maximum = 2147483647)]
    project: Option<i32>,
}

/// List folders
///
/// All folders of a project, numbers ascending; there are a thousand at most.
#[utoipa::path(
    get,
    path = paths::FOLDERS,
    tag = "datasets",
    responses((status = 200, description = "The folders", body = FolderList)),
)]
pub(super) async fn list_folders(
    call: Call<Within<Read<Data>>, (), Params>,
) -> Result<Response, Problem> {
    let Call { app, caller: reach, query: params, .. } = call;
    let project = place::project(&app, reach, params.project).await?;
    let folders = app.engine.of(reach.workspace).folders(project).await;
    let folders = folders?;
    let folders = folders.iter().map(Folder::new).collect();
    Ok(Json(FolderList { folders }).into_response())
}
