//! Writing events of the journal as CloudEvents.

use std::io::Write as _;

use http::{HeaderMap, HeaderName, HeaderValue};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde_json::Value;

use crate::model::Event;

/// The characters that a header's value must have percent-encoded (HTTP binding 3.1.3.2). Everything outside
/// ASCII is percent-encoded in any case.
const ENCODED: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'%');

/// Appends an event in the JSON format up to the value of `data`: the value and `}` complete the event.
/// An event published without `time` gets the moment of its acceptance if `with_time` says so.
pub fn write_head(out: &mut Vec<u8>, event: &Event, type_name: &str, with_time: bool) {
    let text = |text: &str| Value::from(text);
    let attributes = event.attributes.trim_start_matches('{').trim_end_matches('}');
    let comma = if attributes.is_empty() { "" } else { "," };
    // Writing into memory does not fail.
    let _ = write!(
        out,
        r#"{{"specversion":"1.0","id":{},"source":{},"type":{}{comma}{attributes},"#,
        text(&event.id),
        text(&event.source),
        text(type_name),
    );
    if with_time && time(event).is_none() {
        let _ = write!(out, r#""time":"{}","#, event.accepted_at);
    }
    out.extend_from_slice(br#""data":"#);
}

/// The `time` of an event, exactly as published.
pub fn time(event: &Event) -> Option<std::borrow::Cow<'_, str>> {
    crate::json::string_member(event.attributes.as_bytes(), "time")
}

/// Sets the attributes of an event as headers (binary mode). An attribute whose name makes no header is left
/// out: the names of published attributes all make headers.
pub fn insert_headers(headers: &mut HeaderMap, event: &Event, type_name: &str) {
    let mut insert = |name: &str, value: &str| {
        let name = HeaderName::try_from(format!("ce-{name}"));
        let value = HeaderValue::try_from(utf8_percent_encode(value, ENCODED).to_string());
        if let (Ok(name), Ok(value)) = (name, value) {
            headers.insert(name, value);
        }
    };
    insert("specversion", "1.0");
    insert("id", &event.id);
    insert("source", &event.source);
    insert("type", type_name);
    if time(event).is_none() {
        insert("time", &event.accepted_at.to_string());
    }
    let attributes = serde_json::from_str(&event.attributes).unwrap_or_default();
    for (name, value) in Value::as_object(&attributes).into_iter().flatten() {
        match value {
            // The type of the data is the `Content-Type` of the request.
            _ if name == "datacontenttype" => {}
            Value::String(text) => insert(name, text),
            other => insert(name, &other.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use jiff::Timestamp;

    use super::*;
    use crate::cloudevents::read;
    use crate::id::{EventTypeId, Seq, WorkspaceId};

    fn event(attributes: &str) -> Event {
        Event {
            seq: Seq(7),
            workspace: WorkspaceId(1),
            accepted_at: Timestamp::UNIX_EPOCH,
            event_type: EventTypeId(1),
            id: "né \"1\" 100%".to_owned(),
            source: "/shop".to_owned(),
            attributes: attributes.to_owned(),
            object: Bytes::from_static(br#"{"n": 1.0}"#),
            matched: 0,
            damaged: false,
        }
    }

    const ATTRIBUTES: &str = r#"{"subject":"a \"b\" ü","time":"2026-12-01T00:00:00Z","number":-7,"flag":true,"datacontenttype":"application/json"}"#;

    /// Reads an event in binary mode as any receiver does.
    fn received(event: &Event) -> crate::cloudevents::CloudEvent {
        let mut headers = HeaderMap::new();
        insert_headers(&mut headers, event, "order_create");
        headers.insert("content-type", HeaderValue::from_static("application/json"));
        read(&headers, &event.object, 1_000).unwrap().remove(0)
    }

    #[test]
    fn binary_events_are_read_as_they_were_published() {
        let event = event(ATTRIBUTES);
        let read = received(&event);
        assert_eq!(
            (&*read.id, &*read.source, &*read.event_type),
            (&*event.id, "/shop", "order_create")
        );
        let read: Value = serde_json::from_str(&read.attributes).unwrap();
        assert_eq!(read["subject"], "a \"b\" ü");
        assert_eq!(read["time"], "2026-12-01T00:00:00Z");
        assert_eq!((&read["number"], &read["flag"]), (&Value::from("-7"), &Value::from("true")));
    }

    #[test]
    fn structured_events_are_read_as_they_were_published() {
        for attributes in [ATTRIBUTES, ""] {
            let event = event(attributes);
            let mut text = Vec::new();
            write_head(&mut text, &event, "order_create", true);
            text.extend_from_slice(&event.object);
            text.push(b'}');
            let mut headers = HeaderMap::new();
            let kind = HeaderValue::from_static("application/cloudevents+json");
            headers.insert("content-type", kind);
            let read = read(&headers, &text, 1_000).unwrap().remove(0);
            assert_eq!((&*read.id, &*read.object), (&*event.id, &*event.object));
            let shown: Value = serde_json::from_str(&read.attributes).unwrap();
            let expected =
                if attributes.is_empty() { "1970-01-01T00:00:00Z" } else { "2026-12-01T00:00:00Z" };
            assert_eq!(shown["time"], expected);
        }
    }
}
