//! Structured and batched events: attributes and data in one JSON document.

use std::borrow::Cow;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::attributes::{Attributes, is_json};
use super::{CloudEvent, Error, ErrorKind, checked_object, object, within};
use crate::json::not_json;

/// Reads one event.
pub(super) fn event(json: &[u8]) -> Result<CloudEvent, Error> {
    let Members(members) = serde_json::from_slice(json).map_err(|error| {
        if error.is_data() {
            return Error::invalid("", "the event must be a JSON object");
        }
        Error::new(ErrorKind::Malformed, "", not_json("the event", &error))
    })?;
    let mut attributes = Attributes::default();
    let mut data = None;
    let mut base64 = None;
    for (name, value) in members {
        match name.as_ref() {
            "data" => once(&mut data, &name, value)?,
            "data_base64" => once(&mut base64, &name, value)?,
            _ => attribute(&mut attributes, &name, value.get())?,
        }
    }
    if let Some(content_type) = attributes.content_type.as_deref().filter(|text| !is_json(text)) {
        let message = format!("the data must be JSON, not `{content_type}`");
        return Err(Error::invalid("datacontenttype", message));
    }
    match (data, base64) {
        (Some(_), Some(_)) => {
            Err(Error::invalid("data_base64", "send `data` or `data_base64`, not both"))
        }
        (Some(data), None) => attributes.event(checked_object(data.get().as_bytes(), "data")?),
        (None, Some(base64)) => attributes.event(object(&decoded(base64.get())?, "data_base64")?),
        (None, None) => Err(Error::invalid("data", "the event has no data")),
    }
}

/// Takes in a member that may be there once.
fn once<'v>(
    place: &mut Option<&'v RawValue>,
    name: &str,
    value: &'v RawValue,
) -> Result<(), Error> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(Error::invalid(name, "the member is there twice")),
    }
}

/// Reads a batch: a JSON array of events, which may be empty.
pub(super) fn batch(body: &[u8], event_bytes_max: usize) -> Result<Vec<CloudEvent>, Error> {
    let events: Vec<&RawValue> = serde_json::from_slice(body).map_err(|error| {
        if error.is_data() {
            return Error::invalid("", "the batch must be a JSON array of events");
        }
        Error::new(ErrorKind::Malformed, "", not_json("the batch", &error))
    })?;
    let read = |(index, json): (usize, &&RawValue)| {
        let json = json.get().as_bytes();
        let event = within(json.len(), event_bytes_max).and_then(|()| event(json));
        event.map_err(|error| error.at(index))
    };
    events.iter().enumerate().map(read).collect()
}

fn attribute(attributes: &mut Attributes, name: &str, json: &str) -> Result<(), Error> {
    match json.as_bytes().first() {
        Some(b'"') => {
            // The text is JSON already, so only an escape of half a character is left to refuse.
            let wrong = r"has half a character: write both `\u` escapes of the pair";
            let text = serde_json::from_str(json).map_err(|_| Error::invalid(name, wrong))?;
            attributes.text(name, text)
        }
        // The JSON format takes null for an attribute that is not there.
        Some(b'n') => Ok(()),
        Some(b'{' | b'[') => {
            Err(Error::invalid(name, "an attribute is a string, a number or a boolean"))
        }
        _ => attributes.literal(name, json),
    }
}

fn decoded(json: &str) -> Result<Vec<u8>, Error> {
    let wrong = |message: String| Error::invalid("data_base64", message);
    let text: String =
        serde_json::from_str(json).map_err(|_| wrong("must be a string of base64".to_owned()))?;
    let message = "must be base64 with padding (RFC 4648, section 4)";
    STANDARD.decode(text).map_err(|_| wrong(message.to_owned()))
}

/// The members of a JSON object in their order, values as text.
struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::with_capacity(8);
                while let Some(Key(name)) = map.next_key()? {
                    members.push((name, map.next_value()?));
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Object)
    }
}

/// An object's key, borrowed where it has no escapes.
#[derive(Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);
