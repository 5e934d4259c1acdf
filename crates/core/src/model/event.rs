use bytes::Bytes;
use jiff::Timestamp;

use super::Audience;
use crate::id::{EndpointId, EventTypeId, Seq, WorkspaceId};

/// A new event, before the journal has a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEvent {
    /// The event's type.
    pub event_type: EventTypeId,
    /// The publisher's id. Id and `source` together make the event unique in its workspace.
    pub id: String,
    /// The publisher's name for the place of the occurrence, a URI reference.
    pub source: String,
    /// The other CloudEvents attributes, as the text of a JSON object; empty without other attributes.
    pub attributes: String,
    /// The published object: the exact text of a JSON object. The object outlives the request, so the bytes
    /// must be no part of a larger buffer.
    pub object: Bytes,
    /// The matched endpoints, ascending.
    pub matched: Vec<EndpointId>,
    /// The version of the workspace at the match. Meanwhile the version may be outdated: then the match lacks
    /// all later changes.
    pub matched_at: u64,
}

/// A published fact in the journal's form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The event's number in the journal.
    pub seq: Seq,
    /// The workspace of the publication.
    pub workspace: WorkspaceId,
    /// When the event was accepted.
    pub accepted_at: Timestamp,
    /// The event's type.
    pub event_type: EventTypeId,
    /// The publisher's id.
    pub id: String,
    /// The publisher's name for the place of the occurrence.
    pub source: String,
    /// The other CloudEvents attributes, as the text of a JSON object; empty without other attributes.
    pub attributes: String,
    /// The published object: the exact text of a JSON object.
    pub object: Bytes,
    /// The number of matched endpoints at publication.
    pub matched: u32,
    /// Whether the stored bytes differ from the written bytes. Then number and workspace are known, and
    /// everything else is empty: nobody gets an altered event.
    pub damaged: bool,
}

impl Event {
    /// Whose endpoints the event is for, as the attributes say.
    pub fn audience(&self) -> Audience {
        Audience::of_attributes(&self.attributes)
    }
}

/// The outcome of publishing an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Receipt {
    /// The event's number in the journal; for a duplicate, the number of the first event.
    pub seq: Seq,
    /// The number of matched endpoints; for a duplicate, the number matched by the first event.
    pub matched: u32,
    /// Whether an event with the same id and source already existed. Then nothing was stored.
    pub duplicate: bool,
}
