//! The attributes of an event, wherever they were written.

use bytes::Bytes;

use super::{CloudEvent, Error};
use crate::model::Audience;
use crate::moment::Moment;

/// The longest id, source and type, in bytes: generous, since they are kept with every event and an
/// id is often a URL.
const NAME_BYTES_MAX: usize = 1_024;

/// All other attributes of one event, in bytes of JSON: they travel in headers, which have such
/// bounds everywhere.
const OTHERS_BYTES_MAX: usize = 16 << 10;

/// Attributes while they are collected.
#[derive(Debug, Default)]
pub(super) struct Attributes {
    id: Option<String>,
    source: Option<String>,
    event_type: Option<String>,
    spec_version: Option<String>,
    pub(super) content_type: Option<String>,
    /// The members of a JSON object, without its braces.
    others: String,
    names: Vec<String>,
}

impl Attributes {
    /// Takes in an attribute whose value is text.
    pub(super) fn text(&mut self, name: &str, value: String) -> Result<(), Error> {
        self.unique(name)?;
        match name {
            "id" => self.id = Some(value),
            "source" => self.source = Some(value),
            "type" => self.event_type = Some(value),
            "specversion" => self.spec_version = Some(value),
            _ => {
                check(name, &value)?;
                self.other(name, &json_string(&value))?;
                if name == "datacontenttype" {
                    self.content_type = Some(value);
                }
            }
        }
        Ok(())
    }

    /// Takes in an attribute whose value is this JSON number or boolean.
    pub(super) fn literal(&mut self, name: &str, json: &str) -> Result<(), Error> {
        self.unique(name)?;
        if is_text(name) {
            return Err(Error::invalid(name, format!("must be a string, not {json}")));
        }
        self.other(name, json)
    }

    fn other(&mut self, name: &str, json: &str) -> Result<(), Error> {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        if name.is_empty() || !name.bytes().all(plain) {
            let message = "attribute names are lower-case letters and digits only";
            return Err(Error::invalid(name, message));
        }
        if !self.others.is_empty() {
            self.others.push(',');
        }
        self.others.push_str(&format!("\"{name}\":{json}"));
        if self.others.len() > OTHERS_BYTES_MAX {
            let message = format!("the attributes have more than {OTHERS_BYTES_MAX} bytes");
            return Err(Error::invalid(name, message));
        }
        Ok(())
    }

    fn unique(&mut self, name: &str) -> Result<(), Error> {
        // An event has these beside its attributes.
        if matches!(name, "data" | "data_base64") {
            let message = "an event's data is no attribute: it is the body, or the member `data`";
            return Err(Error::invalid(name, message));
        }
        if self.names.iter().any(|known| known == name) {
            return Err(Error::invalid(name, "the attribute is there twice"));
        }
        self.names.push(name.to_owned());
        Ok(())
    }

    /// The event of these attributes and its data, which is copied: an event is kept for longer than
    /// the buffer that it came in, which may be many times as large.
    pub(super) fn event(self, object: &[u8]) -> Result<CloudEvent, Error> {
        let version = required("specversion", self.spec_version)?;
        if version != "1.0" {
            return Err(Error::invalid("specversion", format!("must be `1.0`, not `{version}`")));
        }
        let others = self.others;
        Ok(CloudEvent {
            id: exact(required("id", self.id)?),
            source: exact(required("source", self.source)?),
            event_type: required("type", self.event_type)?,
            attributes: if others.is_empty() { others } else { ["{", &others, "}"].concat() },
            object: Bytes::copy_from_slice(object),
        })
    }
}

/// A text without room for more.
fn exact(mut text: String) -> String {
    text.shrink_to_fit();
    text
}

/// Whether the value of this attribute is a text: by the specification, or as a customer's id is one.
fn is_text(name: &str) -> bool {
    let texts = [
        "id",
        "source",
        "type",
        "specversion",
        "datacontenttype",
        "dataschema",
        "subject",
        "time",
        "customer",
    ];
    texts.contains(&name)
}

fn required(name: &str, value: Option<String>) -> Result<String, Error> {
    let value = value.ok_or_else(|| Error::invalid(name, "the attribute is missing"))?;
    if value.is_empty() {
        return Err(Error::invalid(name, "the attribute is empty"));
    }
    if value.len() > NAME_BYTES_MAX {
        let message =
            format!("the attribute has {} bytes, at most {NAME_BYTES_MAX} fit", value.len());
        return Err(Error::invalid(name, message));
    }
    if value.chars().any(char::is_control) {
        return Err(Error::invalid(name, "the attribute has a control character"));
    }
    Ok(value)
}

fn check(name: &str, value: &str) -> Result<(), Error> {
    if name == "customer" {
        Audience::parse(value).map_err(|fault| Error::invalid(name, fault))?;
    }
    if name == "time" && Moment::parse(value).is_none() {
        let message = format!("`{value}` is not an RFC 3339 time such as 2026-11-21T10:00:00Z");
        return Err(Error::invalid(name, message));
    }
    Ok(())
}

/// Text as a JSON string.
fn json_string(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Whether data of this media type is JSON.
pub(super) fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || essence == "text/json" || essence.ends_with("+json")
}
