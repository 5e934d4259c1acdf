//! `/v1/endpoints/{id}/dead-letters`: events refused by a receiver for good.

use hookyard_core::model::Catalogue;
use hookyard_store::DeadLetter as CoreDeadLetter;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

/// An event without further attempts.
#[derive(Serialize, ToSchema)]
pub(super) struct DeadLetter<'a> {
    /// The event's number in the journal.
    seq: u64,
    /// The name of the event's type.
    event_type: &'a str,
    /// The publisher's id; absent when the journal does not have the event any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    event_id: Option<&'a str>,
    /// When the event was parked.
    parked_at: Timestamp,
    /// The request id of the last attempt.
    request_id: &'a str,
}

/// The number of dead letters redelivered or removed.
#[derive(Serialize, ToSchema)]
pub(super) struct DeadLetterCount {
    pub(super) count: u64,
}

impl<'a> DeadLetter<'a> {
    pub(super) fn new(catalogue: &'a Catalogue, letter: &'a CoreDeadLetter) -> Self {
        let kind = catalogue.by_id(letter.event_type);
        Self {
            seq: letter.seq.0,
            event_type: kind.map_or("", |(_, kind)| kind.name.as_str()),
            event_id: letter.event_id.as_deref(),
            parked_at: letter.parked_at,
            request_id: letter.request_id.as_str(),
        }
    }
}
