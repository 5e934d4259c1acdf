use async_trait::async_trait;
use hookyard_core::id::{EndpointId, EventTypeId, RequestId, Seq, WorkspaceId};
use jiff::Timestamp;

use crate::StoreError;

/// The most dead letters of one endpoint: a hundred bundles of the usual size, more than anyone looks
/// through. Of more than that the one that was parked first makes room for the newest; the log says
/// so, and the event stays in the journal.
pub const DEAD_LETTERS_MAX: u64 = 10_000;

/// An event that an endpoint's receiver refuses for good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// The event's number.
    pub seq: Seq,
    /// The event's type.
    pub event_type: EventTypeId,
    /// When it was parked.
    pub parked_at: Timestamp,
    /// The attempt that was the last.
    pub request_id: RequestId,
    /// The publisher's id of the event; `None` when the journal does not have it any more.
    pub event_id: Option<String>,
}

/// Which dead letters to list, event numbers ascending.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DeadLetterQuery {
    /// Leave out those up to this number.
    pub after: Option<Seq>,
    /// The most to return.
    pub limit: usize,
}

/// Which dead letters to do something with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeadLetters {
    /// All of them.
    All,
    /// The one of this event.
    One(Seq),
}

/// Events that were given up on. An event is a dead letter of an endpoint at most once; how many
/// there are is in the queue's state. Parking is a part of [`QueueStore::settle`].
///
/// [`QueueStore::settle`]: crate::QueueStore::settle
#[async_trait]
pub trait DeadLetterStore: Send + Sync {
    /// A page of an endpoint's dead letters. [`StoreError::NotFound`] when the workspace has no such
    /// endpoint.
    async fn dead_letters(
        &self,
        workspace: WorkspaceId,
        endpoint: EndpointId,
        query: DeadLetterQuery,
    ) -> Result<Vec<DeadLetter>, StoreError>;

    /// Queues dead letters again, behind everything that is queued, event numbers ascending; they
    /// are dead letters no more. The answer is how many. [`StoreError::NotFound`] when the workspace
    /// has no such endpoint.
    async fn redeliver_dead_letters(
        &self,
        workspace: WorkspaceId,
        endpoint: EndpointId,
        which: DeadLetters,
    ) -> Result<u64, StoreError>;

    /// Forgets dead letters; the answer is how many. [`StoreError::NotFound`] when the workspace has
    /// no such endpoint.
    async fn drop_dead_letters(
        &self,
        workspace: WorkspaceId,
        endpoint: EndpointId,
        which: DeadLetters,
    ) -> Result<u64, StoreError>;
}
