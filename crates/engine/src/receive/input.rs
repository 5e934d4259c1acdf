//! The table of what a delivery becomes (spec/mammoth.md section 5).

use bytes::Bytes;
use hookyard_core::signature::shared_secret;
use http::Method;
use http::header::CONTENT_TYPE;
use serde::Serialize;

use super::fields::{self, Fields};
use super::{Head, Refusal, coding, json, multipart};

const NOT_TEXT: &str = "the body is not UTF-8";

/// The cell of a delivery: the text of one JSON value, or nothing to store. `secure` says that the
/// query parameter `secret` belongs to the proof and not to the data.
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
    if body.is_empty() {
        return query(head.query, secure);
    }
    let content_type = head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    read_body(content_type.unwrap_or_default(), &body)
}

fn read_body(content_type: &str, body: &Bytes) -> Result<Option<Bytes>, Refusal> {
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match essence.as_str() {
        "application/json" => read_json(body),
        essence if essence.ends_with("+json") => read_json(body),
        "application/x-www-form-urlencoded" => form(body),
        "multipart/form-data" => form_data(content_type, body),
        _ => read_text(body),
    }
}

fn query(query: &str, secure: bool) -> Result<Option<Bytes>, Refusal> {
    let mut pairs = fields::parse(query.as_bytes()).map_err(|fault| match fault {
        fields::Fault::NotUtf8 => Refusal::Malformed("the query is not UTF-8".to_owned()),
        fields::Fault::TooMany => too_many("query"),
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
    let pairs = fields::parse(body).map_err(|fault| match fault {
        fields::Fault::NotUtf8 => Refusal::Unsupported(NOT_TEXT),
        fields::Fault::TooMany => too_many("form"),
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
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    // Room for a few escapes, so that a large text is not copied as it grows.
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
    Refusal::Malformed(format!("the {what} has more than {} fields", fields::FIELDS_MAX))
}
