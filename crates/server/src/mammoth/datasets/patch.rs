//! Changing datasets, one by the path or several by a list (docs/spec/mammoth.md#changes-of-datasets).

use axum::Json;
use axum::body::Body;
use hookyard_core::id::DatasetId;
use hookyard_core::model::{Columns, Dataset, Scope};
use hookyard_engine::Error;
use hookyard_engine::datasets::{DatasetPatch, check_given_name};
use http::StatusCode;
use serde_json::{Map, Value, json};

use super::super::body::{self, expected, unwrap_example};
use super::super::call::{Call, Place};
use super::super::error::ApiError;
use super::super::jobs;
use super::columns::{CELL_ID, batch_column, batch_column_ids};

/// The most operations of one patch.
const OPERATIONS_MAX: usize = 100;

/// Operations of the API without a use on this server: its datasets have one column of JSON, and are filled
/// by deliveries alone.
const UNSUPPORTED: [&str; 5] =
    ["columns", "column_type", "column_order", "connection", "schema_settings"];

/// An unusable value: a key within an operation, and the reason.
type Fault = (&'static str, String);

/// Changes a dataset, all or nothing.
pub(in super::super) async fn patch(
    call: Call,
    body: Body,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let place = call.place(Scope::DataWrite).await?;
    let dataset = find(&call, place, call.dataset()?).await?;
    let object = body::object(&call, body).await?;
    let operations = operations(object).map_err(|(key, text)| call.invalid_body(key, text))?;
    let mut patch = DatasetPatch::default();
    let mut columns = dataset.columns.clone();
    for (at, operation) in operations.into_iter().enumerate() {
        let read = apply(operation, &mut patch, &mut columns);
        let fault = |(key, text)| call.invalid_body(format!("patch[{at}]{key}"), text);
        read.map_err(fault)?;
    }
    if columns != dataset.columns {
        patch.columns = Some(columns);
    }
    let updated = call.app.engine.update_dataset(place.workspace, dataset.id, patch).await;
    let updated = updated.map_err(|error| call.refuse(error))?;
    let response = json!({"dataset_id": updated.id, "name": updated.name});
    jobs::accepted(&call, place, "update_dataset", response).await
}

/// Changes several datasets. All operations are checked before the first dataset is changed.
pub(in super::super) async fn patch_many(
    call: Call,
    body: Body,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let place = call.place(Scope::DataWrite).await?;
    let object = body::object(&call, body).await?;
    let operations = operations(object).map_err(|(key, text)| call.invalid_body(key, text))?;
    let mut changes = Vec::new();
    for (at, operation) in operations.into_iter().enumerate() {
        let fault = |(key, text)| call.invalid_body(format!("patch[{at}]{key}"), text);
        let (id, change) = bulk(operation).map_err(fault)?;
        changes.push((find(&call, place, id).await?.id, change));
    }
    let ids: Vec<_> = changes.iter().map(|(id, _)| *id).collect();
    for (id, change) in changes {
        apply_bulk(&call, place, id, change).await?;
    }
    let response = json!({"dataset_ids": ids});
    jobs::accepted(&call, place, "update_datasets", response).await
}

async fn apply_bulk(
    call: &Call,
    place: Place,
    id: DatasetId,
    change: Bulk,
) -> Result<(), ApiError> {
    let engine = &call.app.engine;
    match change {
        Bulk::Refresh => Ok(()),
        Bulk::Rename(name) => {
            let patch = DatasetPatch { name: Some(name), ..DatasetPatch::default() };
            engine.update_dataset(place.workspace, id, patch).await?;
            Ok(())
        }
        Bulk::Delete => match engine.delete_dataset(place.workspace, place.project, id).await {
            // An earlier operation deleted the dataset.
            Ok(()) | Err(Error::NotFound(_)) => Ok(()),
            Err(error) => Err(error.into()),
        },
    }
}

async fn find(call: &Call, place: Place, id: DatasetId) -> Result<Dataset, ApiError> {
    let found = call.app.engine.of(place.workspace).dataset(place.project, id).await?;
    found.ok_or_else(ApiError::not_found)
}

/// Reads the operations: one or a list, as `patch` or `patches`.
fn operations(mut object: Map<String, Value>) -> Result<Vec<Map<String, Value>>, Fault> {
    let given = object.remove("patch").or_else(|| object.remove("patches"));
    let list = match given {
        Some(operation @ Value::Object(_)) => vec![operation],
        Some(Value::Array(operations)) => operations,
        Some(other) => return Err(("patch", expected("object", &other))),
        None => return Err(("patch", "Expected `object`, got nothing".to_owned())),
    };
    if list.len() > OPERATIONS_MAX {
        return Err(("patch", format!("Expected `array` of length <= {OPERATIONS_MAX}")));
    }
    let read = |operation| match operation {
        Value::Object(operation) => Ok(operation),
        other => Err(("patch", expected("object", &other))),
    };
    list.into_iter().map(read).collect()
}

fn word<'a>(operation: &'a Map<String, Value>, key: &str) -> &'a str {
    operation.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn apply(
    mut operation: Map<String, Value>,
    patch: &mut DatasetPatch,
    columns: &mut Columns,
) -> Result<(), Fault> {
    let value = operation.remove("value").map(unwrap_example).unwrap_or_default();
    let path = word(&operation, "path");
    let path = path.strip_prefix('/').unwrap_or(path);
    match (path, word(&operation, "op")) {
        ("name", "replace") => patch.name = Some(given_name(&value)?),
        ("column_name", "replace") => columns.name = Some(column_name(&value)?),
        ("batch_columns", "add") => {
            for column in batch_columns(&value)? {
                if !columns.batch.contains(&column) {
                    columns.batch.push(column);
                }
            }
        }
        ("batch_columns", "remove") => {
            let gone = batch_columns(&value)?;
            columns.batch.retain(|column| !gone.contains(column));
        }
        // Deliveries are loaded when accepted, so nothing is ever left to load.
        ("data_refresh", "command") => {}
        ("name" | "column_name", _) => return Err((".op", "Expected `replace`".to_owned())),
        ("batch_columns", _) => return Err((".op", "Expected one of add, remove".to_owned())),
        ("data_refresh", _) => return Err((".op", "Expected `command`".to_owned())),
        (path, _) if UNSUPPORTED.contains(&path) => {
            let text = format!("Changing `{path}` is not supported: rows are one column of JSON");
            return Err((".path", text));
        }
        _ => {
            let text = "Expected one of name, column_name, batch_columns, data_refresh";
            return Err((".path", text.to_owned()));
        }
    }
    Ok(())
}

/// A name, by itself or as a member.
fn given_name(value: &Value) -> Result<String, Fault> {
    let name = value.get("name").unwrap_or(value);
    let name = name.as_str().ok_or_else(|| (".value", expected("str", name)))?;
    check_given_name(name).map_err(|text| (".value", text))
}

/// The new name of the column with the cells: `{"column_1": "payload"}`, or members with the column and the
/// name.
fn column_name(value: &Value) -> Result<String, Fault> {
    let object = value.as_object().ok_or_else(|| (".value", expected("object", value)))?;
    let member = |keys: [&str; 3]| keys.into_iter().find_map(|key| object.get(key));
    let name = match member(["c_id", "column_id", "column"]) {
        Some(id) if id == CELL_ID => member(["c_name", "column_name", "name"]),
        Some(_) => None,
        None => object.get(CELL_ID).filter(|_| object.len() == 1),
    };
    let wanted = || format!("Expected `{{\"{CELL_ID}\": \"the new name\"}}`");
    given_name(name.ok_or_else(|| (".value", wanted()))?)
}

fn batch_columns(value: &Value) -> Result<Vec<hookyard_core::model::BatchColumn>, Fault> {
    let listed = match value {
        Value::Array(list) => list.as_slice(),
        one => std::slice::from_ref(one),
    };
    let column = |value: &Value| value.as_str().and_then(batch_column);
    let columns: Option<Vec<_>> = listed.iter().map(column).collect();
    columns.ok_or_else(|| (".value", format!("Expected a list of {}", batch_column_ids())))
}

/// The effect of one operation of a list on a dataset.
#[derive(Debug, PartialEq, Eq)]
enum Bulk {
    Rename(String),
    Refresh,
    Delete,
}

fn bulk(mut operation: Map<String, Value>) -> Result<(DatasetId, Bulk), Fault> {
    let value = operation.remove("value").map(unwrap_example).unwrap_or_default();
    let path = word(&operation, "path");
    let id = path.strip_prefix('/').unwrap_or(path);
    let digits = id.bytes().all(|byte| byte.is_ascii_digit());
    let id = id.parse().ok().filter(|_| digits);
    let id = id.ok_or_else(|| (".path", "Expected `/` and the id of a dataset".to_owned()))?;
    let change = match word(&operation, "op") {
        "rename_dataset" => Bulk::Rename(given_name(&value)?),
        "refresh_data" => Bulk::Refresh,
        "delete_datasets" => Bulk::Delete,
        _ => {
            let text = "Expected one of rename_dataset, refresh_data, delete_datasets";
            return Err((".op", text.to_owned()));
        }
    };
    Ok((DatasetId(id), change))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hookyard_core::model::BatchColumn;

    fn read(operation: Value) -> Result<(DatasetPatch, Columns), &'static str> {
        let Value::Object(operation) = operation else { panic!("not an object") };
        let (mut patch, mut columns) = (DatasetPatch::default(), Columns::default());
        columns.batch = vec![BatchColumn::Id];
        apply(operation, &mut patch, &mut columns).map_err(|(key, _)| key)?;
        Ok((patch, columns))
    }

    #[test]
    fn what_can_be_changed_is_read() {
        let name = |value| read(json!({"op": "replace", "path": "name", "value": value}));
        for value in [json!(" Orders "), json!({"name": "Orders"}), json!({"value": "Orders"})] {
            assert_eq!(name(value).unwrap().0.name.as_deref(), Some("Orders"));
        }
        let column = |value| read(json!({"op": "replace", "path": "/column_name", "value": value}));
        for value in
            [json!({"column_1": "payload"}), json!({"c_id": "column_1", "c_name": "payload"})]
        {
            assert_eq!(column(value).unwrap().1.name.as_deref(), Some("payload"));
        }
        let batch = |op, value| read(json!({"op": op, "path": "batch_columns", "value": value}));
        let added = batch("add", json!(["batch_table_col_date", "batch_ID"])).unwrap().1.batch;
        assert_eq!(added, [BatchColumn::Id, BatchColumn::Date]);
        assert!(batch("remove", json!("batch_table_col_id")).unwrap().1.batch.is_empty());
        let refresh = json!({"op": "command", "path": "data_refresh",
            "value": {"refresh_source_type": "webhook", "source_id": 8}});
        assert_eq!(read(refresh).unwrap().0, DatasetPatch::default());
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (operation, key) in [
            (json!({"op": "add", "path": "name", "value": "x"}), ".op"),
            (json!({"op": "replace", "path": "name", "value": 5}), ".value"),
            (json!({"op": "replace", "path": "name", "value": " "}), ".value"),
            (json!({"op": "replace", "path": "column_name", "value": {"column_2": "x"}}), ".value"),
            (json!({"op": "add", "path": "batch_columns", "value": ["x"]}), ".value"),
            (json!({"op": "replace", "path": "batch_columns", "value": []}), ".op"),
            (json!({"op": "replace", "path": "column_type", "value": {}}), ".path"),
            (json!({"op": "replace", "path": "nope", "value": {}}), ".path"),
            (json!({}), ".path"),
        ] {
            assert_eq!(read(operation.clone()).map(drop), Err(key), "{operation}");
        }
        let Value::Object(none) = json!({"patch": 5}) else { panic!("not an object") };
        assert_eq!(operations(none).unwrap_err().0, "patch");
    }

    #[test]
    fn lists_name_their_datasets() {
        let read = |operation: Value| {
            let Value::Object(operation) = operation else { panic!("not an object") };
            bulk(operation).map_err(|(key, _)| key)
        };
        let rename = json!({"op": "rename_dataset", "path": "/535", "value": {"name": "x"}});
        assert_eq!(read(rename), Ok((DatasetId(535), Bulk::Rename("x".to_owned()))));
        let delete = json!({"op": "delete_datasets", "path": "5"});
        assert_eq!(read(delete), Ok((DatasetId(5), Bulk::Delete)));
        assert_eq!(read(json!({"op": "add_columns", "path": "/5"})), Err(".op"));
        assert_eq!(read(json!({"op": "refresh_data", "path": "/x"})), Err(".path"));
        assert_eq!(read(json!({"op": "refresh_data", "path": "/+5"})), Err(".path"));
    }
}
