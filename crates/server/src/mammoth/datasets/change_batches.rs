//! Suspending, restoring and deleting batches (docs/spec/mammoth.md#batches).

use axum::Json;
use axum::body::Body;
use hookyard_core::id::BatchId;
use hookyard_core::model::Scope;
use hookyard_store::{BATCHES_CHANGED_MAX, BatchChange};
use http::StatusCode;
use serde_json::{Map, Value, json};

use super::super::body::{self, expected};
use super::super::call::{Call, Place};
use super::super::error::ApiError;
use super::super::jobs;

type Changes = Vec<(BatchId, BatchChange)>;

/// Deletes one batch.
pub(in super::super) async fn delete_batch(
    call: Call,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let place = call.place(Scope::DataWrite).await?;
    let id = call.long_id("batch_id", 0)?;
    change(&call, place, vec![(batch(id), BatchChange::Delete)], "delete_batches").await
}

/// Deletes the batches of a list, all or none.
pub(in super::super) async fn delete_batches(
    call: Call,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let place = call.place(Scope::DataWrite).await?;
    let mut query = call.query();
    let ids = query.id_list("ids", BATCHES_CHANGED_MAX);
    if ids.is_none() {
        query.missing("ids");
    }
    call.checked(query)?;
    let ids = ids.unwrap_or_default().into_iter();
    let changes = ids.map(|id| (batch(id), BatchChange::Delete)).collect();
    change(&call, place, changes, "delete_batches").await
}

/// Suspends, restores or deletes batches, all or none.
pub(in super::super) async fn patch_batches(
    call: Call,
    body: Body,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let place = call.place(Scope::DataWrite).await?;
    let object = body::object(&call, body).await?;
    let changes = changes(object).map_err(|(key, message)| call.invalid_body(key, message))?;
    change(&call, place, changes, "update_batches").await
}

async fn change(
    call: &Call,
    place: Place,
    changes: Changes,
    operation: &str,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let dataset = call.dataset()?;
    let reads = call.app.engine.of(place.workspace);
    if reads.dataset(place.project, dataset).await?.is_none() {
        return Err(ApiError::not_found());
    }
    let ids: Vec<_> = changes.iter().map(|(id, _)| *id).collect();
    call.app.engine.change_batches(place.workspace, dataset, changes).await?;
    jobs::accepted(call, place, operation, json!({"batch_ids": ids})).await
}

/// Reads one operation, or a list of operations. Operations of the newest SDK have no path.
fn changes(mut object: Map<String, Value>) -> Result<Changes, (String, String)> {
    let operations = match object.remove("patch") {
        Some(operation @ Value::Object(_)) => vec![operation],
        Some(Value::Array(operations)) => operations,
        Some(other) => return Err(("patch".to_owned(), expected("object", &other))),
        None => return Err(("patch".to_owned(), "Expected `object`, got nothing".to_owned())),
    };
    let mut changes = Vec::new();
    for (place, operation) in operations.into_iter().enumerate() {
        let read = self::operation(operation);
        changes.extend(read.map_err(|(key, message)| (format!("patch[{place}]{key}"), message))?);
    }
    if changes.len() > BATCHES_CHANGED_MAX {
        return Err(("patch".to_owned(), format!("Expected at most {BATCHES_CHANGED_MAX} ids")));
    }
    Ok(changes)
}

fn operation(operation: Value) -> Result<Changes, (&'static str, String)> {
    let mut operation = match operation {
        Value::Object(operation) => operation,
        other => return Err(("", expected("object", &other))),
    };
    let path = operation.remove("path").unwrap_or_else(|| json!("batches"));
    if !matches!(path.as_str(), Some("batches" | "/batches")) {
        return Err((".path", "Expected `batches`".to_owned()));
    }
    let value = operation.remove("value").unwrap_or_default();
    match operation.get("op").and_then(Value::as_str) {
        Some("remove") => ids(&value, BatchChange::Delete).map_err(|message| (".value", message)),
        Some("replace") => states(&value).map_err(|message| (".value", message)),
        _ => Err((".op", "Expected one of replace, remove".to_owned())),
    }
}

fn states(value: &Value) -> Result<Changes, String> {
    let states = value.as_object().ok_or_else(|| expected("object", value))?;
    let mut changes = Vec::new();
    for (word, list) in states {
        let change = match word.as_str() {
            "suspend" => BatchChange::Suspend,
            "restore" => BatchChange::Restore,
            _ => return Err("Expected an object of `suspend` and `restore`".to_owned()),
        };
        changes.extend(ids(list, change)?);
    }
    Ok(changes)
}

fn ids(value: &Value, change: BatchChange) -> Result<Changes, String> {
    let list = value.as_array().ok_or_else(|| expected("array", value))?;
    let id = |id: &Value| {
        let id =
            id.as_u64().ok_or_else(|| format!("{} as the id of a batch", expected("int", id)))?;
        Ok((BatchId(id), change))
    };
    list.iter().map(id).collect()
}

/// A path's or a query's number; no batch has a negative number.
fn batch(id: i64) -> BatchId {
    BatchId(u64::try_from(id).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(patch: Value) -> Result<Changes, String> {
        changes([("patch".to_owned(), patch)].into_iter().collect()).map_err(|(key, _)| key)
    }

    #[test]
    fn both_forms_are_read() {
        let suspended =
            vec![(BatchId(1), BatchChange::Suspend), (BatchId(2), BatchChange::Suspend)];
        let one = json!({"op": "replace", "path": "batches", "value": {"suspend": [1, 2]}});
        assert_eq!(read(one), Ok(suspended));
        let list =
            json!([{"op": "replace", "value": {"restore": [3]}}, {"op": "remove", "value": [4]}]);
        let wanted = vec![(BatchId(3), BatchChange::Restore), (BatchId(4), BatchChange::Delete)];
        assert_eq!(read(list), Ok(wanted));
        assert_eq!(read(json!([])), Ok(vec![]));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (patch, key) in [
            (json!(1), "patch"),
            (json!([1]), "patch[0]"),
            (json!({"op": "add", "value": [1]}), "patch[0].op"),
            (json!({"op": "remove", "path": "rows", "value": [1]}), "patch[0].path"),
            (json!({"op": "remove", "value": {"ids": [1]}}), "patch[0].value"),
            (json!({"op": "remove", "value": ["1"]}), "patch[0].value"),
            (json!({"op": "remove", "value": [-1]}), "patch[0].value"),
            (json!({"op": "replace", "value": {"delete": [1]}}), "patch[0].value"),
            (json!({"op": "replace", "value": {"suspend": 1}}), "patch[0].value"),
            (json!({"op": "remove", "value": vec![1; BATCHES_CHANGED_MAX + 1]}), "patch"),
        ] {
            assert_eq!(read(patch.clone()), Err(key.to_owned()), "{patch}");
        }
        assert!(changes(Map::new()).is_err());
    }
}
