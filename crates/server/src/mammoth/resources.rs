//! Resources: the folders and datasets of a project in one list. Clients from 0.7 on browse, search and
//! move by resources (docs/spec/mammoth-clients.md).
//!
//! Datasets and folders share one space of resource ids ([`Resource`]): the resource id of a folder is the
//! folder's id, and the resource ids of datasets lie above the folders' ids.

use std::cmp::Ordering;

use axum::Json;
use axum::body::Body;
use hookyard_core::id::{DatasetId, FolderId, ProjectId, WorkspaceId};
use hookyard_core::model::{Dataset, Folder, Scope};
use hookyard_store::StoreError;
use http::StatusCode;
use serde_json::{Value, json};

use super::body;
use super::call::{Call, Place};
use super::error::ApiError;
use super::folders::shape::{self, Resource};
use super::query::{Query, SortKey, compare};

/// Resources in a list when the caller names no limit, and at most.
const LIMIT_DEFAULT: u64 = 50;
const LIMIT_MAX: u64 = 100;

/// The most ids in one call, as in Mammoth.
const IDS_MAX: usize = 100;

/// The longest text to search names for, in bytes: as long as a name can be.
const SEARCH_BYTES_MAX: usize = 400;

const SORT_FIELDS: [&str; 5] = ["id", "name", "created_at", "last_updated_at", "resource_type"];

/// A folder or a dataset for a list.
enum Item {
    Folder(Folder),
    Dataset(Box<Dataset>),
}

impl Item {
    fn name(&self) -> &str {
        match self {
            Self::Folder(folder) => &folder.name,
            Self::Dataset(dataset) => &dataset.name,
        }
    }

    fn resource(&self) -> Resource {
        match self {
            Self::Folder(folder) => Resource::Folder(folder.id),
            Self::Dataset(dataset) => Resource::Dataset(dataset.id),
        }
    }

    fn parent(&self) -> Option<FolderId> {
        match self {
            Self::Folder(folder) => folder.parent,
            Self::Dataset(dataset) => dataset.folder,
        }
    }

    fn times(&self) -> [jiff::Timestamp; 2] {
        match self {
            Self::Folder(folder) => [folder.created_at, folder.updated_at],
            Self::Dataset(dataset) => [dataset.created_at, dataset.updated_at],
        }
    }

    fn wire(&self) -> Value {
        let resource = self.resource();
        let [created, updated] = self.times();
        let mut wire = json!({
            "id": resource.number(),
            "resource_id": resource.number(),
            "resource_type": resource.kind(),
            "object_id": resource.object(),
            "name": self.name(),
            "parent_resource_id": self.parent().map(|parent| Resource::Folder(parent).number()),
            "status": "ready",
            "created_at": created,
            "last_updated_at": updated,
        });
        match self {
            Self::Folder(folder) => wire["project_id"] = json!(folder.project),
            Self::Dataset(dataset) => {
                wire["project_id"] = json!(dataset.project);
                wire["source_type"] = json!(dataset.source.as_ref().map(|_| "webhook"));
                wire["row_count"] = json!(dataset.stats.rows);
                wire["data_size"] = json!(dataset.stats.bytes);
            }
        }
        wire
    }
}

/// The resources of one project.
async fn of_project(
    call: &Call,
    workspace: WorkspaceId,
    project: ProjectId,
) -> Result<Vec<Item>, StoreError> {
    let reads = call.app.engine.of(workspace);
    let folders = reads.folders(project).await?.into_iter().map(Item::Folder);
    let datasets = reads.datasets(project).await?.into_iter();
    Ok(folders.chain(datasets.map(|dataset| Item::Dataset(Box::new(dataset)))).collect())
}

/// The choice of resources in a list.
struct Select {
    kinds: Option<Vec<String>>,
    search: Option<String>,
    parent: Option<FolderId>,
    sort: Vec<SortKey>,
    limit: usize,
    offset: usize,
}

impl Select {
    fn read(query: &mut Query) -> Self {
        let search = query.text("search").map(|text| text.to_lowercase());
        if search.as_ref().is_some_and(|text| text.len() > SEARCH_BYTES_MAX) {
            query.problem("search", format!("Expected `str` of length <= {SEARCH_BYTES_MAX}"));
        }
        let limit = query.number("limit", LIMIT_DEFAULT, LIMIT_MAX);
        // The cursor is where the next page begins.
        let offset = query.number("cursor", 0, i32::MAX.unsigned_abs().into());
        let parent = query.number("parent_id", 0, i32::MAX.unsigned_abs().into());
        Self {
            kinds: query.words("type"),
            search,
            parent: i32::try_from(parent).ok().filter(|id| *id > 0).map(FolderId),
            sort: query.sort(&SORT_FIELDS),
            limit: usize::try_from(limit).unwrap_or(usize::MAX),
            offset: usize::try_from(offset).unwrap_or(usize::MAX),
        }
    }

    fn wants(&self, item: &Item) -> bool {
        let kind = item.resource().kind();
        let is = |word: &String| shape::kind(word).is_some_and(|wanted| wanted == kind);
        self.kinds.as_ref().is_none_or(|kinds| kinds.iter().any(is))
            && self.search.as_ref().is_none_or(|text| item.name().to_lowercase().contains(text))
            && self.parent.is_none_or(|parent| item.parent() == Some(parent))
    }

    /// The answer with one page of the items.
    fn page(&self, mut items: Vec<Item>) -> Json<Value> {
        items.retain(|item| self.wants(item));
        items.sort_by(|left, right| order(&self.sort, left, right));
        let shown = items.iter().skip(self.offset).take(self.limit).map(Item::wire);
        let shown: Vec<_> = shown.collect();
        let next = self.offset.saturating_add(shown.len());
        let more = next < items.len() && !shown.is_empty();
        let cursor = more.then(|| next.to_string());
        Json(json!({"resources": shown, "next_cursor": cursor, "has_more": more}))
    }
}

fn order(keys: &[SortKey], left: &Item, right: &Item) -> Ordering {
    compare(keys, |field| match field {
        "name" => left.name().cmp(right.name()),
        "created_at" => left.times()[0].cmp(&right.times()[0]),
        "last_updated_at" => left.times()[1].cmp(&right.times()[1]),
        "resource_type" => left.resource().kind().cmp(right.resource().kind()),
        _ => left.resource().number().cmp(&right.resource().number()),
    })
}

/// A page of a project's resources.
pub(super) async fn list(call: Call) -> Result<Json<Value>, ApiError> {
    let place = call.place(Scope::DataRead).await?;
    let mut query = call.query();
    let select = Select::read(&mut query);
    call.checked(query)?;
    Ok(select.page(of_project(&call, place.workspace, place.project).await?))
}

/// A page of the resources of all projects within the credential's reach.
pub(super) async fn search(call: Call) -> Result<Json<Value>, ApiError> {
    let credential = call.of_workspace(Scope::DataRead).await?;
    let mut query = call.query();
    let select = Select::read(&mut query);
    call.checked(query)?;
    let mut items = Vec::new();
    for project in call.app.engine.of(credential.workspace).projects().await? {
        if credential.opens(project.id) {
            items.extend(of_project(&call, credential.workspace, project.id).await?);
        }
    }
    Ok(select.page(items))
}

/// The resources of a list of kinds and ids; resources outside the project are left out.
pub(super) async fn bulk(call: Call, body: Body) -> Result<(StatusCode, Json<Value>), ApiError> {
    let place = call.place(Scope::DataRead).await?;
    let object = body::object(&call, body).await?;
    let list = object.get("ids").and_then(Value::as_array);
    let list = list.filter(|list| list.len() <= IDS_MAX).ok_or_else(|| {
        call.invalid_body("ids", format!("Expected `array` of length <= {IDS_MAX}"))
    })?;
    let mut found = Vec::new();
    for (index, entry) in list.iter().enumerate() {
        let kind = entry.get("type").and_then(Value::as_str);
        let id = entry.get("id").and_then(Value::as_i64).filter(|id| *id >= 1);
        let (Some(kind), Some(id)) = (kind, id) else {
            let wanted = "Expected `object` with `type` and an `id` >= 1";
            return Err(call.invalid_body(format!("ids[{index}]"), wanted));
        };
        found.extend(one(&call, place, kind, id).await?.as_ref().map(Item::wire));
    }
    Ok((StatusCode::CREATED, Json(json!({"resources": found}))))
}

/// Reads one resource.
pub(super) async fn get(call: Call) -> Result<Json<Value>, ApiError> {
    let place = call.place(Scope::DataRead).await?;
    let id = call.id("object_id", 0)?;
    let kind = call.word()?;
    let found = one(&call, place, kind, id.into()).await?.ok_or_else(ApiError::not_found)?;
    Ok(Json(json!({"resource": found.wire()})))
}

async fn one(call: &Call, place: Place, kind: &str, id: i64) -> Result<Option<Item>, ApiError> {
    let Ok(id) = i32::try_from(id) else { return Ok(None) };
    let Place { workspace, project, .. } = place;
    let reads = call.app.engine.of(workspace);
    Ok(match shape::kind(kind) {
        Some(shape::FOLDER) => {
            let found = reads.find_folder(FolderId(id)).await?;
            found.filter(|folder| folder.project == project).map(Item::Folder)
        }
        Some(shape::DATASET) => {
            let found = reads.dataset(project, DatasetId(id)).await?;
            // A dataset in the trash has no place.
            let found = found.filter(|dataset| dataset.trashed.is_none());
            found.map(|dataset| Item::Dataset(Box::new(dataset)))
        }
        _ => None,
    })
}

/// The folders on the way from the top of the project to a folder, that folder last.
pub(super) async fn ancestors(call: Call) -> Result<Json<Value>, ApiError> {
    let place = call.place(Scope::DataRead).await?;
    let mut query = call.query();
    let id = query.number("resource_id", 0, i32::MAX.unsigned_abs().into());
    call.checked(query)?;
    let mut folders = call.app.engine.of(place.workspace).folders(place.project).await?;
    let mut way = Vec::new();
    let mut next = i32::try_from(id).ok().filter(|id| *id > 0).map(FolderId);
    // Each folder is taken out, so even a ring would end.
    while let Some(id) = next {
        let found = folders.iter().position(|folder| folder.id == id);
        let folder = folders.swap_remove(found.ok_or_else(ApiError::not_found)?);
        next = folder.parent;
        way.push(Item::Folder(folder).wire());
    }
    way.reverse();
    Ok(Json(json!({"resources": way})))
}
