//! How often a fact came around.
//!
//! A source can publish received deliveries, and an endpoint can deliver to a source: of this
//! server, of another server, or through a relay. So an event from a delivery has the number of
//! sources on its way, deliveries carry the number in a header, and a source publishes nothing more
//! when the number is too high.

use std::sync::Arc;

use hookyard_core::json::string_member;
use hookyard_core::model::Event;
use http::{HeaderMap, HeaderName, HeaderValue};

/// The header of deliveries.
pub const HEADER: HeaderName = HeaderName::from_static("hookyard-hops");

/// The CloudEvents attribute of events.
pub(crate) const ATTRIBUTE: &str = "hookyardhops";

/// The most sources on the way of a fact: more than any intended chain, and few enough to stop a
/// multiplying loop soon.
pub const HOPS_MAX: u8 = 8;

/// The number of sources already on the way of a delivery's fact. A value without a number counts
/// as 0.
pub(crate) fn of_request(headers: &HeaderMap) -> u8 {
    let text = headers.get(HEADER).and_then(|value| value.to_str().ok());
    text.and_then(|text| text.trim().parse().ok()).unwrap_or(0)
}

/// How many sources the events came through, at most.
pub(crate) fn of_events(events: &[Arc<Event>]) -> u8 {
    events.iter().map(|event| of_event(event)).max().unwrap_or(0)
}

fn of_event(event: &Event) -> u8 {
    // The usual case, told without looking further.
    if event.attributes.is_empty() {
        return 0;
    }
    let text = string_member(event.attributes.as_bytes(), ATTRIBUTE);
    text.and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// Writes the number into a delivery's headers, unless 0.
pub(crate) fn insert(headers: &mut HeaderMap, hops: u8) {
    if hops > 0 {
        headers.insert(HEADER, HeaderValue::from(u16::from(hops)));
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use hookyard_core::id::{EventTypeId, Seq, WorkspaceId};
    use jiff::Timestamp;

    use super::*;

    fn event(attributes: &str) -> Arc<Event> {
        Arc::new(Event {
            seq: Seq(1),
            workspace: WorkspaceId(1),
            accepted_at: Timestamp::UNIX_EPOCH,
            event_type: EventTypeId(1),
            id: "e".to_owned(),
            source: "/s".to_owned(),
            attributes: attributes.to_owned(),
            object: Bytes::from_static(b"{}"),
            matched: 0,
            damaged: false,
        })
    }

    #[test]
    fn a_bundle_has_the_hops_of_the_event_with_most() {
        let events =
            [event(""), event(r#"{"hookyardhops":"3"}"#), event(r#"{"a":1,"hookyardhops":"2"}"#)];
        assert_eq!(of_events(&events), 3);
        assert_eq!(of_events(&events[..1]), 0);
        let mut headers = HeaderMap::new();
        insert(&mut headers, 0);
        assert!(headers.is_empty());
        insert(&mut headers, 3);
        assert_eq!(of_request(&headers), 3);
        for text in ["", "x", "-1", "256"] {
            headers.insert(HEADER, HeaderValue::from_static(text));
            assert_eq!(of_request(&headers), 0, "{text}");
        }
    }
}
