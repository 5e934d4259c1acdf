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

/// How long a repeated delivery is recognised: as long as providers retry, and as the recommendation of
/// Idempotency-Key suggests.
pub const REPEATS_FOR: SignedDuration = SignedDuration::from_hours(24);

/// The most deliveries recognised as repeats, of all workspaces: some 70 bytes of memory each, and 30 on
/// disk. Beyond the bound within [`REPEATS_FOR`], the workspace with most loses its oldest: so a flood at one
/// workspace's source does not push out the share of other workspaces. PostgreSQL applies the bound every
/// minute.
pub const REPEATS_MAX: usize = 500_000;

/// The newest deliveries of a source kept for inspection. Older deliveries go with the next sweep, however
/// young.
pub const DELIVERIES_KEPT: u64 = 10_000;

/// The newest lines of a source's log of rejections.
pub const REJECTIONS_KEPT: u64 = 1_000;

/// The newest refused requests of a source kept for the doctor: enough to compare, and some megabytes at most
/// for a source that strangers send to.
pub const REFUSED_KEPT: u64 = 20;

/// How long a line of a log of rejections is kept.
pub const REJECTIONS_FOR: SignedDuration = SignedDuration::from_hours(30 * 24);

/// The outcome of an accepted delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accepted {
    /// The delivery is stored, as far as there was anything to store.
    Stored {
        /// The delivery's batch.
        batch: Option<BatchId>,
        /// The receipt of the event published from the delivery.
        event: Option<Receipt>,
    },
    /// The delivery came before, so nothing was stored.
    Repeat,
}

/// The entries of a list to return, highest numbers first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Newest<Id> {
    /// Only entries after the named entry in the list.
    pub before: Option<Id>,
    /// The most entries to return.
    pub limit: usize,
}

/// Deliveries to sources.
#[async_trait]
pub trait ReceivingStore: Send + Sync {
    /// Stores one delivery: the row, by the source's present mode, the event with its matches, the key that
    /// recognises repeats, and the copy for inspection; all or nothing. [`StoreError::NotFound`] when the
    /// source is gone.
    async fn accept(&self, delivery: NewDelivery, now: Timestamp) -> Result<Accepted, StoreError>;

    /// A page of a source's deliveries kept for inspection.
    async fn deliveries(
        &self,
        workspace: WorkspaceId,
        source: SourceId,
        page: Newest<DeliveryId>,
    ) -> Result<Page<Delivery>, StoreError>;

    /// A delivery with its body; the body is `None` when not kept or when the row is gone. `None` when the
    /// source has no such delivery.
    async fn delivery(
        &self,
        workspace: WorkspaceId,
        source: SourceId,
        id: DeliveryId,
    ) -> Result<Option<(Delivery, Option<Bytes>)>, StoreError>;

    /// Adds lines to the logs of rejections, all in one transaction, and drops the surplus of a log beyond
    /// [`REJECTIONS_KEPT`] lines and [`REFUSED_KEPT`] requests. Requests are encrypted.
    async fn log_rejections(&self, lines: Vec<LoggedRejection>) -> Result<(), StoreError>;

    /// A page of a source's log of rejections.
    async fn rejections(
        &self,
        workspace: WorkspaceId,
        source: SourceId,
        page: Newest<RejectionId>,
    ) -> Result<Vec<Rejection>, StoreError>;

    /// A line of a source's log, with the first request while the request is kept. `None` when the source has
    /// no such line.
    async fn rejection(
        &self,
        workspace: WorkspaceId,
        source: SourceId,
        id: RejectionId,
    ) -> Result<Option<(Rejection, Option<RefusedRequest>)>, StoreError>;

    /// Adds rows to a dataset, with or without a source, each row as a separate batch; all or none. The cells
    /// must be JSON text. `None` when rows of the name `repeat` came before, as with
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

    /// Adds events to a dataset of the workspace, each as a row, except events that landed by this endpoint
    /// before: an event sent several times is a single row, whether or not the answer was heard. Returns the
    /// number of rows added. [`StoreError::NotFound`] when there is no such dataset.
    async fn land(
        &self,
        workspace: WorkspaceId,
        dataset: DatasetId,
        endpoint: EndpointId,
        rows: Vec<(Seq, Bytes)>,
        now: Timestamp,
    ) -> Result<u64, StoreError>;

    /// Deletes a part of the overdue entries: copies kept for inspection or the doctor past their time or of
    /// absent sources, and notes of landed events that left the journal. Returns the number of entries; 0
    /// when nothing is left to delete.
    async fn expire_inspection(&self, now: Timestamp) -> Result<u64, StoreError>;
}
