use axum::Json;
use axum::body::Body;
use hookyard_core::id::SourceId;
use hookyard_core::model::Scope;
use hookyard_engine::sources::Change;
use serde_json::{Map, Value};

use super::super::body::{self, expected, unwrap_example, unwrap_origins};
use super::super::call::Call;
use super::super::error::ApiError;
use super::shape::{Details, Fields};

/// The most operations of one patch. Three settings can change; more operations only repeat changes.
const OPERATIONS_MAX: usize = 100;

/// Changes a webhook, all or nothing (docs/spec/mammoth.md#patch).
pub(in super::super) async fn patch(call: Call, body: Body) -> Result<Json<Details>, ApiError> {
    let place = call.place(Scope::DataWrite).await?;
    let id = SourceId(call.id("webhook_id", 0)?);
    let object = body::object(&call, body).await?;
    let changes = changes(object).map_err(|(key, message)| call.invalid_body(key, message))?;
    let updated = call.app.engine.update_source(place.workspace, place.project, id, changes).await;
    let source = updated.map_err(|error| call.refuse(error))?;
    Ok(Json(Details::new(&source, Fields::STANDARD)))
}

fn changes(mut object: Map<String, Value>) -> Result<Vec<Change>, (String, String)> {
    let operations = match object.remove("patch") {
        Some(Value::Array(operations)) => operations,
        Some(other) => return Err(("patch".to_owned(), expected("array", &other))),
        None => return Err(("patch".to_owned(), "Expected `array`, got nothing".to_owned())),
    };
    if operations.len() > OPERATIONS_MAX {
        let message = format!("Expected `array` of length <= {OPERATIONS_MAX}");
        return Err(("patch".to_owned(), message));
    }
    let read = |(place, operation)| {
        change(operation).map_err(|(member, message)| (format!("patch[{place}]{member}"), message))
    };
    operations.into_iter().enumerate().map(read).collect()
}

fn change(operation: Value) -> Result<Change, (&'static str, String)> {
    let mut operation = match operation {
        Value::Object(operation) => operation,
        other => return Err(("", expected("object", &other))),
    };
    if operation.get("op").and_then(Value::as_str) != Some("replace") {
        return Err((".op", "Expected `replace`".to_owned()));
    }
    let path = operation.remove("path").unwrap_or_default();
    let value = operation.remove("value").map(unwrap_example).unwrap_or_default();
    let path = path.as_str().unwrap_or_default();
    match path.strip_prefix('/').unwrap_or(path) {
        "mode" => super::read_mode(&value).map(Change::Mode),
        "origins" => match value {
            Value::String(origins) => Ok(Change::Origins(unwrap_origins(origins))),
            other => Err(expected("str", &other)),
        },
        "is_secure" => {
            value.as_bool().map(Change::IsSecure).ok_or_else(|| expected("bool", &value))
        }
        _ => return Err((".path", "Expected one of mode, origins, is_secure".to_owned())),
    }
    .map_err(|message| (".value", message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hookyard_core::model::Mode;
    use serde_json::json;

    fn read(operations: Value) -> Result<Vec<Change>, String> {
        let object = [("patch".to_owned(), operations)].into_iter().collect();
        changes(object).map_err(|(key, _)| key)
    }

    #[test]
    fn operations_are_read_in_order() {
        let operations = json!([
            {"op": "replace", "path": "mode", "value": {"value": "Combine"}},
            {"op": "replace", "path": "/origins", "value": "{\"value\":\"*\"}"},
            {"op": "replace", "path": "is_secure", "value": false},
        ]);
        let wanted = vec![
            Change::Mode(Mode::Combine),
            Change::Origins("*".to_owned()),
            Change::IsSecure(false),
        ];
        assert_eq!(read(operations), Ok(wanted));
        assert_eq!(read(json!([])), Ok(vec![]));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let good = json!({"op": "replace", "path": "mode", "value": "combine"});
        for (wrong, key) in [
            (json!({"op": "add", "path": "mode", "value": "combine"}), "patch[1].op"),
            (json!({"path": "mode", "value": "combine"}), "patch[1].op"),
            (json!({"op": "replace", "path": "name", "value": "x"}), "patch[1].path"),
            (json!({"op": "replace", "value": "x"}), "patch[1].path"),
            (json!({"op": "replace", "path": "mode"}), "patch[1].value"),
            (json!({"op": "replace", "path": "mode", "value": "append"}), "patch[1].value"),
            (json!({"op": "replace", "path": "origins", "value": null}), "patch[1].value"),
            (json!({"op": "replace", "path": "is_secure", "value": 1}), "patch[1].value"),
            (json!("mode"), "patch[1]"),
        ] {
            assert_eq!(read(json!([good, wrong])), Err(key.to_owned()));
        }
        assert_eq!(read(json!({})), Err("patch".to_owned()));
        assert_eq!(read(Value::Array(vec![good; 101])), Err("patch".to_owned()));
        assert!(changes(Map::new()).is_err());
    }
}
