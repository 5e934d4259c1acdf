//! `/v1/endpoints/{id}/attempts`: the delivery log.

use std::time::Duration;

use hookyard_core::id::Seq;
use hookyard_core::model::{Attempt as CoreAttempt, Catalogue};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

/// One try to deliver a bundle.
#[derive(Serialize, ToSchema)]
pub(in crate::native::endpoints) struct Attempt<'a> {
    /// The attempt's id, sent to the receiver as `x-ultracart-request-id`.
    request_id: &'a str,
    /// The endpoint's revision at the making of the bundle.
    revision: u32,
    /// When the request was started.
    started_at: Timestamp,
    /// From the start of the request to the whole answer.
    duration_ms: u64,
    /// How long the oldest event of the bundle had been queued.
    queue_delay_ms: u64,
    /// Whether the receiver answered 2xx.
    success: bool,
    /// The answer's status; absent when there was no answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    /// The reason for a missing answer, or for a failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    /// The target.
    url: &'a str,
    /// The journal numbers of the events.
    #[schema(value_type = Vec<u64>)]
    events: &'a [Seq],
    /// The types of the bundle's events, each once.
    event_types: Vec<&'a str>,
    /// The order ids of the bundle's events, each once.
    order_ids: &'a [String],
    /// The failures in a row, this attempt counted; 0 for a success.
    failures: u32,
    /// When the next try was due.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_at: Option<Timestamp>,
}

impl<'a> Attempt<'a> {
    pub(in crate::native::endpoints) fn new(
        catalogue: &'a Catalogue,
        attempt: &'a CoreAttempt,
    ) -> Self {
        let record = &attempt.record;
        let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let types = record.event_types.iter().filter_map(|id| catalogue.by_id(*id));
        Self {
            request_id: record.request_id.as_str(),
            revision: record.revision,
            started_at: record.started_at,
            duration_ms: millis(record.duration),
            queue_delay_ms: millis(record.queue_delay),
            success: attempt.success,
            status: record.outcome.status,
            error: record.outcome.error.as_deref(),
            url: &record.url,
            events: &record.events,
            event_types: types.map(|(_, kind)| kind.name.as_str()).collect(),
            order_ids: &record.order_ids,
            failures: record.failures,
            retry_at: record.retry_at,
        }
    }
}
