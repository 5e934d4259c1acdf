use axum::Json;
use axum::body::Body;
use hookyard_core::id::{DatasetId, FolderId};
use hookyard_core::model::Scope;
use hookyard_engine::Error;
use hookyard_engine::datasets::DatasetPatch;
use hookyard_store::{FolderChange, FolderContents, NewFolder};
use http::StatusCode;
use serde_json::{Map, Value, json};

use super::super::body::{self, expected, unwrap_example};
use super::super::call::{Call, Place};
use super::super::error::ApiError;
use super::super::jobs;
use super::list::find;
use super::shape::{self, DATASET_LABEL, Resource, Tree, folder_label};

/// The most folders removed, and the most things moved, by one call.
const IDS_MAX: usize = 100;

/// Makes a folder.
pub(in super::super) async fn create(
    call: Call,
    body: Body,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let place = call.place(Scope::DataWrite).await?;
    let mut object = body::object(&call, body).await?;
    let name = match object.remove("name").map(unwrap_example) {
        Some(Value::String(name)) => name,
        Some(other) => return Err(call.invalid_body("name", expected("str", &other))),
        None => return Err(call.invalid_body("name", "Expected `str`, got nothing")),
    };
    let parent = parent(&mut object).map_err(|(key, text)| call.invalid_body(key, text))?;
    let new = NewFolder { workspace: place.workspace, project: place.project, name, parent };
    let made = call.app.engine.create_folder(new).await;
    let folder = made.map_err(|error| match error {
        Error::Invalid { field, message } if field == "parent" => {
            call.invalid_body("parent_resource_id", message)
        }
        error => call.refuse(error),
    })?;
    let tree = Tree::read(&call.app.engine.of(place.workspace), place.project).await?;
    Ok((StatusCode::CREATED, Json(json!({"folder": shape::folder(&folder, &tree)}))))
}

/// Reads the parent. One client sends the folder's number, another client a reference to the folder.
fn parent(object: &mut Map<String, Value>) -> Result<Option<FolderId>, (&'static str, String)> {
    for key in ["parent_resource_id", "parent_folder_id"] {
        match object.remove(key).map(unwrap_example) {
            None | Some(Value::Null) => {}
            Some(value) => return folder(&value).map(Some).map_err(|text| (key, text)),
        }
    }
    Ok(None)
}

/// A folder by number, or by reference.
fn folder(value: &Value) -> Result<FolderId, String> {
    let number = value.as_i64().and_then(|number| i32::try_from(number).ok());
    let text = value.as_str();
    let digits = text.and_then(|text| shape::number(text, ""));
    let found = number.or(digits).map(FolderId).or_else(|| text.and_then(folder_label));
    found.ok_or_else(|| "Expected the id of a folder, or `label_` and the id".to_owned())
}

/// Removes a folder. The contents move to the folder's former place, unless the caller wants the contents
/// removed.
pub(in super::super) async fn delete(call: Call) -> Result<StatusCode, ApiError> {
    let place = call.place(Scope::DataWrite).await?;
    let folder = find(&call, place, FolderId(call.id("folder_id", 0)?)).await?;
    let contents = contents(&call)?;
    call.app.engine.delete_folder(place.workspace, folder.id, contents).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Removes the folders of a list.
pub(in super::super) async fn delete_many(
    call: Call,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let place = call.place(Scope::DataWrite).await?;
    let mut query = call.query();
    let ids = query.id_list("ids", IDS_MAX);
    if ids.is_none() {
        query.missing("ids");
    }
    call.checked(query)?;
    let contents = contents(&call)?;
    let mut folders = Vec::new();
    for id in ids.unwrap_or_default() {
        let id = i32::try_from(id).map_err(|_| ApiError::not_found())?;
        folders.push(find(&call, place, FolderId(id)).await?.id);
    }
    for id in &folders {
        match call.app.engine.delete_folder(place.workspace, *id, contents).await {
            // The folder was within an earlier folder of the list.
            Ok(()) | Err(Error::NotFound(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let response = json!({"folder_ids": folders});
    jobs::accepted(&call, place, "delete_folders", response).await
}

/// The fate of the contents of removed folders. The contents stay without the parameter, so only removals
/// asked for take place.
fn contents(call: &Call) -> Result<FolderContents, ApiError> {
    let mut query = call.query();
    let remove = query.flag("remove_contents");
    call.checked(query)?;
    Ok(if remove { FolderContents::Delete } else { FolderContents::Move })
}

/// Moves datasets and folders into a folder, or to the top of the project.
pub(in super::super) async fn move_many(
    call: Call,
    body: Body,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let place = call.place(Scope::DataWrite).await?;
    let object = body::object(&call, body).await?;
    let (resources, target) =
        read_move(&object).map_err(|(key, text)| call.invalid_body(key, text))?;
    if let Some(target) = target {
        find(&call, place, target).await?;
    }
    for resource in &resources {
        check(&call, place, resource).await?;
    }
    for resource in resources {
        put(&call, place, resource, target).await?;
    }
    let moved = object.get("resource_ids").or_else(|| object.get("patch"));
    let response = json!({"resource_ids": moved});
    jobs::accepted(&call, place, "move_resources", response).await
}

/// Renames a folder.
pub(in super::super) async fn rename(call: Call, body: Body) -> Result<Json<Value>, ApiError> {
    let place = call.place(Scope::DataWrite).await?;
    let folder = find(&call, place, FolderId(call.id("folder_id", 0)?)).await?;
    let object = body::object(&call, body).await?;
    let name = new_name(&object).map_err(|(key, text)| call.invalid_body(key, text))?;
    let change = FolderChange { name: Some(name), parent: None };
    let changed = call.app.engine.update_folder(place.workspace, folder.id, change).await;
    let folder = changed.map_err(|error| call.refuse(error))?;
    let tree = Tree::read(&call.app.engine.of(place.workspace), place.project).await?;
    Ok(Json(json!({"folder": shape::folder(&folder, &tree)})))
}

/// The name in `{"patch": [{"op": "replace", "path": "name", "value": NAME}]}`; of several the last.
fn new_name(object: &Map<String, Value>) -> Result<String, (String, String)> {
    let operations = operations(object)?;
    let mut name = None;
    for (index, operation) in operations.iter().enumerate() {
        let at = |key: &str| format!("patch[{index}].{key}");
        if operation.get("op").and_then(Value::as_str) != Some("replace") {
            return Err((at("op"), "Expected `replace`".to_owned()));
        }
        if operation.get("path").and_then(Value::as_str) != Some("name") {
            return Err((at("path"), "Expected `name`".to_owned()));
        }
        let Some(value) = operation.get("value").and_then(Value::as_str) else {
            return Err((at("value"), "Expected `str`".to_owned()));
        };
        name = Some(value.to_owned());
    }
    name.ok_or_else(|| ("patch".to_owned(), "Expected at least one operation".to_owned()))
}

/// The operations of a patch.
fn operations(object: &Map<String, Value>) -> Result<&[Value], (String, String)> {
    let list = object.get("patch").and_then(Value::as_array);
    let list = list.filter(|list| list.len() <= IDS_MAX);
    let text = || ("patch".to_owned(), format!("Expected `array` of length <= {IDS_MAX}"));
    list.map(Vec::as_slice).ok_or_else(text)
}

type Move = (Vec<Resource>, Option<FolderId>);

fn read_move(object: &Map<String, Value>) -> Result<Move, (String, String)> {
    if object.contains_key("patch") {
        return read_patch(object);
    }
    let fault = |key: &str, text: &str| (key.to_owned(), text.to_owned());
    if object.get("operation").and_then(Value::as_str) != Some("move") {
        return Err(fault("operation", "Expected `move`"));
    }
    let target = match object.get("target_folder_resource_id") {
        None | Some(Value::Null) => None,
        Some(value) => {
            let key = "target_folder_resource_id";
            Some(folder(value).map_err(|text| fault(key, &text))?)
        }
    };
    let list = object.get("resource_ids").and_then(Value::as_array);
    let list = list.filter(|list| list.len() <= IDS_MAX).ok_or_else(|| {
        fault("resource_ids", &format!("Expected `array` of length <= {IDS_MAX}"))
    })?;
    let resource = |(place, value): (usize, &Value)| {
        let text = value.as_str().unwrap_or_default();
        let dataset = shape::number(text, DATASET_LABEL).map(|id| Resource::Dataset(DatasetId(id)));
        let found = dataset.or_else(|| folder_label(text).map(Resource::Folder));
        found.ok_or_else(|| {
            let wanted = "Expected `datasource_` or `label_` and an id";
            fault(&format!("resource_ids[{place}]"), wanted)
        })
    };
    Ok((list.iter().enumerate().map(resource).collect::<Result<_, _>>()?, target))
}

/// The form of clients from 0.7 on: one operation `move` with resource ids, and the id of a folder or
/// `root`.
fn read_patch(object: &Map<String, Value>) -> Result<Move, (String, String)> {
    let fault = |key: &str, text: String| (format!("patch[0].{key}"), text);
    let [operation] = operations(object)? else {
        return Err(("patch".to_owned(), "Expected exactly one operation".to_owned()));
    };
    if operation.get("op").and_then(Value::as_str) != Some("move") {
        return Err(fault("op", "Expected `move`".to_owned()));
    }
    let target = match operation.get("path") {
        Some(Value::String(root)) if root == "root" => None,
        Some(value) => Some(folder(value).map_err(|text| fault("path", text))?),
        None => return Err(fault("path", "Expected the id of a folder, or `root`".to_owned())),
    };
    let list = operation.get("from").and_then(Value::as_array);
    let list = list
        .filter(|list| list.len() <= IDS_MAX)
        .ok_or_else(|| fault("from", format!("Expected `array` of length <= {IDS_MAX}")))?;
    let resource = |value: &Value| {
        let found = value.as_i64().and_then(Resource::numbered);
        found.ok_or_else(|| fault("from", "Expected a list of resource ids".to_owned()))
    };
    Ok((list.iter().map(resource).collect::<Result<_, _>>()?, target))
}

async fn check(call: &Call, place: Place, resource: &Resource) -> Result<(), ApiError> {
    match resource {
        Resource::Folder(id) => find(call, place, *id).await.map(drop),
        Resource::Dataset(id) => {
            let reads = call.app.engine.of(place.workspace);
            let found = reads.dataset(place.project, *id).await?;
            found.map(drop).ok_or_else(ApiError::not_found)
        }
    }
}

async fn put(
    call: &Call,
    place: Place,
    resource: Resource,
    target: Option<FolderId>,
) -> Result<(), ApiError> {
    let engine = &call.app.engine;
    match resource {
        Resource::Folder(id) => {
            let change = FolderChange { name: None, parent: Some(target) };
            engine.update_folder(place.workspace, id, change).await?;
        }
        Resource::Dataset(id) => {
            let patch = DatasetPatch { folder: Some(target), ..DatasetPatch::default() };
            engine.update_dataset(place.workspace, id, patch).await?;
        }
    }
    Ok(())
}
