use std::sync::Arc;

use async_trait::async_trait;
use hookyard_core::id::{EndpointId, EventTypeId, ReplayId, Seq, WorkspaceId};
use hookyard_core::model::{Replay, ReplayScope};
use jiff::Timestamp;

use crate::{EventFilter, Ready, StoreError};

/// The most replays of one endpoint that are neither done nor cancelled. They run one after another,
/// so more would only wait longer.
pub const REPLAYS_OPEN_MAX: usize = 100;

/// How many replays of one endpoint that are done or cancelled are kept to be looked at.
pub const REPLAYS_CLOSED_KEPT: usize = 100;

/// What the `state` of a stored replay says. That one is done is not among it: whether all was
/// delivered is known from the queue.
pub(crate) mod state {
    pub(crate) const RUNNING: &str = "running";
    pub(crate) const PAUSED: &str = "paused";
    pub(crate) const CANCELLED: &str = "cancelled";
    pub(crate) const QUEUED: &str = "queued";
}

/// The part of the journal that a replay looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Only higher numbers.
    pub after: Seq,
    /// No higher numbers.
    pub last: Seq,
    /// How many events of the replay's types and times are in it.
    pub total: u64,
}

/// How much of a span to look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpanLimit {
    /// Stop once this many events are wanted.
    pub wanted: usize,
    /// Stop once this many events were looked at.
    pub examined: usize,
}

/// What was found in a piece of a span.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slice {
    /// It begins after this number.
    pub after: Seq,
    /// It ends with this number.
    pub position: Seq,
    /// How many events of the replay's types and times are in it.
    pub examined: u64,
    /// The events of those that are wanted, in the journal's order.
    pub wanted: Vec<Seq>,
}

/// What to do with a replay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplayChange {
    /// Queue nothing more until it is resumed.
    Pause,
    /// Go on.
    Resume,
    /// Queue nothing more.
    Cancel,
}

/// Replays.
///
/// A replay is queued in slices: the next one when the one before has been delivered. So it takes
/// turns with live events, a paused or cancelled one stops within a slice, and however long its
/// history is, the queue stays short. An endpoint's replays run one after another, lowest number
/// first, those that are paused left out.
#[async_trait]
pub trait ReplayStore: Send + Sync {
    /// Endpoints whose replay may have a slice to queue. After a start this includes every endpoint
    /// with a replay that is running.
    fn replays_due(&self) -> Arc<Ready>;

    /// The part of the journal, as it is now, that a replay of this scope would look at.
    async fn replay_span(
        &self,
        workspace: WorkspaceId,
        endpoint: EndpointId,
        scope: &ReplayScope,
    ) -> Result<Span, StoreError>;

    /// Looks at the events of a scope after a number and up to another one. Without `only`, all are
    /// wanted. When nothing is left, the slice ends with `last`.
    async fn examine(
        &self,
        workspace: WorkspaceId,
        endpoint: EndpointId,
        scope: &ReplayScope,
        span: Span,
        only: Option<EventFilter>,
        limit: SpanLimit,
    ) -> Result<Slice, StoreError>;

    /// Starts a replay of what is in the journal now. [`StoreError::Conflict`] when the endpoint has
    /// [`REPLAYS_OPEN_MAX`] already.
    async fn start_replay(
        &self,
        workspace: WorkspaceId,
        endpoint: EndpointId,
        scope: ReplayScope,
        now: Timestamp,
    ) -> Result<Replay, StoreError>;

    /// Starts a replay for each time that the endpoint was disabled and enabled again since the last
    /// call, of the events of these types that were published meanwhile. [`StoreError::Conflict`]
    /// when the endpoint is disabled now.
    async fn recover(
        &self,
        workspace: WorkspaceId,
        endpoint: EndpointId,
        event_types: Vec<EventTypeId>,
        now: Timestamp,
    ) -> Result<Vec<Replay>, StoreError>;

    /// An endpoint's replays, newest first. [`StoreError::NotFound`] when there is no such endpoint.
    async fn replays(
        &self,
        workspace: WorkspaceId,
        endpoint: EndpointId,
    ) -> Result<Vec<Replay>, StoreError>;

    /// Pauses, resumes or cancels a replay; one that is so already stays so.
    /// [`StoreError::Conflict`] when all its events are queued, or it was cancelled.
    async fn change_replay(
        &self,
        workspace: WorkspaceId,
        endpoint: EndpointId,
        id: ReplayId,
        change: ReplayChange,
    ) -> Result<Replay, StoreError>;

    /// The replay whose next slice is to be queued for the endpoint; `None` when none is running or
    /// a slice is still being delivered.
    async fn due_replay(
        &self,
        endpoint: EndpointId,
    ) -> Result<Option<(WorkspaceId, Replay)>, StoreError>;

    /// Queues a slice and keeps how far the replay is, in one transaction. [`StoreError::Conflict`]
    /// when the slice is not the next one: the replay was changed or queued by another.
    async fn queue_slice(
        &self,
        id: ReplayId,
        slice: Slice,
        now: Timestamp,
    ) -> Result<(), StoreError>;
}
