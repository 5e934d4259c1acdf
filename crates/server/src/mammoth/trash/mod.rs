//! The trash of a project: deleted datasets, to be restored or removed (docs/spec/mammoth-clients.md).
//!
//! Only datasets can be in the trash: Hookyard has no views, dashboards or automations, and answers
//! requests about them as for missing things.

mod list;

use std::collections::HashMap;

use axum::Json;
use axum::body::Body;
use hookyard_core::id::{DatasetId, FolderId};
use hookyard_core::model::{Dataset, Scope};
use http::StatusCode;
use serde_json::{Map, Value, json};

pub(super) use list::list;

use super::body;
use super::call::{Call, Place};
use super::error::ApiError;
use super::{folders, jobs};

/// The only kind of thing in this server's trash.
const DATASET: &str = "dataset";

/// The kinds of things in Mammoth's trash.
const KINDS: [&str; 4] = ["dataview", DATASET, "dashboard", "automation"];

/// The most things that one call moves into or out of the trash: a page of the trash.
const ITEMS_MAX: usize = 500;

/// The most datasets in the answer about a folder; all of the folder's datasets move to the trash.
const NAMED_MAX: usize = 500;

type Accepted = Result<(StatusCode, Json<Value>), ApiError>;

/// The direction: into the trash or out of the trash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    In,
    Out,
}

impl Way {
    async fn go(
        self,
        call: &Call,
        place: Place,
        ids: Vec<DatasetId>,
    ) -> Result<Vec<Dataset>, ApiError> {
        let (engine, Place { workspace, project, .. }) = (&call.app.engine, place);
        Ok(match self {
            Self::In => engine.trash_datasets(workspace, project, ids).await?,
            Self::Out => engine.restore_datasets(workspace, project, ids).await?,
        })
    }
}

/// Puts the things of a list in the trash.
pub(super) async fn add(call: Call, body: Body) -> Accepted {
    many(call, body, Way::In, "bulk_trash").await
}

/// Takes the things of a list out of the trash.
pub(super) async fn restore(call: Call, body: Body) -> Accepted {
    many(call, body, Way::Out, "bulk_restore").await
}

/// Puts a dataset in the trash.
pub(super) async fn trash_dataset(call: Call) -> Accepted {
    one(call, Way::In, "trash_dataset").await
}

/// Takes a dataset out of the trash.
pub(super) async fn restore_dataset(call: Call) -> Accepted {
    one(call, Way::Out, "restore_dataset").await
}

/// Puts the datasets of a folder and of all folders inside in the trash, and removes the folders.
pub(super) async fn trash_folder(call: Call) -> Accepted {
    let place = call.place(Scope::DataWrite).await?;
    let folder = folders::find(&call, place, FolderId(call.id("folder_id", 0)?)).await?;
    let trashed = call.app.engine.trash_folder(place.workspace, folder.id).await?;
    let named: Vec<_> = trashed.iter().take(NAMED_MAX).map(named).collect();
    let response = json!({"folder_deleted": true, "succeeded": named, "failed": []});
    jobs::tracked(&call, place, "trash_folder", response).await
}

async fn one(call: Call, way: Way, operation: &str) -> Accepted {
    let place = call.place(Scope::DataWrite).await?;
    let found = way.go(&call, place, vec![call.dataset()?]).await?;
    let dataset = found.first().ok_or_else(ApiError::not_found)?;
    let response = json!({"succeeded": [named(dataset)], "failed": []});
    jobs::tracked(&call, place, operation, response).await
}

async fn many(call: Call, body: Body, way: Way, operation: &str) -> Accepted {
    let place = call.place(Scope::DataWrite).await?;
    let object = body::object(&call, body).await?;
    let items = items(&object).map_err(|(key, text)| call.invalid_body(key, text))?;
    let ids = items.iter().filter_map(Item::dataset).collect();
    let found = way.go(&call, place, ids).await?;
    let found: HashMap<_, _> = found.iter().map(|dataset| (dataset.id, dataset)).collect();
    let (mut succeeded, mut failed) = (Vec::new(), Vec::new());
    for item in &items {
        match item.dataset().and_then(|id| found.get(&id)) {
            Some(dataset) => succeeded.push(named(dataset)),
            None => failed.push(json!({
                "id": item.id,
                "type": item.kind,
                "error": format!("the project has no such {}", item.kind),
            })),
        }
    }
    let response = json!({"succeeded": succeeded, "failed": failed});
    jobs::tracked(&call, place, operation, response).await
}

fn named(dataset: &Dataset) -> Value {
    json!({"id": dataset.id, "name": dataset.name, "type": DATASET})
}

/// A thing named by a caller.
#[derive(Debug)]
struct Item {
    kind: &'static str,
    id: i64,
}

impl Item {
    fn dataset(&self) -> Option<DatasetId> {
        (self.kind == DATASET).then(|| i32::try_from(self.id).ok().map(DatasetId))?
    }
}

fn items(object: &Map<String, Value>) -> Result<Vec<Item>, (String, String)> {
    let list = object.get("items").and_then(Value::as_array);
    let list = list.filter(|list| (1..=ITEMS_MAX).contains(&list.len())).ok_or_else(|| {
        ("items".to_owned(), format!("Expected `array` of length 1 to {ITEMS_MAX}"))
    })?;
    let item = |(place, value): (usize, &Value)| {
        let fault = |key: &str, text: String| (format!("items[{place}].{key}"), text);
        let kind = value.get("type").and_then(Value::as_str);
        let kind = KINDS.into_iter().find(|known| Some(*known) == kind);
        let kind = kind.ok_or_else(|| fault("type", format!("Expected {}", KINDS.join(", "))))?;
        let id = value.get("id").and_then(Value::as_i64).filter(|id| *id >= 1);
        let id = id.ok_or_else(|| fault("id", "Expected `int` >= 1".to_owned()))?;
        Ok(Item { kind, id })
    };
    list.iter().enumerate().map(item).collect()
}
