use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::id::{EndpointId, EventTypeId, ReplayId, Seq};

/// The events of a replay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplayScope {
    /// The event types, ascending; at least one.
    pub event_types: Vec<EventTypeId>,
    /// Only events accepted at or after the given moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// Only events accepted before the given moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Only events with a match for the given rule; without a rule, for the subscription's rule at the moment
    /// of the look.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// Only events not queued for the endpoint at their publication: the replay makes up for a time with the
    /// endpoint disabled.
    #[serde(default)]
    pub missed_only: bool,
}

/// The present state of a replay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplayState {
    /// Events are looked at, queued and delivered.
    Running,
    /// Nothing more is queued until the replay is resumed. Events in the queue are still delivered.
    Paused,
    /// Nothing more is queued. Events in the queue are still delivered.
    Cancelled,
    /// All of the replay's events were delivered.
    Done,
}

/// How far a replay is. `examined` is at most `total`, `queued` at most `examined` and `delivered`
/// at most `queued`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReplayProgress {
    /// Events of the scope's types and times in the journal at the start.
    pub total: u64,
    /// Events looked at so far.
    pub examined: u64,
    /// Events passed by a rule and queued so far.
    pub queued: u64,
    /// Queued events gone from the queue again so far.
    pub delivered: u64,
}

/// A replay: a range of the journal, sent to an endpoint again in the journal's order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replay {
    /// The replay's number.
    pub id: ReplayId,
    /// The endpoint.
    pub endpoint: EndpointId,
    /// When the replay was started.
    pub created_at: Timestamp,
    /// The events of the replay.
    pub scope: ReplayScope,
    /// The present state.
    pub state: ReplayState,
    /// The progress.
    pub progress: ReplayProgress,
    /// The last number looked at so far.
    pub position: Seq,
    /// The last number to look at.
    pub last: Seq,
}
