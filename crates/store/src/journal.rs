use std::sync::Arc;

use async_trait::async_trait;
use hookyard_core::id::{EventTypeId, Seq, WorkspaceId};
use hookyard_core::model::{Event, NewEvent, Receipt};
use jiff::Timestamp;

use crate::{Page, StoreError};

/// Which events to list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventQuery {
    /// Only this type.
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
    /// Appends the events, all or none, and queues them for the endpoints they matched, in the same
    /// transaction. An event whose id and source are in the journal already (or earlier in the
    /// batch) is not stored again; its receipt is the first one's. Receipts are in the order of the
    /// events.
    ///
    /// It is recognised within a window of [`EVENTS_KNOWN_MAX`](crate::EVENTS_KNOWN_MAX) events that the
    /// workspaces share: each always has its newest million divided by how many there are, however many
    /// others publish. A start of the embedded store finds those among the newest eight million of all. On
    /// PostgreSQL a workspace finds some more, since its window ends where a partition of the journal does.
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

    /// The newest event with this id, of this source if one is named; `None` when there is none.
    async fn event(
        &self,
        workspace: WorkspaceId,
        id: &str,
        source: Option<&str>,
    ) -> Result<Option<Arc<Event>>, StoreError>;

    /// The events with these numbers, in the order asked for; those that are gone are left out.
    async fn events_by_seq(
        &self,
        workspace: WorkspaceId,
        seqs: &[Seq],
    ) -> Result<Vec<Arc<Event>>, StoreError>;
}
