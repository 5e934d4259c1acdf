use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::id::{EndpointId, EventTypeId, ReplayId, Seq};

/// Which events a replay sends again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplayScope {
    /// Events of these types, ascending; at least one.
    pub event_types: Vec<EventTypeId>,
    /// Accepted at or after this moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// Accepted before this moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// That match this rule; without one, that match the subscription's rule as it is when the event
    /// is looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// Only events that were not queued for the endpoint when they were published: the replay makes
    /// good what was missed while the endpoint was disabled.
    #[serde(default)]
    pub missed_only: bool,
}

/// What a replay does now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplayState {
    /// Events are looked at, queued and delivered.
    Running,
    /// Nothing more is queued until it is resumed. What is queued already is delivered.
    Paused,
    /// Nothing more is queued. What was queued already is delivered.
    Cancelled,
    /// All its events were delivered.
    Done,
}

/// How far a replay is. `examined` is at most `total`, `queued` at most `examined` and `delivered`
/// at most `queued`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReplayProgress {
    /// Events of its types and times that were in the journal when it was started.
    pub total: u64,
    /// How many of them were looked at.
    pub examined: u64,
    /// How many of those a rule let through, and were queued.
    pub queued: u64,
    /// How many of those have left the queue again.
    pub delivered: u64,
}

/// A replay: a range of the journal that is sent to one endpoint again, in the journal's order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replay {
    /// Its number.
    pub id: ReplayId,
    /// The endpoint.
    pub endpoint: EndpointId,
    /// When it was started.
    pub created_at: Timestamp,
    /// Which events it sends.
    pub scope: ReplayScope,
    /// What it does now.
    pub state: ReplayState,
    /// How far it is.
    pub progress: ReplayProgress,
    /// Up to this number, with it, events were looked at.
    pub position: Seq,
    /// The last number it looks at.
    pub last: Seq,
}
