use axum::Json;
use axum::body::Body;
use hookyard_core::model::Scope;
use hookyard_engine::sources::Draft;
use http::StatusCode;
use serde_json::{Map, Value};

use super::super::body::{self, expected, unwrap_example, unwrap_origins};
use super::super::call::Call;
use super::super::error::ApiError;
use super::shape::{Details, Fields};

/// Makes a webhook with a dataset (docs/spec/mammoth.md#create).
pub(in super::super) async fn create(
    call: Call,
    body: Body,
) -> Result<(StatusCode, Json<Details>), ApiError> {
    let place = call.place(Scope::DataWrite).await?;
    let object = body::object(&call, body).await?;
    let draft = draft(object).map_err(|(key, message)| call.invalid_body(key, message))?;
    let created = call.app.engine.create_source(place.workspace, place.project, draft).await;
    let source = created.map_err(|error| call.refuse(error))?;
    Ok((StatusCode::CREATED, Json(Details::new(&source, Fields::STANDARD))))
}

/// Reads the known members; absent members take the default.
fn draft(mut object: Map<String, Value>) -> Result<Draft, (&'static str, String)> {
    let mut draft = Draft::default();
    let mut take = |key| object.remove(key).map(unwrap_example);
    if let Some(name) = take("name") {
        draft.name = string("name", name)?;
    }
    if let Some(mode) = take("mode") {
        draft.mode = super::read_mode(&mode).map_err(|message| ("mode", message))?;
    }
    if let Some(origins) = take("origins") {
        draft.origins = unwrap_origins(string("origins", origins)?);
    }
    if let Some(secure) = take("is_secure") {
        draft.is_secure =
            secure.as_bool().ok_or_else(|| ("is_secure", expected("bool", &secure)))?;
    }
    draft.folder = match take("folder_resource_id") {
        None | Some(Value::Null) => None,
        Some(folder) => Some(string("folder_resource_id", folder)?),
    };
    Ok(draft)
}

fn string(key: &'static str, value: Value) -> Result<String, (&'static str, String)> {
    match value {
        Value::String(text) => Ok(text),
        other => Err((key, expected("str", &other))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hookyard_core::model::Mode;
    use serde_json::json;

    fn read(value: Value) -> Result<Draft, &'static str> {
        let Value::Object(object) = value else { panic!("not an object") };
        draft(object).map_err(|(key, _)| key)
    }

    #[test]
    fn absent_members_get_defaults_and_unknown_ones_are_ignored() {
        assert_eq!(read(json!({"x": 1, "folder_resource_id": null})), Ok(Draft::default()));
        assert_eq!(Draft::default().mode, Mode::Replace);
    }

    #[test]
    fn the_sample_call_is_understood() {
        let sample = json!({"folder_resource_id": "label_1363", "name": {"value": "test"},
            "mode": "Combine", "origins": "{\"value\":\"*\"}", "is_secure": true});
        let wanted = Draft {
            name: "test".to_owned(),
            mode: Mode::Combine,
            origins: "*".to_owned(),
            is_secure: true,
            folder: Some("label_1363".to_owned()),
            ..Draft::default()
        };
        assert_eq!(read(sample), Ok(wanted));
    }

    #[test]
    fn wrong_types_are_named() {
        for (key, value) in [
            ("name", json!(5)),
            ("name", json!(null)),
            ("mode", json!("append")),
            ("mode", json!(null)),
            ("origins", json!(["*"])),
            ("origins", json!({"value": 1})),
            ("is_secure", json!("yes")),
            ("is_secure", json!(null)),
            ("folder_resource_id", json!(1363)),
        ] {
            assert_eq!(read(json!({key: value})), Err(key));
        }
    }
}
