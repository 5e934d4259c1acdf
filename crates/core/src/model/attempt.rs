use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::id::{EndpointId, EventTypeId, RequestId, Seq};

/// One HTTP header, for the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// Its name.
    pub name: String,
    /// Its value; credentials are masked.
    pub value: String,
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outcome {
    /// The answer's status; `None` when there was no answer.
    pub status: Option<u16>,
    /// The answer's headers.
    pub response_headers: Vec<Header>,
    /// The answer's body, cut.
    pub response: Option<String>,
    /// Why there was no answer, or why it is not a success.
    pub error: Option<String>,
}

/// The record of one try to deliver a bundle, on its way into the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAttempt {
    /// The id that the receiver saw.
    pub request_id: RequestId,
    /// The endpoint's revision that the bundle was rendered with.
    pub revision: u32,
    /// When the request was started.
    pub started_at: Timestamp,
    /// From the start of the request to the whole answer.
    pub duration: Duration,
    /// How long the oldest event of the bundle had been queued.
    pub queue_delay: Duration,
    /// The events of the bundle, in the order of the queue.
    pub events: Vec<Seq>,
    /// The places of the entries that it was about, ascending; empty for the first ones that are
    /// queued, as many as it has events.
    pub entries: Vec<u64>,
    /// The types of those events, each once.
    pub event_types: Vec<EventTypeId>,
    /// The order ids of those events, each once.
    pub order_ids: Vec<String>,
    /// How many entries leave the queue: all that it was about, or none.
    pub advance: u32,
    /// Whether the events leave the queue as dead letters. Only together with `advance`.
    pub park: bool,
    /// When to try again; `None` for a success.
    pub retry_at: Option<Timestamp>,
    /// The failures in a row, this one counted; 0 for a success.
    pub failures: u32,
    /// How often the bundle's one event was refused alone, this time counted. It stays until that
    /// event leaves the queue.
    pub refusals: u32,
    /// The target.
    pub url: String,
    /// The request's headers; credentials are masked.
    pub request_headers: Vec<Header>,
    /// How it ended.
    pub outcome: Outcome,
}

impl NewAttempt {
    /// Whether the receiver answered 2xx. An attempt can have failed and yet not be repeated: its
    /// events could never be sent.
    pub fn success(&self) -> bool {
        matches!(self.outcome.status, Some(200..300))
    }
}

/// One try to deliver a bundle, as the log shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The endpoint.
    pub endpoint: EndpointId,
    /// Whether the receiver answered 2xx.
    pub success: bool,
    /// The rest of the record.
    pub record: NewAttempt,
}

/// Where an endpoint's queue stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct QueueState {
    /// Events still to deliver. Exact.
    pub pending: u64,
    /// Failures in a row since the last success.
    pub failures: u32,
    /// While the last attempt was a failure: no attempt is made before this moment.
    pub retry_at: Option<Timestamp>,
    /// When the first of the failures in a row was.
    pub failing_since: Option<Timestamp>,
    /// How often the event at the head was refused alone.
    pub refusals: u32,
    /// Dead letters. Exact.
    pub dead_letters: u64,
}
