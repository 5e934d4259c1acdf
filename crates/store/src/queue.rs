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
/// `epoch` grows with each change of owner; a call with an older epoch is refused with
/// [`StoreError::LeaseLost`], so an owner that was late is fenced off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// The endpoint.
    pub endpoint: EndpointId,
    /// Its workspace.
    pub workspace: WorkspaceId,
    /// Counts its owners.
    pub epoch: u64,
}

/// How much of a queue's head to return.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeadLimit {
    /// The most events.
    pub events: usize,
    /// Stop once the objects together have this many bytes; at least one event is returned.
    pub bytes: usize,
}

/// How many places behind the head entries may leave a queue: a key that waits holds its endpoint up
/// once the others are this far ahead of it. So many places are remembered of an endpoint at most, in
/// some kilobytes, and so many entries are looked at for one whose key is free.
pub const WINDOW: u64 = 1_024;

/// One entry of a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queued {
    /// Its place: entries that were queued earlier have lower ones.
    pub place: u64,
    /// The event.
    pub event: Arc<Event>,
    /// When it was queued: its acceptance, or the reflow that queued it again. A dead letter that
    /// is redelivered counts from its acceptance.
    pub queued_at: Timestamp,
}

/// The head of a queue with all that is needed to deliver it.
#[derive(Debug, Clone)]
pub struct Head {
    /// The endpoint as it is now.
    pub endpoint: Arc<Endpoint>,
    /// Where its queue stands.
    pub state: QueueState,
    /// The oldest entries, in order.
    pub entries: Vec<Queued>,
    /// Entries before them whose events are gone from the journal. They are to leave first.
    pub missing: u32,
    /// How many of the first entries the last attempt failed with; 0 when there is no such.
    pub held: usize,
}

/// Entries that an attempt failed with. Until they leave, or an attempt is made with some of them, they
/// are what the same bundle is made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// Their places, ascending.
    #[serde(with = "runs")]
    pub entries: Vec<u64>,
    /// How many attempts have failed with some of them in a row.
    pub failures: u32,
    /// How often the one event was refused alone.
    pub refusals: u32,
    /// No attempt is made with them before this moment.
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

/// A part of the first [`WINDOW`] places of a queue, with all that is needed to deliver it.
#[derive(Debug, Clone)]
pub struct Window {
    /// The endpoint as it is now.
    pub endpoint: Arc<Endpoint>,
    /// Where its queue stands.
    pub state: QueueState,
    /// Entries, in order.
    pub entries: Vec<Queued>,
    /// The places of entries among and between them whose events are gone from the journal. They are
    /// to leave.
    pub missing: Vec<u64>,
    /// What attempts have failed with, wherever it is.
    pub held: Vec<Held>,
    /// The place after the last one that was looked at.
    pub until: u64,
    /// The place after the last one of the window.
    pub end: u64,
}

/// Which events of the journal to queue again, told one by one. The store knows nothing of rules; its
/// caller brings the test. It is asked on threads that may block, and must answer the same whenever
/// it is asked.
#[derive(Clone)]
pub struct EventFilter(Arc<dyn Fn(&Event) -> bool + Send + Sync>);

impl EventFilter {
    /// The events for which this is true.
    pub fn new(wanted: impl Fn(&Event) -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(wanted))
    }

    /// Whether the event is wanted. One that is damaged is: it then becomes a dead letter, and does not
    /// pass for one that nobody wanted.
    pub fn wants(&self, event: &Event) -> bool {
        event.damaged || (self.0)(event)
    }
}

impl fmt::Debug for EventFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EventFilter")
    }
}

/// What a reflow did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reflow {
    /// How many events were queued again.
    pub queued: u64,
    /// Whether an earlier reflow of the same type was still under way, so that none was started.
    pub coalesced: bool,
}

/// Whether an attempt may be in the store already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recorded {
    /// It is not: it is new.
    No,
    /// An earlier call failed, and whether its transaction was committed is not known.
    Maybe,
}

/// Queues and who works on them.
#[async_trait]
pub trait QueueStore: Send + Sync {
    /// Endpoints that may have something to do, as it comes up: events were queued, the settings
    /// changed, a lease came free. After a start this includes every endpoint with a queue.
    fn ready(&self) -> Arc<Ready>;

    /// Until when this node may deliver: all its leases end with it, unless they are given back or
    /// another node takes the endpoint first. The store extends it by itself, for as long as it can.
    fn tenure(&self) -> Tenure;

    /// Takes the endpoint; `None` when it has another owner or is gone.
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

    /// Records an attempt and, in the same transaction, takes its entries out of the queue if
    /// `attempt.advance` says so, and keeps the failure state. With `attempt.park` its events become
    /// dead letters. An entry that has left already is passed over; one behind the window is
    /// [`StoreError::Conflict`]. The answer is where the queue stands then; entries that are queued
    /// while this call is under way may be missing from its `pending`.
    ///
    /// When the call fails with [`StoreError::Unavailable`] or [`StoreError::Internal`], the attempt
    /// may be recorded or not. Calling again with [`Recorded::Maybe`] records an attempt with the same
    /// request id once, however often that is done.
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

    /// Queues every event of the type that is in the journal (with `only`: that passes it), oldest
    /// first, behind what is queued now and before anything published later. While an earlier one of
    /// the same type has not been delivered whole, nothing is queued.
    async fn reflow(
        &self,
        workspace: WorkspaceId,
        endpoint: EndpointId,
        event_type: EventTypeId,
        only: Option<EventFilter>,
        now: Timestamp,
    ) -> Result<Reflow, StoreError>;

    /// Where these endpoints' queues stand, in the order asked for; an endpoint that is gone stands
    /// at zero.
    async fn queue_states(
        &self,
        workspace: WorkspaceId,
        endpoints: &[EndpointId],
    ) -> Result<Vec<QueueState>, StoreError>;
}
