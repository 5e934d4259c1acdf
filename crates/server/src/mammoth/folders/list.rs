use std::cmp::Ordering;

use axum::Json;
use hookyard_core::id::FolderId;
use hookyard_core::model::{Folder, Scope};
use serde::Serialize;
use serde_json::{Value, json};

use super::super::call::{Call, Place};
use super::super::error::ApiError;
use super::super::fields::Fields;
use super::super::query::SortKey;
use super::shape::{self, Tree};

/// What a list holds when the caller names no limit, and at most.
const LIMIT_DEFAULT: usize = 50;
const LIMIT_MAX: usize = 100;

const SORT_FIELDS: [&str; 5] = ["id", "name", "created_at", "updated_at", "status"];

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
    let fields = Fields::parse(query.text("fields").as_deref());
    let ids = query.ids("id");
    let names = query.words("name");
    let statuses = query.words("status");
    let makers = query.words("created_by");
    let created = query.range("created_at");
    let updated = query.range("updated_at");
    let page = query.page(LIMIT_DEFAULT, LIMIT_MAX);
    let sort = query.sort(&SORT_FIELDS);
    call.checked(query)?;

    let store = call.app.engine.store();
    let mut folders = store.folders(place.workspace, place.project).await?;
    folders.retain(|folder| {
        ids.as_ref().is_none_or(|ids| ids.contains(&folder.id.0.into()))
            && names.as_ref().is_none_or(|names| names.contains(&folder.name))
            && statuses.as_ref().is_none_or(|statuses| statuses.iter().any(|word| word == "ready"))
            // Nobody is remembered as the maker of a folder.
            && makers.is_none()
            && created.has(folder.created_at)
            && updated.has(folder.updated_at)
    });
    folders.sort_by(|left, right| order(&sort, left, right));
    let (shown, next) = page.cut(folders);
    let tree = Tree::read(store, place.workspace, place.project).await?;
    Ok(Json(List {
        folders: shown.iter().map(|folder| fields.keep(shape::folder(folder, &tree))).collect(),
        limit: page.limit,
        offset: page.offset,
        next: next.map(|offset| call.page_at(offset)).unwrap_or_default(),
    }))
}

/// Reads one folder.
pub(in super::super) async fn get(call: Call) -> Result<Json<Value>, ApiError> {
    let place = call.place(Scope::DataRead).await?;
    let folder = find(&call, place, FolderId(call.id("folder_id", 0)?)).await?;
    let mut query = call.query();
    let fields = Fields::parse(query.text("fields").as_deref());
    call.checked(query)?;
    let store = call.app.engine.store();
    let tree = Tree::read(store, place.workspace, place.project).await?;
    Ok(Json(json!({"folder": fields.keep(shape::folder(&folder, &tree))})))
}

/// A folder of the project.
pub(super) async fn find(call: &Call, place: Place, id: FolderId) -> Result<Folder, ApiError> {
    let found = call.app.engine.store().find_folder(place.workspace, id).await?;
    found.filter(|folder| folder.project == place.project).ok_or_else(ApiError::not_found)
}

fn order(keys: &[SortKey], left: &Folder, right: &Folder) -> Ordering {
    let by_key = |key: &SortKey| {
        let order = match key.field.as_str() {
            "name" => left.name.cmp(&right.name),
            "created_at" => left.created_at.cmp(&right.created_at),
            "updated_at" => left.updated_at.cmp(&right.updated_at),
            "status" => Ordering::Equal,
            _ => left.id.cmp(&right.id),
        };
        if key.descending { order.reverse() } else { order }
    };
    let differing = keys.iter().map(by_key).find(|order| order.is_ne());
    differing.unwrap_or_else(|| left.id.cmp(&right.id))
}
