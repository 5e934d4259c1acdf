//! `DELETE /v1/folders/{id}`: remove a folder.

use axum::http::StatusCode;
use hookyard_core::model::Folder as CoreFolder;
use hookyard_store::FolderContents;

use crate::native::call::{Call, Data, Within, Write};
use crate::native::paths;
use crate::problem::Problem;

/// Remove a folder
///
/// The contents move to the folder's former place.
#[utoipa::path(
    delete,
    path = paths::FOLDER,
    tag = "datasets",
    responses((status = 204, description = "It is gone")),
)]
pub(super) async fn delete_folder(
    call: Call<Within<Write<Data>>, CoreFolder>,
) -> Result<StatusCode, Problem> {
    let Call { app, target: folder, .. } = call;
    app.engine.delete_folder(folder.workspace, folder.id, FolderContents::Move).await?;
    Ok(StatusCode::NO_CONTENT)
}
