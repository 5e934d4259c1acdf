use async_trait::async_trait;
use hookyard_core::id::{EndpointId, EventTypeId, RequestId, Seq, WorkspaceId};
use jiff::Timestamp;

use crate::StoreError;

/// The most dead letters of one endpoint: a hundred bundles of the usual size, more than anyone looks
/// through. Beyond the bound, the first parked letter makes room for the newest; the log reports the loss,
/// and the event stays in the journal.
pub const DEAD_LETTERS_MAX: u64 = 10_000;

/// An event that an endpoint's receiver refuses for good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// The event's number.
    pub seq: Seq,
    /// The event's type.
    pub event_type: EventTypeId,
    /// The moment of parking.
    pub parked_at: Timestamp,
    /// The last attempt.
    pub request_id: RequestId,
    /// The publisher's id of the event; `None` when the event has left the journal.
    pub event_id: Option<String>,
}

/// The dead letters to list, event numbers ascending.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DeadLetterQuery {
    /// Leave out letters up to the number.
    pub after: Option<Seq>,
    /// The most to return.
    pub limit: usize,
}

/// The dead letters of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeadLetters {
    /// All dead letters.
    All,
    /// The dead letter of the event.
    One(Seq),
}

/// Events given up on. An event is a dead letter of an endpoint at most once; the queue's state has the
/// number of dead letters. Parking is a part of [`QueueStore::settle`].
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

    /// Queues dead letters again, behind all queued events, event numbers ascending; the events are dead
    /// letters no more. Returns the number of events. [`StoreError::NotFound`] when the workspace has no such
    /// endpoint.
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
