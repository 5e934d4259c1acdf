//! The trace of a publish (W3C Trace Context).

use axum::http::HeaderMap;
use hookyard_core::cloudevents::CloudEvent;
use hookyard_core::json::string_member;

/// The longest header kept, in bytes: the least length of a `tracestate` that the standard asks every
/// implementation to propagate.
const VALUE_BYTES_MAX: usize = 512;

/// The trace in the headers of a publish, as members of a JSON object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TraceContext(Option<String>);

impl TraceContext {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let text = |name| {
            let text = headers.get(name)?.to_str().ok()?;
            (text.len() <= VALUE_BYTES_MAX).then(|| serde_json::Value::from(text))
        };
        let members = text("traceparent").map(|parent| match text("tracestate") {
            Some(state) => format!(r#""traceparent":{parent},"tracestate":{state}"#),
            None => format!(r#""traceparent":{parent}"#),
        });
        Self(members)
    }

    /// Adds the trace to the attributes of an event without a trace of its own.
    pub(super) fn add_to(&self, event: &mut CloudEvent) {
        let Some(members) = &self.0 else { return };
        let attributes = &event.attributes;
        let own = ["traceparent", "tracestate"];
        if own.iter().any(|name| string_member(attributes.as_bytes(), name).is_some()) {
            return;
        }
        event.attributes = match attributes.strip_suffix('}') {
            Some(others) => format!("{others},{members}}}"),
            None => format!("{{{members}}}"),
        };
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn added(headers: &[(&'static str, &'static str)], attributes: &str) -> String {
        let headers = headers
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect();
        let mut event = CloudEvent {
            id: "1".to_owned(),
            source: "/s".to_owned(),
            event_type: "order_create".to_owned(),
            attributes: attributes.to_owned(),
            object: Bytes::from_static(b"{}"),
        };
        TraceContext::of(&headers).add_to(&mut event);
        event.attributes
    }

    #[test]
    fn the_trace_of_the_request_is_kept_unless_the_event_has_one() {
        let both = [("traceparent", "00-a"), ("tracestate", "x=\"1\"")];
        assert_eq!(added(&both, ""), r#"{"traceparent":"00-a","tracestate":"x=\"1\""}"#);
        let expected = r#"{"subject":"s","traceparent":"00-a"}"#;
        assert_eq!(added(&both[..1], r#"{"subject":"s"}"#), expected);
        assert_eq!(added(&both[1..], ""), "", "a state without a parent says nothing");
        let own = r#"{"traceparent":"00-b"}"#;
        assert_eq!(added(&both, own), own);
    }
}
