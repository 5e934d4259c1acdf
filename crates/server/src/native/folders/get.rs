//! `GET /v1/folders/{id}`: get a folder.

use axum::Json;
use axum::response::{IntoResponse, Response};
use hookyard_core::model::Folder as CoreFolder;

use super::shape::Folder;
use crate::native::call::{Call, Data, Read, Within};
use crate::native::paths;
use crate::problem::Problem;

/// Get a folder
#[utoipa::path(
    get,
    path = paths::FOLDER,
    tag = "datasets",
    responses((status = 200, description = "The folder", body = Folder)),
)]
pub(super) async fn get_folder(
    call: Call<Within<Read<Data>>, CoreFolder>,
) -> Result<Response, Problem> {
    let Call { target: folder, .. } = call;
    Ok(Json(Folder::new(&folder)).into_response())
}
