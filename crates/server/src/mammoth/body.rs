//! Request bodies.

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde_json::{Map, Value};

use super::call::Call;
use super::error::ApiError;
use crate::body::{self, Unread};

/// The largest body of a management call, in bytes. The largest sensible body, a patch of a hundred
/// operations with the longest origins, is well within the bound.
const BYTES_MAX: usize = 1 << 20;

/// Reads a body of at most `bytes_max` bytes. A body with a larger declared length is not waited for.
pub(crate) async fn read(
    headers: &HeaderMap,
    body: Body,
    bytes_max: usize,
) -> Result<Bytes, ApiError> {
    let declared = headers.get(http::header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    let declared: Option<usize> = declared.and_then(|length| length.parse().ok());
    if declared.is_some_and(|length| length > bytes_max) {
        return Err(ApiError::too_large());
    }
    body::read(body, bytes_max).await.map_err(|unread| match unread {
        Unread::TooLarge => ApiError::too_large(),
        Unread::Full => ApiError::new(StatusCode::SERVICE_UNAVAILABLE, Unread::Full.to_string()),
        Unread::Broken(_) => {
            ApiError::new(StatusCode::BAD_REQUEST, "the body did not arrive whole")
        }
    })
}

/// Reads a body that must be a JSON object, whatever the media type.
pub(super) async fn object(call: &Call, body: Body) -> Result<Map<String, Value>, ApiError> {
    let bytes = read(call.headers(), body, BYTES_MAX).await?;
    if bytes.is_empty() {
        return Err(call.invalid_body("data", "Expected `object`, got nothing"));
    }
    match serde_json::from_slice(&bytes) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(other) => Err(call.invalid_body("data", expected("object", &other))),
        Err(error) => Err(ApiError::new(StatusCode::BAD_REQUEST, malformed(&bytes, &error))),
    }
}

fn malformed(bytes: &[u8], error: &serde_json::Error) -> String {
    let words = error.to_string();
    let reason = words.split_once(" at line ").map_or(words.as_str(), |(reason, _)| reason);
    let lines = bytes.split_inclusive(|byte| *byte == b'\n');
    let before: usize = lines.take(error.line().saturating_sub(1)).map(<[u8]>::len).sum();
    let byte = (before + error.column().saturating_sub(1)).min(bytes.len());
    format!("JSON is malformed: {reason} (byte {byte})")
}

/// The words for a value of the wrong type.
pub(super) fn expected(wanted: &str, found: &Value) -> String {
    let found = match found {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float",
        Value::Number(_) => "int",
        Value::String(_) => "str",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    format!("Expected `{wanted}`, got `{found}`")
}

/// Undoes a quirk of the published schema: the schema's examples for plain values are objects such as
/// `{"value": "test"}`, and code generated from the schema sends such objects
/// (docs/spec/mammoth.md#create).
pub(super) fn unwrap_example(value: Value) -> Value {
    match value {
        Value::Object(mut object) if object.len() == 1 => match object.remove("value") {
            Some(inner) => inner,
            None => Value::Object(object),
        },
        value => value,
    }
}

/// The same when the object is a string of JSON, as in the sample code of one client (rule b).
pub(super) fn unwrap_origins(origins: String) -> String {
    match serde_json::from_str(&origins).map(unwrap_example) {
        Ok(Value::String(inner)) if origins.trim_start().starts_with('{') => inner,
        _ => origins,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn wrapped_examples_are_unwrapped_once() {
        assert_eq!(unwrap_example(json!({"value": "test"})), json!("test"));
        assert_eq!(unwrap_example(json!({"value": {"value": 1}})), json!({"value": 1}));
        for other in [json!({"value": 1, "x": 2}), json!({"x": 1}), json!({}), json!("test")] {
            assert_eq!(unwrap_example(other.clone()), other);
        }
    }

    #[test]
    fn wrapped_origins_are_unwrapped() {
        assert_eq!(unwrap_origins("{\"value\":\"*\"}".to_owned()), "*");
        for other in ["*", "", "\"*\"", "{\"value\":1}", "{\"x\":\"*\"}", "{\"value\":\"*\"", "1"] {
            assert_eq!(unwrap_origins(other.to_owned()), other);
        }
    }

    #[test]
    fn malformed_bodies_name_the_byte() {
        let bytes = b"{\n bad}";
        let error = serde_json::from_slice::<Value>(bytes).unwrap_err();
        assert_eq!(malformed(bytes, &error), "JSON is malformed: key must be a string (byte 3)");
    }
}
