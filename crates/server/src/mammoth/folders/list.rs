use axum::Json;
use hookyard_core::id::FolderId;
use hookyard_core::model::{Folder, Scope};
use serde::Serialize;
use serde_json::{Value, json};

use super::super::call::{Call, Place};
use super::super::error::ApiError;
use super::super::fields::Fields;
use super::super::listing::Listing;
use super::super::query::Page;
use super::shape::{self, Tree};

#[derive(Debug, Serialize)]
pub(in super::super) struct List {
    folders: Vec<Value>,
    limit: usize,
    offset: u64,
    next: String,
}

/// One page of a project's folders.
pub(in super::super) async fn list(call: Call) -> Result<Json<List>, ApiError> {
    let place = call.place(Scope::DataRead).await?;
    let mut query = call.query();
    let listing = Listing::read(&mut query);
    call.checked(query)?;

    let reads = call.app.engine.of(place.workspace);
    let folders = reads.folders(place.project).await?;
    let (shown, next) = listing.cut(&call, folders);
    let tree = Tree::read(&reads, place.project).await?;
    let shown = shown.iter().map(|folder| listing.fields.keep(shape::folder(folder, &tree)));
    let Page { limit, offset } = listing.page;
    Ok(Json(List { folders: shown.collect(), limit, offset, next }))
}

/// Reads one folder.
pub(in super::super) async fn get(call: Call) -> Result<Json<Value>, ApiError> {
    let place = call.place(Scope::DataRead).await?;
    let folder = find(&call, place, FolderId(call.id("folder_id", 0)?)).await?;
    let mut query = call.query();
    let fields = Fields::parse(query.text("fields").as_deref());
    call.checked(query)?;
    let tree = Tree::read(&call.app.engine.of(place.workspace), place.project).await?;
    Ok(Json(json!({"folder": fields.keep(shape::folder(&folder, &tree))})))
}

/// A folder of the project.
pub(in super::super) async fn find(
    call: &Call,
    place: Place,
    id: FolderId,
) -> Result<Folder, ApiError> {
    let found = call.app.engine.of(place.workspace).find_folder(id).await?;
    found.filter(|folder| folder.project == place.project).ok_or_else(ApiError::not_found)
}
