//! Reading JSON bodies: explicit nulls and unknown keys are fine, and an error names the path of the
//! value at fault (docs/spec/ultracart.md#writing).

use axum::body::Body;
use serde_json::{Map, Value};

use super::error::ApiError;
use crate::body::{self, Unread};
use crate::turned::Turned;

/// The largest body, in bytes. A webhook that subscribes to every event with long expansions has
/// less than a hundred kilobytes.
const BODY_BYTES_MAX: usize = 1 << 20;

/// Reads a body of one JSON object.
pub(super) async fn read_object(body: Body) -> Result<Map<String, Value>, ApiError> {
    let bytes = body::read(body, BODY_BYTES_MAX).await.map_err(|unread| match unread {
        Unread::TooLarge => ApiError::too_large(BODY_BYTES_MAX),
        Unread::Full => ApiError::turned_away(&Turned::Full),
        Unread::Broken(error) => ApiError::unreadable(error),
    })?;
    match serde_json::from_slice(&bytes) {
        Ok(Value::Object(map)) => Ok(map),
        Ok(other) => {
            let found = kind(&other);
            Err(ApiError::unreadable(format!("it must be a JSON object, and is {found}")))
        }
        Err(_) if bytes.is_empty() => {
            Err(ApiError::unreadable("it must be a JSON object, and is empty"))
        }
        Err(error) => Err(ApiError::unreadable(format!("it is not valid JSON: {error}"))),
    }
}

/// An object somewhere in a body.
#[derive(Clone, Copy)]
pub(super) struct Object<'a> {
    map: &'a Map<String, Value>,
    /// The object's path; empty for the body.
    path: &'a str,
}

impl<'a> Object<'a> {
    /// The body as an object.
    pub(super) fn root(map: &'a Map<String, Value>) -> Self {
        Self { map, path: "" }
    }

    /// The value at a path as an object.
    pub(super) fn at(value: &'a Value, path: &'a str) -> Result<Self, ApiError> {
        match value {
            Value::Object(map) => Ok(Self { map, path }),
            other => Err(wrong_type(path, "an object", other)),
        }
    }

    /// The path of a value in this object.
    pub(super) fn path_of(self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// A value; null is absent.
    fn value(self, key: &str) -> Option<&'a Value> {
        self.map.get(key).filter(|value| !value.is_null())
    }

    /// Whether the value is present and null, which clears an optional text.
    pub(super) fn is_null(self, key: &str) -> bool {
        self.map.get(key).is_some_and(Value::is_null)
    }

    /// A text.
    pub(super) fn text(self, key: &str) -> Result<Option<&'a str>, ApiError> {
        match self.value(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(wrong_type(&self.path_of(key), "a string", other)),
        }
    }

    /// A boolean.
    pub(super) fn boolean(self, key: &str) -> Result<Option<bool>, ApiError> {
        match self.value(key) {
            None => Ok(None),
            Some(Value::Bool(value)) => Ok(Some(*value)),
            Some(other) => Err(wrong_type(&self.path_of(key), "true or false", other)),
        }
    }

    /// A whole number of 32 bits. `5.0` is one: the newest Python SDK turns whole numbers into
    /// floats on the way through.
    pub(super) fn integer(self, key: &str) -> Result<Option<i32>, ApiError> {
        let Some(value) = self.value(key) else { return Ok(None) };
        let Value::Number(number) = value else {
            return Err(wrong_type(&self.path_of(key), "a whole number", value));
        };
        let whole = number.as_i64().and_then(|number| i32::try_from(number).ok());
        let whole = whole.or_else(|| number.as_f64().and_then(integral));
        whole.map(Some).ok_or_else(|| {
            let message = format!("must be a whole number of 32 bits, and is {number}");
            ApiError::invalid(&self.path_of(key), message)
        })
    }

    /// A list.
    pub(super) fn list(self, key: &str) -> Result<Option<&'a [Value]>, ApiError> {
        match self.value(key) {
            None => Ok(None),
            Some(Value::Array(values)) => Ok(Some(values)),
            Some(other) => Err(wrong_type(&self.path_of(key), "a list", other)),
        }
    }
}

/// A float as a whole number of 32 bits, if the float is whole.
fn integral(number: f64) -> Option<i32> {
    let fits =
        number.fract() == 0.0 && (f64::from(i32::MIN)..=f64::from(i32::MAX)).contains(&number);
    // Exact: the text of a whole float has no fraction.
    fits.then(|| format!("{number:.0}").parse().ok()).flatten()
}

fn wrong_type(path: &str, wanted: &str, found: &Value) -> ApiError {
    ApiError::invalid(path, format!("must be {wanted}, and is {}", kind(found)))
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(text: &str) -> Map<String, Value> {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn whole_numbers_come_in_every_spelling() {
        for (text, value) in [
            ("5", 5),
            ("5.0", 5),
            ("5e2", 500),
            ("-1", -1),
            ("-0.0", 0),
            ("2147483647", i32::MAX),
            ("2147483647.0", i32::MAX),
        ] {
            let map = map(&format!(r#"{{"n":{text}}}"#));
            assert_eq!(Object::root(&map).integer("n").unwrap(), Some(value), "{text}");
        }
        for text in ["5.5", "2147483648", "5000000000", "1e300", "\"5\"", "true", "[]"] {
            let map = map(&format!(r#"{{"n":{text}}}"#));
            let error = Object::root(&map).integer("n").unwrap_err().to_string();
            assert!(error.starts_with("n: must be a whole number"), "{text}: {error}");
        }
    }

    #[test]
    fn null_is_absent_for_every_type() {
        let map = map(r#"{"x":null}"#);
        let object = Object::root(&map);
        assert_eq!(object.text("x").unwrap(), None);
        assert_eq!(object.integer("x").unwrap(), None);
        assert_eq!(object.boolean("x").unwrap(), None);
        assert_eq!(object.list("x").unwrap(), None);
        assert!(object.is_null("x") && !object.is_null("y"));
    }

    #[test]
    fn a_wrong_type_names_its_path() {
        let map = map(r#"{"a":{"b":1},"c":[]}"#);
        let root = Object::root(&map);
        let inner = Object::at(&map["a"], "a").unwrap();
        assert_eq!(
            inner.text("b").unwrap_err().to_string(),
            "a.b: must be a string, and is a number"
        );
        assert_eq!(
            root.boolean("c").unwrap_err().to_string(),
            "c: must be true or false, and is a list"
        );
        assert!(Object::at(&map["c"], "c").is_err());
    }

    #[tokio::test]
    async fn only_objects_are_bodies() {
        for text in ["", "[]", "null", "3", "{", r#"{"a":}"#, "\u{feff}{}", "{} x"] {
            assert!(read_object(Body::from(text)).await.is_err(), "{text}");
        }
        assert!(read_object(Body::from(&b"{\"a\":\"\xff\"}"[..])).await.is_err());
        let body = read_object(Body::from(r#" {"url":"https:\/\/x.test\/h"} "#)).await.unwrap();
        assert_eq!(body["url"], "https://x.test/h");
        let huge = format!(r#"{{"a":"{}"}}"#, "x".repeat(BODY_BYTES_MAX));
        let error = read_object(Body::from(huge)).await.unwrap_err().to_string();
        assert!(error.contains("1048576"), "{error}");
    }
}
