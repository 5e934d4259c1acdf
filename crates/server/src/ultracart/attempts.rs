//! The delivery log on the wire (docs/spec/ultracart.md#delivery-log), shaped by the reading client
//! (docs/spec/ultracart.md#generations).

use std::time::Duration;

use hookyard_core::id::EventTypeId;
use hookyard_core::model::{Attempt, Catalogue, Header};
use hookyard_engine::endpoints::AttemptDetail;
use jiff::tz::TimeZone;
use serde::Serialize;

use super::answer::int32;
use super::client::Client;
use super::dates;

/// The first version with event names and order ids in log entries, and with the duration and status in
/// summaries.
const DETAILS_SINCE: (u32, u32, u32) = (4, 1, 100);

/// The first version certain to have `webhook_oid`: the field came in February 2025, before 4.1.
const WEBHOOK_OID_SINCE: (u32, u32, u32) = (4, 1, 0);

#[derive(Serialize)]
pub(super) struct WebhookLogSummary<'a> {
    request_id: &'a str,
    delivery_dts: String,
    success: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    status_code: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_names: Option<Vec<&'a str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    order_ids: Option<&'a [String]>,
}

#[derive(Serialize)]
pub(super) struct WebhookLog<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    webhook_oid: Option<i32>,
    request_id: &'a str,
    delivery_dts: String,
    success: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    status_code: Option<u16>,
    duration: i32,
    queue_delay: i32,
    uri: &'a str,
    request_headers: &'a [Header],
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_headers: Option<&'a [Header]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_names: Option<Vec<&'a str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    order_ids: Option<&'a [String]>,
}

/// The conditions of an answer about attempts, beside the attempts.
pub(super) struct LogShape<'a> {
    pub(super) client: Client,
    pub(super) catalogue: &'a Catalogue,
    pub(super) time_zone: &'a TimeZone,
}

impl LogShape<'_> {
    /// A line of the log.
    pub(super) fn summary<'a>(&'a self, attempt: &'a Attempt) -> WebhookLogSummary<'a> {
        let record = &attempt.record;
        let detailed = self.client.knows(DETAILS_SINCE);
        WebhookLogSummary {
            request_id: record.request_id.as_str(),
            delivery_dts: dates::format(record.started_at, self.time_zone),
            success: attempt.success,
            status_code: record.outcome.status.filter(|_| detailed),
            duration: detailed.then(|| milliseconds(record.duration)),
            event_names: detailed.then(|| self.names(&record.event_types)),
            order_ids: detailed.then_some(&record.order_ids),
        }
    }

    /// An attempt with all known details. Members about the answer are left out for an attempt without an
    /// answer.
    pub(super) fn log<'a>(&'a self, detail: &'a AttemptDetail) -> WebhookLog<'a> {
        let AttemptDetail { attempt, request } = detail;
        let record = &attempt.record;
        let detailed = self.client.knows(DETAILS_SINCE);
        let answered = record.outcome.status.is_some();
        WebhookLog {
            webhook_oid: self.client.knows(WEBHOOK_OID_SINCE).then_some(attempt.endpoint.0),
            request_id: record.request_id.as_str(),
            delivery_dts: dates::format(record.started_at, self.time_zone),
            success: attempt.success,
            status_code: record.outcome.status,
            duration: milliseconds(record.duration),
            queue_delay: milliseconds(record.queue_delay),
            uri: &record.url,
            request_headers: &record.request_headers,
            request: request.as_ref().map(|request| request.text.as_str()),
            response_headers: answered.then_some(&record.outcome.response_headers),
            response: record.outcome.response.as_deref().filter(|_| answered),
            event_names: detailed.then(|| self.names(&record.event_types)),
            order_ids: detailed.then_some(&record.order_ids),
        }
    }

    /// The names of event types; types are never taken out of a catalogue.
    fn names(&self, kinds: &[EventTypeId]) -> Vec<&str> {
        let found = kinds.iter().filter_map(|id| self.catalogue.by_id(*id));
        found.map(|(_, kind)| kind.name.as_str()).collect()
    }
}

fn milliseconds(duration: Duration) -> i32 {
    int32(duration.as_millis())
}

#[cfg(test)]
mod tests {
    use hookyard_core::catalogue::initial;
    use hookyard_core::id::{EndpointId, RequestId, Seq};
    use hookyard_core::model::{ContentEncoding, NewAttempt, Outcome};
    use hookyard_engine::endpoints::SentRequest;
    use jiff::Timestamp;

    use super::super::client::tests::client;
    use super::*;

    fn detail(outcome: Outcome) -> AttemptDetail {
        let (_, kind) = initial().by_name("order_create").unwrap();
        let record = NewAttempt {
            request_id: RequestId::parse("00000000000000199D2A3B4C5D80011").unwrap(),
            revision: 1,
            started_at: Timestamp::from_second(1_700_000_000).unwrap(),
            duration: Duration::from_millis(250),
            queue_delay: Duration::from_secs(5_000_000),
            events: vec![Seq(1)],
            entries: Vec::new(),
            event_types: vec![kind.id],
            order_ids: vec!["DEMO-1".to_owned()],
            advance: 1,
            park: false,
            refusals: 0,
            retry_at: None,
            failures: 0,
            url: "https://x.test/h".to_owned(),
            request_headers: vec![Header { name: "A".to_owned(), value: "b".to_owned() }],
            outcome,
        };
        let attempt = Attempt { endpoint: EndpointId(7), success: true, record };
        let encoding = ContentEncoding::Identity;
        let request = SentRequest { text: "{}".to_owned(), encoding, bytes: 2 };
        AttemptDetail { attempt, request: Some(request) }
    }

    fn answered() -> AttemptDetail {
        let response = Some("ok".to_owned());
        detail(Outcome { status: Some(200), response, ..Outcome::default() })
    }

    fn texts(agent: &str, detail: &AttemptDetail) -> (String, String) {
        let shape =
            LogShape { client: client(agent), catalogue: initial(), time_zone: &TimeZone::UTC };
        let summary = serde_json::to_string(&shape.summary(&detail.attempt)).unwrap();
        (serde_json::to_string(&shape.log(detail)).unwrap(), summary)
    }

    #[test]
    fn modern_clients_get_everything() {
        let (log, summary) = texts("OpenAPI-Generator/4.1.208/python", &answered());
        assert_eq!(
            log,
            r#"{"webhook_oid":7,"request_id":"00000000000000199D2A3B4C5D80011","delivery_dts":"2023-11-14T22:13:20+00:00","success":true,"status_code":200,"duration":250,"queue_delay":2147483647,"uri":"https://x.test/h","request_headers":[{"name":"A","value":"b"}],"request":"{}","response_headers":[],"response":"ok","event_names":["order_create"],"order_ids":["DEMO-1"]}"#
        );
        assert_eq!(
            summary,
            r#"{"request_id":"00000000000000199D2A3B4C5D80011","delivery_dts":"2023-11-14T22:13:20+00:00","success":true,"status_code":200,"duration":250,"event_names":["order_create"],"order_ids":["DEMO-1"]}"#
        );
    }

    #[test]
    fn older_java_lacks_the_fields_of_4_1_100() {
        let (log, summary) = texts("OpenAPI-Generator/4.1.67/java", &answered());
        for key in ["event_names", "order_ids"] {
            assert!(!log.contains(key) && !summary.contains(key), "{key}");
        }
        assert!(log.contains("webhook_oid") && log.contains(r#""duration":250"#));
        assert_eq!(
            summary,
            r#"{"request_id":"00000000000000199D2A3B4C5D80011","delivery_dts":"2023-11-14T22:13:20+00:00","success":true}"#
        );
    }

    #[test]
    fn without_an_answer_there_is_nothing_of_one() {
        let error = Some("timed out".to_owned());
        let (log, summary) = texts("", &detail(Outcome { error, ..Outcome::default() }));
        for key in ["status_code", "\"response", "null"] {
            assert!(!log.contains(key) && !summary.contains(key), "{key}");
        }
    }
}
