use async_trait::async_trait;
use bytes::Bytes;
use hookyard_core::id::{
    BatchId, DatasetId, DeliveryId, EndpointId, RejectionId, Seq, SourceId, WorkspaceId,
};
use hookyard_core::model::{
    Delivery, LoggedRejection, NewDelivery, Receipt, RefusedRequest, Rejection,
};
use jiff::SignedDuration;
use jiff::Timestamp;

use crate::{Page, StoreError};

/// How long a delivery that comes again is known: what providers try again within, and what the
/// recommendation of Idempotency-Key suggests.
pub const REPEATS_FOR: SignedDuration = SignedDuration::from_hours(24);

/// The most deliveries that are known again, of all workspaces: some 70 bytes of memory each, and 30 on
/// disk. When more come within [`REPEATS_FOR`], the oldest go of the workspace that has most: so the flood of
/// a stranger at one workspace's source does not push out what others have within their share. On PostgreSQL
/// this is seen to every minute.
pub const REPEATS_MAX: usize = 500_000;

/// The newest deliveries of a source that are kept for inspection. Older ones go with the next sweep,
/// however young they are.
pub const DELIVERIES_KEPT: u64 = 10_000;

/// The newest lines that a source's log of rejections keeps.
pub const REJECTIONS_KEPT: u64 = 1_000;

/// The newest refused requests of a source that are kept for the doctor: enough to see whether they are
/// alike, and some megabytes at most for a source that strangers send to.
pub const REFUSED_KEPT: u64 = 20;

/// How long a line of a log of rejections is kept.
pub const REJECTIONS_FOR: SignedDuration = SignedDuration::from_hours(30 * 24);

/// What an accepted delivery became.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accepted {
    /// It is stored, as far as there was anything to store.
    Stored {
        /// Its batch.
        batch: Option<BatchId>,
        /// The receipt of the event that was published of it.
        event: Option<Receipt>,
    },
    /// It came before, so nothing was stored.
    Repeat,
}

/// Which entries of a list to return, highest numbers first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Newest<Id> {
    /// Only entries that come after this one in the list.
    pub before: Option<Id>,
    /// The most entries to return.
    pub limit: usize,
}

/// What comes to sources.
#[async_trait]
pub trait ReceivingStore: Send + Sync {
    /// Stores one delivery: the row, by the mode that the source has at this moment, the event with
    /// its matches, what it is known again by, and what is kept for inspection; all of it or nothing.
    /// [`StoreError::NotFound`] when the source is gone.
    async fn accept(&self, delivery: NewDelivery, now: Timestamp) -> Result<Accepted, StoreError>;

    /// A page of the deliveries of a source that are kept for inspection.
    async fn deliveries(
        &self,
        workspace: WorkspaceId,
        source: SourceId,
        page: Newest<DeliveryId>,
    ) -> Result<Page<Delivery>, StoreError>;

    /// A delivery with its body, `None` for one that was not kept or whose row is gone. `None` when
    /// the source has no such delivery.
    async fn delivery(
        &self,
        workspace: WorkspaceId,
        source: SourceId,
        id: DeliveryId,
    ) -> Result<Option<(Delivery, Option<Bytes>)>, StoreError>;

    /// Adds lines to the logs of rejections, all in one transaction, and drops what a log has beyond
    /// [`REJECTIONS_KEPT`] lines and [`REFUSED_KEPT`] requests. Requests are encrypted.
    async fn log_rejections(&self, lines: Vec<LoggedRejection>) -> Result<(), StoreError>;

    /// A page of a source's log of rejections.
    async fn rejections(
        &self,
        workspace: WorkspaceId,
        source: SourceId,
        page: Newest<RejectionId>,
    ) -> Result<Vec<Rejection>, StoreError>;

    /// A line of a source's log, with its first request while that is kept. `None` when the source has
    /// no such line.
    async fn rejection(
        &self,
        workspace: WorkspaceId,
        source: SourceId,
        id: RejectionId,
    ) -> Result<Option<(Rejection, Option<RefusedRequest>)>, StoreError>;

    /// Adds rows to a dataset, whether or not it has a source, each a batch of its own; all or none.
    /// The cells must be JSON text. `None` when something of the name `repeat` came before, as with
    /// [`ReceivingStore::accept`]: then nothing is added. [`StoreError::NotFound`] when the workspace
    /// has no such dataset.
    async fn append_rows(
        &self,
        workspace: WorkspaceId,
        dataset: DatasetId,
        cells: Vec<Bytes>,
        repeat: Option<[u8; 16]>,
        now: Timestamp,
    ) -> Result<Option<Vec<BatchId>>, StoreError>;

    /// Adds events to a dataset of the workspace, each as a row, but for those that landed by this
    /// endpoint before: however often an event is sent, and whether or not the answer was heard, it
    /// is one row. How many rows were added. [`StoreError::NotFound`] when there is no such dataset.
    async fn land(
        &self,
        workspace: WorkspaceId,
        dataset: DatasetId,
        endpoint: EndpointId,
        rows: Vec<(Seq, Bytes)>,
        now: Timestamp,
    ) -> Result<u64, StoreError>;

    /// Deletes some of what is kept for inspection or for the doctor for too long, or of sources that are gone, and of
    /// what landed and is not in the journal any more. How many
    /// entries; 0 when nothing more is to be deleted.
    async fn expire_inspection(&self, now: Timestamp) -> Result<u64, StoreError>;
}
