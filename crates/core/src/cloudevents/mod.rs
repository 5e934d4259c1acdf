//! Reading CloudEvents 1.0 from an HTTP request, in all three content modes.
//!
//! The event's data stays the exact text that was sent, in an allocation of its own: events are kept for
//! longer than their request, and must not keep its body, too.
//! Sources: CloudEvents 1.0.2 core, its JSON format and its HTTP protocol binding.

use bytes::Bytes;
use http::{HeaderMap, header};

use crate::body;
use crate::model::Audience;

mod attributes;
mod binary;
mod structured;
mod write;

pub use write::{insert_headers, time, write_head};

#[cfg(test)]
mod tests;

/// The deepest nesting of a published object. Readers that recurse (serde's, Python's) stop above it.
pub const NESTING_MAX: usize = 128;

/// One event as its publisher sent it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CloudEvent {
    /// The publisher's id.
    pub id: String,
    /// Where it happened, a URI reference.
    pub source: String,
    /// The name of its event type.
    pub event_type: String,
    /// The other attributes, as the text of one JSON object; empty when there are none.
    pub attributes: String,
    /// The text of its data, a JSON object. It is no part of a larger buffer.
    pub object: Bytes,
}

impl CloudEvent {
    /// Whose endpoints the event is for, as the attribute `customer` says.
    pub fn audience(&self) -> Audience {
        Audience::of_attributes(&self.attributes)
    }
}

/// Why a request is not events.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// What kind of fault it is.
    pub kind: ErrorKind,
    /// In a batch, which event is at fault, from 0.
    pub index: Option<usize>,
    /// The attribute or header at fault; empty when it is the body as a whole.
    pub field: String,
    /// What is wrong and what would be right.
    pub message: String,
}

/// A kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The body is not JSON.
    Malformed,
    /// A value is missing or cannot be used.
    Invalid,
    /// An event is larger than allowed.
    TooLarge,
    /// The media type is none that events come in.
    MediaType,
}

impl Error {
    fn new(kind: ErrorKind, field: &str, message: impl Into<String>) -> Self {
        Self { kind, index: None, field: field.to_owned(), message: message.into() }
    }

    fn invalid(field: &str, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Invalid, field, message)
    }

    fn at(self, index: usize) -> Self {
        Self { index: Some(index), ..self }
    }
}

/// Reads the events of a request. `event_bytes_max` bounds each one, envelope and all.
///
/// The mode is told by the `Content-Type` (HTTP binding section 3): `application/cloudevents-batch+json`
/// is a batch, `application/cloudevents+json` one structured event, anything else the data of an event
/// whose attributes are `ce-` headers.
pub fn read(
    headers: &HeaderMap,
    body: &[u8],
    event_bytes_max: usize,
) -> Result<Vec<CloudEvent>, Error> {
    let content_type = headers.get(header::CONTENT_TYPE).map(|value| value.to_str());
    let content_type = match content_type {
        Some(Ok(text)) => text,
        Some(Err(_)) => return Err(media_type("the value is not plain ASCII")),
        None => "",
    };
    if let Some(charset) = body::foreign_charset(content_type, body) {
        return Err(media_type(&format!("the body is in {charset}: send UTF-8")));
    }
    let body = body::without_mark(body);
    let content_type = body::essence(content_type);
    if content_type.starts_with("application/cloudevents-batch") {
        json_format(&content_type, "application/cloudevents-batch+json")?;
        return structured::batch(body, event_bytes_max);
    }
    if content_type.starts_with("application/cloudevents") {
        json_format(&content_type, "application/cloudevents+json")?;
        within(body.len(), event_bytes_max)?;
        return structured::event(body).map(|event| vec![event]);
    }
    within(body.len(), event_bytes_max)?;
    binary::event(headers, &content_type, body).map(|event| vec![event])
}

fn json_format(content_type: &str, json: &str) -> Result<(), Error> {
    if content_type == json {
        return Ok(());
    }
    Err(media_type(&format!("`{content_type}` is not read here: send `{json}`")))
}

fn media_type(message: &str) -> Error {
    Error::new(ErrorKind::MediaType, "content-type", message)
}

fn within(bytes: usize, event_bytes_max: usize) -> Result<(), Error> {
    if bytes <= event_bytes_max {
        return Ok(());
    }
    let message = format!("the event has {bytes} bytes, at most {event_bytes_max} are accepted");
    Err(Error::new(ErrorKind::TooLarge, "", message))
}

/// The part of `data` that is one JSON object no deeper than [`NESTING_MAX`], without outer blanks.
/// `field` names where it came from.
fn object<'a>(data: &'a [u8], field: &str) -> Result<&'a [u8], Error> {
    let text = std::str::from_utf8(data).map_err(|error| not_utf8(field, error.valid_up_to()))?;
    let trimmed = text.trim_matches([' ', '\t', '\n', '\r']);
    if let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(trimmed) {
        return Err(Error::invalid(field, crate::json::not_json("the data", &error)));
    }
    checked_object(trimmed.as_bytes(), field)
}

fn not_utf8(field: &str, byte: usize) -> Error {
    Error::invalid(field, format!("the data must be UTF-8, and is not at byte {byte}"))
}

/// The same for text that is known to be JSON.
fn checked_object<'a>(json: &'a [u8], field: &str) -> Result<&'a [u8], Error> {
    if json.first() != Some(&b'{') {
        return Err(Error::invalid(field, "the data must be a JSON object"));
    }
    if let Some(byte) = crate::json::too_deep_at(json, NESTING_MAX) {
        let message = format!("the data is nested more than {NESTING_MAX} deep at byte {byte}");
        return Err(Error::invalid(field, message));
    }
    Ok(json)
}
