use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use hookyard_core::id::{EndpointId, EventTypeId, WorkspaceId};
use hookyard_core::model::{Endpoint, Event, NewAttempt, QueueState};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Ready, StoreError, Tenure};

/// The right to work on an endpoint's queue.
///
/// `epoch` is a fencing token, and grows with each change of owner. A call with an older epoch is refused
/// with [`StoreError::LeaseLost`], so a late owner is fenced off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// The endpoint.
    pub endpoint: EndpointId,
    /// The endpoint's workspace.
    pub workspace: WorkspaceId,
    /// The number of owners so far.
    pub epoch: u64,
}

/// How much of a queue's head to return.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeadLimit {
    /// The most events.
    pub events: usize,
    /// Stop once the objects together have so many bytes; at least one event is returned.
    pub bytes: usize,
}

/// How many places behind the head entries may leave a queue. A waiting key holds its endpoint up
/// (head-of-line blocking) once the other keys are so far ahead. At most so many places are remembered for an
/// endpoint, in some kilobytes, and so many entries are searched for an event with a free key.
pub const WINDOW: u64 = 1_024;

/// One entry of a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queued {
    /// The entry's place: entries queued earlier have lower places.
    pub place: u64,
    /// The event.
    pub event: Arc<Event>,
    /// The moment of queueing: the acceptance, or the reflow that queued the event again. A redelivered dead
    /// letter counts from its acceptance.
    pub queued_at: Timestamp,
}

/// The head of a queue with everything needed for delivery.
#[derive(Debug, Clone)]
pub struct Head {
    /// The endpoint's present settings.
    pub endpoint: Arc<Endpoint>,
    /// The state of the queue.
    pub state: QueueState,
    /// The oldest entries, in order.
    pub entries: Vec<Queued>,
    /// Entries before the returned events whose events are gone from the journal. Such entries are to leave
    /// first.
    pub missing: u32,
    /// How many of the first entries the last attempt failed with; 0 when there is no such.
    pub held: usize,
}

/// Entries of a failed attempt. The entries form the same bundle until they leave, or until an attempt with
/// some of the entries is made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// The places of the entries, ascending.
    #[serde(with = "runs")]
    pub entries: Vec<u64>,
    /// The number of failed attempts in a row with some of the entries.
    pub failures: u32,
    /// How often the bundle's only event was refused alone.
    pub refusals: u32,
    /// The earliest moment of the next attempt.
    pub retry_at: Option<Timestamp>,
}

/// Places as runs: `[[first, count], ..]`.
mod runs {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(places: &[u64], to: S) -> Result<S::Ok, S::Error> {
        let run = |run: &[u64]| (run[0], run.len() as u64);
        let runs: Vec<_> = places.chunk_by(|one, next| one + 1 == *next).map(run).collect();
        runs.serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u64>, D::Error> {
        let runs = Vec::<(u64, u64)>::deserialize(from)?;
        Ok(runs.into_iter().flat_map(|(first, count)| first..first + count).collect())
    }
}

/// A part of the first [`WINDOW`] places of a queue, with everything needed for delivery.
#[derive(Debug, Clone)]
pub struct Window {
    /// The endpoint's present settings.
    pub endpoint: Arc<Endpoint>,
    /// The state of the queue.
    pub state: QueueState,
    /// Entries, in order.
    pub entries: Vec<Queued>,
    /// The places of entries, among and between the returned ones, whose events are gone from the journal.
    /// Such entries are to leave.
    pub missing: Vec<u64>,
    /// The entries of failed attempts, in any place.
    pub held: Vec<Held>,
    /// The place after the last searched place.
    pub until: u64,
    /// The place after the window's last place.
    pub end: u64,
}

/// The test that picks the journal's events to queue again, one by one. The store knows nothing of rules; the
/// caller brings the test. The store runs the test on threads that may block, and the answer must be the same
/// at every run.
#[derive(Clone)]
pub struct EventFilter {
    wanted: Arc<dyn Fn(&Event) -> bool + Send + Sync>,
    damaged: bool,
}

impl EventFilter {
    /// The filter for the events with `true` as the answer.
    pub fn new(wanted: impl Fn(&Event) -> bool + Send + Sync + 'static) -> Self {
        Self { wanted: Arc::new(wanted), damaged: true }
    }

    /// The undamaged events for which this is true: for a customer's endpoint, since nobody knows whose a
    /// damaged event is.
    pub fn whole(wanted: impl Fn(&Event) -> bool + Send + Sync + 'static) -> Self {
        Self { wanted: Arc::new(wanted), damaged: false }
    }

    /// Whether the event is wanted. One that is damaged is, unless the filter is for whole events: it then
    /// becomes a dead letter, and does not pass for one that nobody wanted.
    pub fn wants(&self, event: &Event) -> bool {
        match event.damaged {
            true => self.damaged,
            false => (self.wanted)(event),
        }
    }
}

impl fmt::Debug for EventFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EventFilter")
    }
}

/// The result of a reflow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reflow {
    /// How many events were queued again.
    pub queued: u64,
    /// Whether an earlier reflow of the same type was still under way, so that the call started none.
    pub coalesced: bool,
}

/// Whether an attempt may be in the store already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recorded {
    /// The attempt is new.
    No,
    /// An earlier call failed; whether the transaction was committed is unknown.
    Maybe,
}

/// Queues and their owners.
#[async_trait]
pub trait QueueStore: Send + Sync {
    /// Endpoints with possible work: newly queued events, changed settings, or a lease that came free. After
    /// a start the set includes every endpoint with a queue.
    fn ready(&self) -> Arc<Ready>;

    /// The end of this node's right to deliver. All leases of the node end with the tenure, unless a lease is
    /// given back or another node takes the endpoint first. The store extends the tenure by itself for as
    /// long as possible.
    fn tenure(&self) -> Tenure;

    /// Takes the endpoint; `None` when the endpoint has another owner or is gone.
    async fn claim(&self, endpoint: EndpointId) -> Result<Option<Lease>, StoreError>;

    /// Gives the endpoint back.
    async fn release(&self, lease: Lease) -> Result<(), StoreError>;

    /// The head of the endpoint's queue, for an endpoint that gets one bundle at a time.
    async fn head(&self, lease: &Lease, limit: HeadLimit) -> Result<Head, StoreError>;

    /// The entries from a place on, for an endpoint that gets several bundles at a time. Nothing is
    /// read beyond the first [`WINDOW`] places of the queue.
    async fn window(
        &self,
        lease: &Lease,
        from: u64,
        limit: HeadLimit,
    ) -> Result<Window, StoreError>;

    /// Records an attempt and, in the same transaction, takes the entries out of the queue if
    /// `attempt.advance` says so, and keeps the failure state. With `attempt.park` the events become dead
    /// letters. A departed entry is passed over; an entry behind the window is a [`StoreError::Conflict`].
    /// Returns the queue's state after the attempt; entries queued during the call may be missing from
    /// `pending`.
    ///
    /// When the call fails with [`StoreError::Unavailable`] or [`StoreError::Internal`], the attempt may be
    /// recorded or not. Calling again with [`Recorded::Maybe`] records an attempt with the same request id
    /// once, however many calls follow.
    async fn record(
        &self,
        lease: &Lease,
        attempt: Arc<NewAttempt>,
        recorded: Recorded,
    ) -> Result<QueueState, StoreError>;

    /// [Records](Self::record) a new attempt.
    async fn settle(&self, lease: &Lease, attempt: NewAttempt) -> Result<QueueState, StoreError> {
        self.record(lease, Arc::new(attempt), Recorded::No).await
    }

    /// Queues every event of the type in the journal (with `only`: every event that passes), oldest first,
    /// behind all queued events and before anything published later. While an earlier reflow of the same type
    /// has not been delivered whole, nothing is queued.
    async fn reflow(
        &self,
        workspace: WorkspaceId,
        endpoint: EndpointId,
        event_type: EventTypeId,
        only: Option<EventFilter>,
        now: Timestamp,
    ) -> Result<Reflow, StoreError>;

    /// The states of the endpoints' queues, in the order asked for; an absent endpoint has zeros.
    async fn queue_states(
        &self,
        workspace: WorkspaceId,
        endpoints: &[EndpointId],
    ) -> Result<Vec<QueueState>, StoreError>;
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use hookyard_core::id::Seq;

    use super::*;

    #[test]
    fn what_is_damaged_is_for_no_customer() {
        let event = |damaged| Event {
            seq: Seq(1),
            workspace: WorkspaceId(1),
            accepted_at: Timestamp::UNIX_EPOCH,
            event_type: EventTypeId(1),
            id: String::new(),
            source: String::new(),
            attributes: String::new(),
            object: Bytes::new(),
            matched: 0,
            damaged,
        };
        let (any, whole) = (EventFilter::new(|_| true), EventFilter::whole(|_| true));
        assert!(any.wants(&event(true)) && any.wants(&event(false)));
        assert!(!whole.wants(&event(true)) && whole.wants(&event(false)));
    }
}
