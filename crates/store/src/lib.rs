//! Hookyard's storage contract and the backends.
//!
//! [`Store`] is the sum of traits by role. Each method is one transaction: a method that returns `Ok` has
//! happened wholly and is on disk; no handle to a transaction escapes. A call about a workspace's things
//! takes the workspace's id; the things of another workspace count as absent.
//!
//! To add a method: declare the method on the trait of its role with the invariants, write a case in
//! `contract`, then implement the method in every backend. The suite in `contract` defines a backend.
#![forbid(unsafe_code)]

use std::sync::Arc;

mod actor;
mod applications;
mod attempts;
mod audit;
mod backlog;
mod catalog;
pub mod check;
mod checksum;
#[cfg(test)]
mod contract;
mod credentials;
mod customers;
mod dataset_rows;
mod datasets;
mod dead_letters;
mod endpoints;
mod error;
mod folders;
mod gaps;
mod jobs;
mod journal;
mod ledger;
mod limits;
mod loss;
pub mod moving;
mod oauth;
mod page;
mod places;
pub mod postgres;
mod queue;
mod ready;
mod receiving;
mod redeem;
mod replays;
mod retention;
mod sealed;
mod shares;
mod sources;
pub mod sqlite;
mod standing;
mod stored;
mod tenants;
mod tenure;
mod transfer;
mod trash;
pub mod vault;

pub use actor::{Actor, ActorKind};
pub use applications::{APPLICATIONS_MAX, ApplicationStore, GRANTS_MAX};
pub use attempts::{AttemptQuery, AttemptStore};
pub use audit::{AuditEntry, AuditQuery, AuditStore, Seen};
pub use catalog::{CatalogStore, NewWorkspace};
pub use credentials::{
    CREDENTIALS_MAX, CredentialChange, CredentialQuery, CredentialStore, NewCredential, Rotation,
    StoredCredential,
};
pub use customers::{CUSTOMER_ENDPOINTS_MAX, CUSTOMERS_MAX, CustomerStore, RemovedCustomer};
pub use dataset_rows::{
    BATCHES_CHANGED_MAX, BatchChange, BatchQuery, RowLimit, RowPage, RowQuery, RowStore,
};
pub use datasets::{DatasetChange, DatasetQuery, DatasetStore, NewDataset, Received, VersionStore};
pub use dead_letters::{
    DEAD_LETTERS_MAX, DeadLetter, DeadLetterQuery, DeadLetterStore, DeadLetters,
};
pub use error::{Entity, StoreError};
pub use folders::{
    FOLDER_DEPTH_MAX, FOLDERS_MAX, FolderChange, FolderContents, FolderStore, NewFolder,
};
pub use jobs::{JOBS_KEPT, JobStore, NewJob};
pub use journal::{EventQuery, JournalStore};
pub use limits::{LimitStore, TAKES_MAX, Take, Taken, Turns};
pub use loss::{Loss, Missing};
pub use oauth::{
    ACCESS_TOKENS_MAX, Code, DEVICE_CODES_MAX, DeviceCode, Issue, NewTokens, OAuthStore, Poll,
    SecretHash, USED_REFRESH_TOKENS_MAX,
};
pub use page::{PAGE_BYTES_MAX, Page};
pub use queue::{
    EventFilter, Head, HeadLimit, Held, Lease, QueueStore, Queued, Recorded, Reflow, WINDOW, Window,
};
pub use ready::Ready;
pub use receiving::{
    Accepted, DELIVERIES_KEPT, Newest, REFUSED_KEPT, REJECTIONS_FOR, REJECTIONS_KEPT, REPEATS_FOR,
    REPEATS_MAX, ReceivingStore,
};
pub use replays::{
    REPLAYS_CLOSED_KEPT, REPLAYS_OPEN_MAX, ReplayChange, ReplayStore, Slice, Span, SpanLimit,
};
pub use retention::{Expired, Expiry, Keep, Retention, RetentionStore, Surplus, SurplusAge};
pub use shares::EVENTS_KNOWN_MAX;
pub use sources::{SourceQuery, SourceStore};
pub use tenants::{PROJECTS_MAX, TenantStore};
pub use tenure::Tenure;
pub use trash::TrashStore;

/// All roles of a backend.
#[async_trait::async_trait]
pub trait Store:
    TenantStore
    + CatalogStore
    + CustomerStore
    + AuditStore
    + CredentialStore
    + ApplicationStore
    + OAuthStore
    + JournalStore
    + QueueStore
    + AttemptStore
    + DeadLetterStore
    + ReplayStore
    + RetentionStore
    + SourceStore
    + DatasetStore
    + RowStore
    + VersionStore
    + FolderStore
    + TrashStore
    + JobStore
    + LimitStore
    + ReceivingStore
{
    /// Whether a transaction can be committed now.
    async fn health(&self) -> Result<(), StoreError>;

    /// Waits until the store has failed for good, and returns the reason. Memory and disk of a failed store
    /// may differ, so the store refuses every call, and only a new start helps. The wait has no end while the
    /// store can go on.
    async fn failed(&self) -> String;

    /// Writes derived state (queues, counters) for a quick next start, and stops. Later calls fail with
    /// [`StoreError::Unavailable`]. Skipping the close loses nothing.
    async fn close(&self) -> Result<(), StoreError>;
}

/// A store shared by many tasks.
pub type SharedStore = Arc<dyn Store>;
