//! The table from deliveries to cells (docs/spec/mammoth.md#data).

use bytes::Bytes;
use hookyard_core::body;
use hookyard_core::form::{FIELDS_MAX, multipart, urlencoded};
use hookyard_core::signature::shared_secret;
use http::Method;
use http::header::CONTENT_TYPE;
use serde::Serialize;

use super::fields::Fields;
use super::{Head, Refusal, coding, json};

const NOT_TEXT: &str = "the body is not UTF-8";
const FOREIGN_CHARSET: &str = "the body is in the charset that its content type names: send UTF-8";
const MULTIPART: &str = "multipart/form-data";

/// The cell of a delivery: the text of a JSON value, or nothing to store. With `secure`, the query
/// parameter `secret` belongs to the proof and not to the data.
pub(super) fn cell(
    head: Head<'_>,
    body: &Bytes,
    secure: bool,
    bytes_max: usize,
) -> Result<Option<Bytes>, Refusal> {
    if head.method == Method::HEAD {
        return Ok(None);
    }
    if head.method != Method::POST {
        return query(head.query, secure);
    }
    if body.len() > bytes_max {
        return Err(Refusal::TooLarge);
    }
    let body = coding::decode(head.headers, body, bytes_max)?;
    let content_type = head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let content_type = content_type.unwrap_or_default();
    let body = cleaned(content_type, &body)?;
    if body.is_empty() {
        return query(head.query, secure);
    }
    read_body(content_type, &body)
}

/// A body in the form for all readers of the module: without a byte order mark, and in no charset
/// but UTF-8. The parts of a multipart form are judged separately.
pub(super) fn cleaned(content_type: &str, body: &Bytes) -> Result<Bytes, Refusal> {
    let is_multipart = body::essence(content_type) == MULTIPART;
    if !is_multipart && body::foreign_charset(content_type, body).is_some() {
        return Err(Refusal::Unsupported(FOREIGN_CHARSET));
    }
    Ok(body.slice_ref(body::without_mark(body)))
}

fn read_body(content_type: &str, body: &Bytes) -> Result<Option<Bytes>, Refusal> {
    match body::essence(content_type).as_str() {
        "application/json" => read_json(body),
        essence if essence.ends_with("+json") => read_json(body),
        "application/x-www-form-urlencoded" => form(body),
        MULTIPART => form_data(content_type, body),
        _ => read_text(body),
    }
}

fn query(query: &str, secure: bool) -> Result<Option<Bytes>, Refusal> {
    let mut pairs = urlencoded::parse(query.as_bytes()).map_err(|fault| match fault {
        urlencoded::Fault::NotUtf8 => Refusal::Malformed("the query is not UTF-8".to_owned()),
        urlencoded::Fault::TooMany => too_many("query"),
    })?;
    if secure {
        pairs.retain(|(name, _)| name != shared_secret::QUERY_PARAMETER);
    }
    object(pairs)
}

fn read_json(body: &Bytes) -> Result<Option<Bytes>, Refusal> {
    let range = json::locate(body).map_err(Refusal::Malformed)?;
    Ok(Some(body.slice(range)))
}

fn form(body: &Bytes) -> Result<Option<Bytes>, Refusal> {
    let pairs = urlencoded::parse(body).map_err(|fault| match fault {
        urlencoded::Fault::NotUtf8 => Refusal::Unsupported(NOT_TEXT),
        urlencoded::Fault::TooMany => too_many("form"),
    })?;
    object(pairs)
}

fn form_data(content_type: &str, body: &Bytes) -> Result<Option<Bytes>, Refusal> {
    let parts = multipart::parse(content_type, body).map_err(|fault| match fault {
        multipart::Fault::NotUtf8 => Refusal::Unsupported(NOT_TEXT),
        multipart::Fault::Broken(reason) => {
            Refusal::Malformed(format!("the form is malformed: {reason}"))
        }
    })?;
    object(parts)
}

fn read_text(body: &Bytes) -> Result<Option<Bytes>, Refusal> {
    if let Ok(range) = json::locate(body) {
        return Ok(Some(body.slice(range)));
    }
    let text = std::str::from_utf8(body).map_err(|_| Refusal::Unsupported(NOT_TEXT))?;
    // Room for a few escapes, so that the buffer of a large text is not copied to grow.
    let cell = Vec::with_capacity(text.len() + text.len() / 16 + 2);
    write_to(cell, text).map(Some)
}

fn object<V: Serialize>(pairs: Vec<(String, V)>) -> Result<Option<Bytes>, Refusal> {
    Fields::group(pairs).map(|fields| write(&fields)).transpose()
}

fn write<V: Serialize + ?Sized>(value: &V) -> Result<Bytes, Refusal> {
    write_to(Vec::new(), value)
}

fn write_to<V: Serialize + ?Sized>(mut cell: Vec<u8>, value: &V) -> Result<Bytes, Refusal> {
    match serde_json::to_writer(&mut cell, value) {
        Ok(()) => Ok(cell.into()),
        Err(error) => Err(Refusal::Malformed(error.to_string())),
    }
}

fn too_many(what: &str) -> Refusal {
    Refusal::Malformed(format!("the {what} has more than {} fields", FIELDS_MAX))
}
