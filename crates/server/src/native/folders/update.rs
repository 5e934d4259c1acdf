//! `PATCH /v1/folders/{id}`: change a folder.

use axum::Json;
use axum::response::{IntoResponse, Response};
use hookyard_core::id::FolderId;
use hookyard_core::model::Folder as CoreFolder;
use hookyard_store::FolderChange;
use serde::Deserialize;
use utoipa::ToSchema;

use super::shape::Folder;
use crate::native::call::{Call, Data, Within, Write};
use crate::native::input::{Field, Nothing};
use crate::native::paths;
use crate::native::sent::PatchBody;
use crate::problem::Problem;

/// A change of a folder: absent members stay.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FolderPatch {
    /// A name for people.
    #[serde(default)]
    #[schema(value_type = String, required = false, min_length = 1, max_length = 255)]
    name: Field<String>,
    /// The number of the new parent folder; null for the top of the project.
    #[serde(default)]
    #[schema(value_type = Option<i32>, minimum = 1, maximum = 2147483647)]
    parent: Field<i32>,
}

/// Change a folder
///
/// A JSON merge patch (RFC 7396): absent members stay. The contents move with the folder.
#[utoipa::path(
    patch,
    path = paths::FOLDER,
    tag = "datasets",
    responses(
        (status = 200, description = "The folder", body = Folder),
        (status = 409, description = "It would be within itself, or too deep"),
    ),
)]
pub(super) async fn update_folder(
    call: Call<Within<Write<Data>>, CoreFolder, Nothing, PatchBody<FolderPatch>>,
) -> Result<Response, Problem> {
    let Call { app, target: folder, body: PatchBody(FolderPatch { name, parent }), .. } = call;
    let parent = match parent {
        Field::Absent => None,
        Field::Null => Some(None),
        Field::Value(parent) => Some(Some(FolderId(parent))),
    };
    let change = FolderChange { name: name.required("name")?, parent };
    let changed = app.engine.update_folder(folder.workspace, folder.id, change).await?;
    Ok(Json(Folder::new(&changed)).into_response())
}
