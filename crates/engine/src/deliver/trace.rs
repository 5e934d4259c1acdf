//! Passing on the trace of an event's publication (W3C Trace Context, carried by the CloudEvents extension
//! for distributed tracing).

use std::sync::Arc;

use hookyard_core::json::string_member;
use hookyard_core::model::Event;
use http::{HeaderMap, HeaderName, HeaderValue};

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// The longest `tracestate` that is passed on, in bytes: the length that the standard asks everyone to
/// manage.
const STATE_BYTES_MAX: usize = 512;

/// One trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trace {
    parent: HeaderValue,
    state: Option<HeaderValue>,
}

impl Trace {
    /// The trace of the events, if all belong to the same trace.
    pub(super) fn of(events: &[Arc<Event>]) -> Option<Self> {
        let (first, others) = events.split_first()?;
        let trace = Self::of_event(first)?;
        let shared = others.iter().all(|event| {
            event.attributes == first.attributes || Self::of_event(event).as_ref() == Some(&trace)
        });
        shared.then_some(trace)
    }

    fn of_event(event: &Event) -> Option<Self> {
        // The usual case, told without looking further.
        if event.attributes.is_empty() {
            return None;
        }
        let attribute = |name| string_member(event.attributes.as_bytes(), name);
        let parent = attribute("traceparent").filter(|text| is_traceparent(text))?;
        let state = attribute("tracestate").filter(|text| text.len() <= STATE_BYTES_MAX);
        Some(Self {
            parent: HeaderValue::from_str(&parent).ok()?,
            state: state.and_then(|text| HeaderValue::from_str(&text).ok()),
        })
    }

    /// Adds the headers to a request.
    pub(super) fn insert(&self, headers: &mut HeaderMap) {
        headers.insert(TRACEPARENT, self.parent.clone());
        if let Some(state) = &self.state {
            headers.insert(TRACESTATE, state.clone());
        }
    }
}

/// Whether a text has the form of version 00, or of a later version that extends 00.
fn is_traceparent(text: &str) -> bool {
    let hex = |part: &str, length| {
        part.len() == length && part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    let mut parts = text.split('-');
    let mut next = || parts.next().unwrap_or_default();
    let (version, trace, parent, flags) = (next(), next(), next(), next());
    let zero = |part: &str| part.bytes().all(|byte| byte == b'0');
    let well_formed = hex(version, 2) && hex(trace, 32) && hex(parent, 16) && hex(flags, 2);
    let ends = parts.next().is_none() || version != "00";
    well_formed && ends && version != "ff" && !zero(trace) && !zero(parent)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use hookyard_core::id::{EventTypeId, Seq, WorkspaceId};
    use jiff::Timestamp;

    use super::*;

    const A: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    const B: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203332-01";

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

    fn with(parent: &str) -> Arc<Event> {
        event(&format!(r#"{{"subject":"x","traceparent":"{parent}","tracestate":"a=1"}}"#))
    }

    fn sent(events: &[Arc<Event>]) -> Vec<String> {
        let mut headers = HeaderMap::new();
        if let Some(trace) = Trace::of(events) {
            trace.insert(&mut headers);
        }
        headers.values().map(|value| value.to_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn a_trace_is_passed_on_when_all_events_share_it() {
        assert_eq!(sent(&[with(A)]), [A, "a=1"]);
        assert_eq!(sent(&[with(A), with(A)]), [A, "a=1"]);
        for mixed in [vec![], vec![event("")], vec![with(A), with(B)], vec![with(A), event("")]] {
            assert!(sent(&mixed).is_empty());
        }
    }

    #[test]
    fn what_is_no_trace_is_left_out() {
        for text in [
            "x",
            "",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\\r\\nX-Evil: 1",
        ] {
            assert!(sent(&[with(text)]).is_empty(), "{text}");
        }
        let later = format!("{}-more", A.replacen("00", "01", 1));
        assert_eq!(sent(&[with(&later)])[0], later);
        let evil = format!(r#"{{"traceparent":"{A}","tracestate":"a\r\nX-Evil: 1"}}"#);
        assert_eq!(sent(&[event(&evil)]), [A]);
    }
}
