//! Binary events: attributes in headers, data in the body.

use http::HeaderMap;
use percent_encoding::percent_decode;

use super::attributes::{Attributes, is_json};
use super::{CloudEvent, Error, ErrorKind, object};

/// Reads the event of a request whose body is its data.
pub(super) fn event(
    headers: &HeaderMap,
    content_type: &str,
    body: &[u8],
) -> Result<CloudEvent, Error> {
    let mut attributes = Attributes::default();
    let mut any = false;
    for (name, value) in headers {
        let Some(name) = name.as_str().strip_prefix("ce-") else { continue };
        any = true;
        if name == "datacontenttype" {
            let message = "in this mode the data's type is the content-type header";
            return Err(Error::invalid("ce-datacontenttype", message));
        }
        let text = decode(value.as_bytes())
            .map_err(|message| Error::invalid(&format!("ce-{name}"), message))?;
        attributes.text(name, text).map_err(in_headers)?;
    }
    if !any {
        let message = "send one event as `application/cloudevents+json`, several as \
                       `application/cloudevents-batch+json`, or an event's data as \
                       `application/json` with its attributes in `ce-` headers";
        return Err(Error::new(ErrorKind::MediaType, "content-type", message));
    }
    if !content_type.is_empty() {
        if !is_json(content_type) {
            let message = format!("the data must be JSON, not `{content_type}`");
            return Err(Error::new(ErrorKind::MediaType, "content-type", message));
        }
        attributes.text("datacontenttype", content_type.to_owned())?;
    }
    attributes.event(object(body, "body")?).map_err(in_headers)
}

/// The error, naming the header instead of the attribute.
fn in_headers(error: Error) -> Error {
    match error.field.as_str() {
        "" | "body" => error,
        name => Error { field: format!("ce-{name}"), ..error },
    }
}

/// A header value as text (HTTP binding 3.1.3.2): a double-quoted value is unquoted first, then
/// percent-encoding is undone; what results must be UTF-8.
fn decode(value: &[u8]) -> Result<String, String> {
    let unquoted = match value {
        [b'"', inner @ .., b'"'] => unescape(inner),
        _ => value.to_vec(),
    };
    let decoded: Vec<u8> = percent_decode(&unquoted).collect();
    String::from_utf8(decoded).map_err(|_| "the decoded value is not UTF-8".to_owned())
}

/// A quoted string's content without the backslashes that escape.
fn unescape(quoted: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(quoted.len());
    let mut bytes = quoted.iter();
    while let Some(byte) = bytes.next() {
        text.push(if *byte == b'\\' { *bytes.next().unwrap_or(byte) } else { *byte });
    }
    text
}
