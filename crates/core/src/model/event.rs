use bytes::Bytes;
use jiff::Timestamp;

use crate::id::{EndpointId, EventTypeId, Seq, WorkspaceId};

/// An event on its way into the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEvent {
    /// Its type.
    pub event_type: EventTypeId,
    /// The publisher's id. With `source` it makes the event unique in its workspace.
    pub id: String,
    /// The publisher's name for where it happened, a URI reference.
    pub source: String,
    /// The other CloudEvents attributes, as the text of one JSON object; empty when there are none.
    pub attributes: String,
    /// The published object: the exact text of a JSON object. It is kept for longer than its request, so
    /// it must be no part of a larger buffer.
    pub object: Bytes,
    /// The endpoints that it matched, ascending.
    pub matched: Vec<EndpointId>,
    /// The version of the workspace whose endpoints it was matched with. The version may have become an
    /// older one meanwhile: the event was then matched without what was changed since.
    pub matched_at: u64,
}

/// One published fact, as the journal keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its number in the journal.
    pub seq: Seq,
    /// The workspace that it was published in.
    pub workspace: WorkspaceId,
    /// When it was accepted.
    pub accepted_at: Timestamp,
    /// Its type.
    pub event_type: EventTypeId,
    /// The publisher's id.
    pub id: String,
    /// The publisher's name for where it happened.
    pub source: String,
    /// The other CloudEvents attributes, as the text of one JSON object; empty when there are none.
    pub attributes: String,
    /// The published object: the exact text of a JSON object.
    pub object: Bytes,
    /// How many endpoints it matched when it was published.
    pub matched: u32,
    /// Whether the store has other bytes than were written. The number and the workspace are known
    /// then, and everything else is empty: nobody gets an event that was altered.
    pub damaged: bool,
}

/// What became of one published event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Receipt {
    /// Its number in the journal; for a duplicate, the number of the first.
    pub seq: Seq,
    /// How many endpoints it matched; for a duplicate, how many the first did.
    pub matched: u32,
    /// Whether an event with this id and source was there already. Then nothing was stored.
    pub duplicate: bool,
}
