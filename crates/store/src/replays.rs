use std::sync::Arc;

use async_trait::async_trait;
use hookyard_core::id::{EndpointId, EventTypeId, ReplayId, Seq, WorkspaceId};
use hookyard_core::model::{Replay, ReplayScope, ReplayState};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{EventFilter, Ready, StoreError};

/// The most unfinished replays of one endpoint. Replays run one after another, so more would only wait
/// longer.
pub const REPLAYS_OPEN_MAX: usize = 100;

/// The finished and cancelled replays of one endpoint that are kept to be looked at.
pub const REPLAYS_CLOSED_KEPT: usize = 100;

/// The values of `state` of a stored replay. "Done" is not among the values: the queue knows whether all was
/// delivered.
pub(crate) mod state {
    pub(crate) const RUNNING: &str = "running";
    pub(crate) const PAUSED: &str = "paused";
    pub(crate) const CANCELLED: &str = "cancelled";
    pub(crate) const QUEUED: &str = "queued";
}

/// The part of the journal for a replay to examine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Only higher numbers.
    pub after: Seq,
    /// No higher numbers.
    pub last: Seq,
    /// The number of events of the replay's types and times in the span.
    pub total: u64,
}

/// How much of a span to look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpanLimit {
    /// Stop once so many wanted events are found.
    pub wanted: usize,
    /// Stop once so many events were examined.
    pub examined: usize,
}

/// The findings in a piece of a span.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slice {
    /// The piece begins after this number.
    pub after: Seq,
    /// The piece ends with this number.
    pub position: Seq,
    /// The number of events of the replay's types and times in the piece.
    pub examined: u64,
    /// The wanted events, in the journal's order.
    pub wanted: Vec<Seq>,
}

/// A change of a replay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplayChange {
    /// Queue nothing more until resumed.
    Pause,
    /// Go on.
    Resume,
    /// Queue nothing more.
    Cancel,
}

/// A replay as stored.
#[derive(Debug, Clone)]
pub(crate) struct StoredReplay {
    /// The workspace of the replay's endpoint.
    pub(crate) workspace: WorkspaceId,
    /// One of [`state`].
    pub(crate) state: String,
    /// The replay, without the part that only the queue knows.
    pub(crate) replay: Replay,
}

impl StoredReplay {
    /// The state to write for a change; `None` when the replay is in that state already.
    /// [`StoreError::Conflict`] when the replay has come to its end.
    pub(crate) fn changed(&self, change: ReplayChange) -> Result<Option<&'static str>, StoreError> {
        let target = match change {
            ReplayChange::Pause => state::PAUSED,
            ReplayChange::Resume => state::RUNNING,
            ReplayChange::Cancel => state::CANCELLED,
        };
        let ended = match self.state.as_str() {
            same if same == target => return Ok(None),
            state::CANCELLED => "the replay was cancelled",
            state::QUEUED => "all events of the replay are queued or delivered already",
            _ => return Ok(Some(target)),
        };
        Err(StoreError::Conflict(ended.to_owned()))
    }

    /// The state to write with a slice. `delivering`: a slice before is still in the queue.
    /// [`StoreError::Conflict`] when the slice is not the next one of a running replay.
    pub(crate) fn queued(
        &self,
        slice: &Slice,
        delivering: bool,
    ) -> Result<&'static str, StoreError> {
        let next = self.state == state::RUNNING && self.replay.position == slice.after;
        if !next || delivering {
            return Err(StoreError::Conflict("it is not the replay's next slice".to_owned()));
        }
        let last = slice.position >= self.replay.last;
        Ok(if last { state::QUEUED } else { state::RUNNING })
    }

    /// The replay with the number of its events that the endpoint's queue still holds.
    pub(crate) fn shown(self, undelivered: u64) -> Replay {
        let Self { workspace: _, state, mut replay } = self;
        replay.progress.delivered = replay.progress.queued.saturating_sub(undelivered);
        replay.state = match state.as_str() {
            state::PAUSED => ReplayState::Paused,
            state::CANCELLED => ReplayState::Cancelled,
            state::QUEUED if undelivered == 0 => ReplayState::Done,
            _ => ReplayState::Running,
        };
        replay
    }
}

/// Checks that an endpoint with this many unfinished replays may have one more.
pub(crate) fn may_start(open: i64) -> Result<(), StoreError> {
    if usize::try_from(open).is_ok_and(|open| open < REPLAYS_OPEN_MAX) {
        return Ok(());
    }
    Err(StoreError::Conflict(format!(
        "the endpoint has {open} replays that are not done: wait for one or cancel one"
    )))
}

/// The scope of a replay of events that were published while the endpoint was disabled.
pub(crate) fn missed(event_types: Vec<EventTypeId>) -> ReplayScope {
    ReplayScope { event_types, from: None, until: None, rule: None, missed_only: true }
}

/// A disabled endpoint recovers nothing.
pub(crate) fn must_be_enabled() -> StoreError {
    StoreError::Conflict("the endpoint is disabled: enable it first".to_owned())
}

/// The detail for the audit log of a replay that starts.
pub(crate) fn about_start(endpoint: EndpointId, scope: &ReplayScope, span: Span) -> Value {
    json!({ "endpoint": endpoint, "scope": scope, "total": span.total })
}

/// The detail for the audit log of a replay that is paused, resumed or cancelled.
pub(crate) fn about_change(endpoint: EndpointId, state: &str) -> Value {
    json!({ "endpoint": endpoint, "state": state })
}

/// Replays.
///
/// A replay is queued in slices: the next slice after the delivery of the slice before. So a replay takes
/// turns with live events, a paused or cancelled replay stops within a slice, and the queue stays short,
/// however long the history. An endpoint's replays run one after another, lowest number first, paused replays
/// left out.
#[async_trait]
pub trait ReplayStore: Send + Sync {
    /// Endpoints whose replay may have a slice to queue. After a start the set includes every endpoint with a
    /// running replay.
    fn replays_due(&self) -> Arc<Ready>;

    /// The present part of the journal that a replay of this scope would examine.
    async fn replay_span(
        &self,
        workspace: WorkspaceId,
        endpoint: EndpointId,
        scope: &ReplayScope,
    ) -> Result<Span, StoreError>;

    /// Examines the events of a scope after one number and up to another. Without `only`, all events are
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

    /// Starts a replay of the events now in the journal. [`StoreError::Conflict`] when the endpoint has
    /// [`REPLAYS_OPEN_MAX`] replays already.
    async fn start_replay(
        &self,
        workspace: WorkspaceId,
        endpoint: EndpointId,
        scope: ReplayScope,
        now: Timestamp,
    ) -> Result<Replay, StoreError>;

    /// Starts a replay for each time that the endpoint was disabled and enabled again since the last call,
    /// over the events of these types published meanwhile. [`StoreError::Conflict`] when the endpoint is
    /// disabled now.
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

    /// Pauses, resumes or cancels a replay; a replay in the wanted state stays unchanged.
    /// [`StoreError::Conflict`] when all events of the replay are queued, or the replay was cancelled.
    async fn change_replay(
        &self,
        workspace: WorkspaceId,
        endpoint: EndpointId,
        id: ReplayId,
        change: ReplayChange,
    ) -> Result<Replay, StoreError>;

    /// The replay whose next slice is due for the endpoint; `None` when no replay is running or a slice is
    /// not yet delivered.
    async fn due_replay(
        &self,
        endpoint: EndpointId,
    ) -> Result<Option<(WorkspaceId, Replay)>, StoreError>;

    /// Queues a slice and keeps the replay's progress, in one transaction. [`StoreError::Conflict`] when the
    /// slice is not the next slice: somebody changed the replay or queued a slice.
    async fn queue_slice(
        &self,
        id: ReplayId,
        slice: Slice,
        now: Timestamp,
    ) -> Result<(), StoreError>;
}

#[cfg(test)]
mod tests {
    use hookyard_core::model::ReplayProgress;

    use super::*;

    fn stored(state: &str) -> StoredReplay {
        let progress = ReplayProgress { total: 9, examined: 5, queued: 4, delivered: 0 };
        let replay = Replay {
            id: ReplayId(1),
            endpoint: EndpointId(2),
            created_at: Timestamp::UNIX_EPOCH,
            scope: missed(Vec::new()),
            state: ReplayState::Running,
            progress,
            position: Seq(10),
            last: Seq(20),
        };
        StoredReplay { workspace: WorkspaceId(1), state: state.to_owned(), replay }
    }

    fn slice(after: u64, position: u64) -> Slice {
        Slice { after: Seq(after), position: Seq(position), examined: 1, wanted: Vec::new() }
    }

    #[test]
    fn a_replay_that_came_to_its_end_is_not_changed() {
        use ReplayChange::{Cancel, Pause, Resume};
        let changed = |state, change| stored(state).changed(change);
        assert_eq!(changed(state::RUNNING, Pause).unwrap(), Some(state::PAUSED));
        assert_eq!(changed(state::PAUSED, Resume).unwrap(), Some(state::RUNNING));
        assert_eq!(changed(state::PAUSED, Pause).unwrap(), None);
        assert_eq!(changed(state::CANCELLED, Cancel).unwrap(), None);
        for ended in [state::CANCELLED, state::QUEUED] {
            assert!(matches!(changed(ended, Resume), Err(StoreError::Conflict(_))));
        }
    }

    #[test]
    fn only_the_next_slice_of_a_running_replay_is_queued() {
        let running = stored(state::RUNNING);
        assert_eq!(running.queued(&slice(10, 15), false).unwrap(), state::RUNNING);
        assert_eq!(running.queued(&slice(10, 20), false).unwrap(), state::QUEUED);
        assert!(running.queued(&slice(9, 15), false).is_err());
        assert!(running.queued(&slice(10, 15), true).is_err());
        assert!(stored(state::PAUSED).queued(&slice(10, 15), false).is_err());
    }

    #[test]
    fn a_replay_is_done_once_its_last_event_has_left_the_queue() {
        let shown = |state, undelivered| stored(state).shown(undelivered);
        assert_eq!(shown(state::QUEUED, 1).state, ReplayState::Running);
        assert_eq!(shown(state::QUEUED, 0).state, ReplayState::Done);
        assert_eq!(shown(state::RUNNING, 0).state, ReplayState::Running);
        assert_eq!(shown(state::RUNNING, 3).progress.delivered, 1);
    }

    #[test]
    fn the_unfinished_replays_of_an_endpoint_are_bounded() {
        let most = i64::try_from(REPLAYS_OPEN_MAX).unwrap();
        assert!(may_start(most - 1).is_ok() && may_start(most).is_err());
    }
}
