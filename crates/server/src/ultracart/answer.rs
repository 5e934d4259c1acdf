//! Envelopes: the payload under its own key, then `success`, then `metadata`
//! (docs/spec/ultracart.md#answers).
//!
//! Everything is written by serde from structs, so the order of keys is the order of fields, and
//! what is absent is left out: a JSON null breaks clients (docs/spec/ultracart.md#trap-1).

use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use super::paging::Paging;

const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=UTF-8");

/// The part of a list in an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct ResultSet {
    count: i32,
    offset: i32,
    limit: i32,
    more: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_offset: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    total_records: Option<i32>,
}

impl ResultSet {
    /// A page of `count` entries. `total` is left out where counting would be a scan.
    pub(super) fn page(paging: Paging, count: usize, more: bool, total: Option<usize>) -> Self {
        let Paging { limit, offset } = paging;
        let count = int32(count);
        Self {
            count,
            offset,
            limit,
            more,
            next_offset: more.then(|| offset.saturating_add(count)),
            total_records: total.map(int32),
        }
    }
}

/// The nearest 32-bit number: larger ones wrap in Java and fail in C#
/// (docs/spec/ultracart.md#trap-11).
pub(super) fn int32(value: impl TryInto<i32>) -> i32 {
    value.try_into().unwrap_or(i32::MAX)
}

#[derive(Serialize)]
struct Metadata {
    #[serde(skip_serializing_if = "Option::is_none")]
    result_set: Option<ResultSet>,
    payload_name: &'static str,
}

struct Envelope<'a, T> {
    name: &'static str,
    payload: &'a T,
    result_set: Option<ResultSet>,
}

impl<T: Serialize> Serialize for Envelope<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let metadata = Metadata { result_set: self.result_set, payload_name: self.name };
        let mut map = serializer.serialize_map(Some(3))?;
        map.serialize_entry(self.name, self.payload)?;
        map.serialize_entry("success", &true)?;
        map.serialize_entry("metadata", &metadata)?;
        map.end()
    }
}

/// One object, or an always whole list.
pub(super) fn one<T: Serialize>(name: &'static str, payload: &T) -> Response {
    json(&Envelope { name, payload, result_set: None })
}

/// A page of a list.
pub(super) fn page<T: Serialize>(
    name: &'static str,
    payload: &[T],
    result_set: ResultSet,
) -> Response {
    json(&Envelope { name, payload: &payload, result_set: Some(result_set) })
}

/// A body of JSON.
pub(super) fn json<T: Serialize>(body: &T) -> Response {
    match serde_json::to_vec(body) {
        Ok(bytes) => ([(CONTENT_TYPE, JSON)], bytes).into_response(),
        Err(error) => {
            tracing::error!(%error, "an answer could not be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: &impl Serialize) -> String {
        serde_json::to_string(value).unwrap()
    }

    #[test]
    fn the_payload_comes_first() {
        let envelope = Envelope { name: "webhook", payload: &[1], result_set: None };
        assert_eq!(
            text(&envelope),
            r#"{"webhook":[1],"success":true,"metadata":{"payload_name":"webhook"}}"#
        );
    }

    #[test]
    fn a_page_says_where_the_next_begins() {
        let paging = Paging { limit: 2, offset: 4 };
        assert_eq!(
            text(&ResultSet::page(paging, 2, true, Some(163))),
            r#"{"count":2,"offset":4,"limit":2,"more":true,"next_offset":6,"total_records":163}"#
        );
        assert_eq!(
            text(&ResultSet::page(paging, 1, false, None)),
            r#"{"count":1,"offset":4,"limit":2,"more":false}"#
        );
    }

    #[test]
    fn numbers_stay_within_32_bits() {
        assert_eq!(int32(5_000_000_000_u64), i32::MAX);
        assert_eq!(int32(7_u64), 7);
    }
}
