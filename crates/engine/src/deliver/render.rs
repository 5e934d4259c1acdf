//! Turning queued events into the body of a request.

use std::sync::Arc;

use bytes::Bytes;
use hookyard_core::id::EventTypeId;
use hookyard_core::model::{Catalogue, Endpoint, Event};

/// The body of one request, with what the log keeps about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle {
    /// The bytes that are sent.
    pub body: Bytes,
    /// How many of the events given, from the first, are in it. At least one, unless none was given.
    pub events: usize,
    /// The types of those events, each once.
    pub event_types: Vec<EventTypeId>,
    /// The order ids of those events, each once.
    pub order_ids: Vec<String>,
}

/// Renders the longest run of the events, from the first, that the endpoint's limits allow.
pub fn bundle(_catalogue: &Catalogue, _endpoint: &Endpoint, _events: &[Arc<Event>]) -> Bundle {
    Bundle { body: Bytes::new(), events: 0, event_types: Vec::new(), order_ids: Vec::new() }
}
