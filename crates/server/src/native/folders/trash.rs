//! `POST /v1/folders/{id}/trash`: put the contents of a folder in the trash.

use axum::Json;
use axum::response::{IntoResponse, Response};
use hookyard_core::model::Folder as CoreFolder;
use serde::Serialize;
use utoipa::ToSchema;

use crate::native::call::{Call, Data, Within, Write};
use crate::native::paths;
use crate::problem::Problem;

/// The outcome for a folder's datasets.
#[derive(Serialize, ToSchema)]
struct FolderTrashed {
    /// How many datasets went to the trash.
    datasets: usize,
}

/// Put the contents of a folder in the trash
///
/// The datasets of the folder and of all folders inside go to the trash. The folders themselves are removed.
/// Restoring a dataset makes the folders on the way again.
#[utoipa::path(
    post,
    path = paths::FOLDER_TRASH,
    tag = "datasets",
    responses((status = 200, description = "How many datasets went to the trash", body = FolderTrashed)),
)]
pub(super) async fn trash_folder(
    call: Call<Within<Write<Data>>, CoreFolder>,
) -> Result<Response, Problem> {
    let Call { app, target: folder, .. } = call;
    let trashed = app.engine.trash_folder(folder.workspace, folder.id).await?;
    Ok(Json(FolderTrashed { datasets: trashed.len() }).into_response())
}
