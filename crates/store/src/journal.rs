use std::sync::Arc;

use async_trait::async_trait;
use hookyard_core::id::{EventTypeId, Seq, WorkspaceId};
use hookyard_core::model::{Event, NewEvent, Receipt};
use jiff::Timestamp;

use crate::{Page, StoreError};

/// The events to list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventQuery {
    /// Only events of the type.
    pub event_type: Option<EventTypeId>,
    /// Only events with higher numbers.
    pub after: Option<Seq>,
    /// Only events with lower numbers.
    pub before: Option<Seq>,
    /// Highest numbers first.
    pub newest_first: bool,
    /// The most events to return.
    pub limit: usize,
}

/// The journal: every event, whether or not anything matched.
#[async_trait]
pub trait JournalStore: Send + Sync {
    /// Appends the events, all or none, and queues the events for the matching endpoints, in the same
    /// transaction. A repeat, an event whose id and source are already in the journal or earlier in the
    /// batch, is not stored again; the receipt is the first event's. Receipts are in the order of the events.
    ///
    /// Repeats are recognised within a window of [`EVENTS_KNOWN_MAX`](crate::EVENTS_KNOWN_MAX) events that
    /// the workspaces share. A workspace always has at least its newest million events divided by the number
    /// of workspaces, however much other workspaces publish. A start of the embedded store finds the events
    /// of the window among the newest eight million of all. On PostgreSQL a workspace recognises some more,
    /// since the window ends at a partition of the journal.
    async fn append(
        &self,
        workspace: WorkspaceId,
        events: Vec<NewEvent>,
        now: Timestamp,
    ) -> Result<Vec<Receipt>, StoreError>;

    /// A page of the journal.
    async fn events(
        &self,
        workspace: WorkspaceId,
        query: EventQuery,
    ) -> Result<Page<Arc<Event>>, StoreError>;

    /// The newest event with the id, of the source if a source is named; `None` when absent.
    async fn event(
        &self,
        workspace: WorkspaceId,
        id: &str,
        source: Option<&str>,
    ) -> Result<Option<Arc<Event>>, StoreError>;

    /// The events with these numbers, in the order asked for; absent events are left out.
    async fn events_by_seq(
        &self,
        workspace: WorkspaceId,
        seqs: &[Seq],
    ) -> Result<Vec<Arc<Event>>, StoreError>;
}
