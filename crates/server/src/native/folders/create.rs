//! `POST /v1/folders`: make a folder.

use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use hookyard_core::id::FolderId;
use hookyard_store::NewFolder as StoreFolder;
use serde::Deserialize;
use utoipa::ToSchema;

use super::shape::Folder;
use crate::native::call::{Call, Data, Within, Write};
use crate::native::input::Nothing;
use crate::native::sent::JsonBody;
use crate::native::{paths, place};
use crate::problem::Problem;

/// A new folder.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewFolder {
    /// A name for people.
    #[schema(min_length = 1, max_length = 255)]
    name: String,
    /// The folder's project; the workspace's first project by default.
    #[schema(nullable = true, minimum = 1, maximum = 2147483647)]
    project: Option<i32>,
    /// The number of the parent folder; the top of the project by default.
    #[schema(nullable = true, minimum = 1, maximum = 2147483647)]
    parent: Option<i32>,
}

/// Make a folder
#[utoipa::path(
    post,
    path = paths::FOLDERS,
    tag = "datasets",
    responses(
        (status = 201, description = "The folder", body = Folder, headers(
            ("location" = String, description = "Its path"),
        )),
        (status = 409, description = "There are too many, or it would be too deep"),
    ),
)]
pub(super) async fn create_folder(
    call: Call<Within<Write<Data>>, (), Nothing, JsonBody<NewFolder>>,
) -> Result<Response, Problem> {
    let Call { app, caller: reach, body: JsonBody(new), .. } = call;
    let NewFolder { name, project, parent } = new;
    let workspace = reach.workspace;
    let project = place::project(&app, reach, project).await?;
    let new = StoreFolder { workspace, project, name, parent: parent.map(FolderId) };
    let made = app.engine.create_folder(new).await?;
    let location = [(header::LOCATION, app.link(&paths::FOLDER.of([&made.id])))];
    Ok((StatusCode::CREATED, location, Json(Folder::new(&made))).into_response())
}
