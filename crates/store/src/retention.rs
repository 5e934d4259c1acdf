use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};

use crate::StoreError;

/// How long and how much of something is kept; what breaks either limit goes, oldest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Keep {
    /// For this long; `None` is for ever.
    pub age: Option<SignedDuration>,
    /// This many bytes, of texts and what a row takes beside them; `None` is no limit.
    pub bytes: Option<u64>,
}

/// What is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Retention {
    /// Of the journal.
    pub journal: Keep,
    /// Of the delivery log.
    pub attempts: Keep,
    /// Of the dead letters of all endpoints together. A letter has the bytes of its event, which it
    /// keeps in the journal. Their number is bounded in any case.
    pub dead_letters: Keep,
    /// Of the audit log.
    pub audit: Keep,
}

/// What of one kind may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Surplus {
    /// Numbers below this one were looked at.
    pub from: u64,
    /// Everything below this number may go.
    pub below: u64,
    /// This many bytes may go beyond that, the lowest numbers first.
    pub bytes: u64,
    /// This number and higher ones must stay: the next start, or a replay, needs them.
    pub limit: u64,
}

/// What may go of something that is kept in the order of time: what is of before a moment, and beyond
/// that some bytes of the oldest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SurplusAge {
    /// What is of before this moment; `None`: nothing.
    pub before: Option<Timestamp>,
    /// This many bytes may go in all, the oldest first.
    pub bytes: u64,
}

impl SurplusAge {
    /// Whether the oldest one that is left may go; then its bytes have gone.
    pub(crate) fn takes(&mut self, at: Timestamp, bytes: u64) -> bool {
        if self.before.is_none_or(|before| at >= before) && self.bytes == 0 {
            return false;
        }
        self.bytes = self.bytes.saturating_sub(bytes);
        true
    }
}

/// What may go, and how far its deletion is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Expiry {
    /// Of the journal.
    pub journal: Surplus,
    /// Of the delivery log.
    pub attempts: Surplus,
    /// Of the dead letters.
    pub dead_letters: SurplusAge,
    /// Of the audit log.
    pub audit: SurplusAge,
}

/// What one slice did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Expired {
    /// Events that were deleted.
    pub events: u64,
    /// Attempts that were deleted.
    pub attempts: u64,
    /// Dead letters that were dropped.
    pub dead_letters: u64,
    /// Entries of the audit log that were deleted.
    pub audit: u64,
    /// Pages that were given back to the file system.
    pub pages: u64,
    /// What is left to do; `None` when nothing is.
    pub rest: Option<Expiry>,
}

/// Deleting what is old.
///
/// An event stays while any endpoint has it in its queue or among its dead letters, and while a
/// running replay has still to look at it. What is deleted is forgotten whole: an event with the same id and source is a new one.
#[async_trait]
pub trait RetentionStore: Send + Sync {
    /// What may go now.
    async fn expiry(&self, keep: Retention, now: Timestamp) -> Result<Expiry, StoreError>;

    /// Deletes a slice of it, so small that publishers hardly wait for it.
    async fn expire(&self, expiry: Expiry) -> Result<Expired, StoreError>;
}
