use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};

use crate::StoreError;

/// Bytes of a row beyond the texts, with a share of the indexes, roughly.
pub(crate) const ROW_OVERHEAD: u64 = 64;

/// Limits of age and size. Records beyond either limit go, oldest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Keep {
    /// The longest age; `None` is for ever.
    pub age: Option<SignedDuration>,
    /// The most bytes, of texts and of a row's other values; `None` is no limit.
    pub bytes: Option<u64>,
}

/// The limits of each kind of record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Retention {
    /// Of the journal.
    pub journal: Keep,
    /// Of the delivery log.
    pub attempts: Keep,
    /// Of the dead letters of all endpoints together. A letter counts the bytes of its event, held in the
    /// journal by the letter. The number of letters is bounded in any case.
    pub dead_letters: Keep,
    /// Of the audit log.
    pub audit: Keep,
}

/// The records of one kind that may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Surplus {
    /// Numbers below `from` were looked at.
    pub from: u64,
    /// Everything below this number may go.
    pub below: u64,
    /// The bytes that may go from `below` on, the lowest numbers first.
    pub bytes: u64,
    /// This number and higher numbers must stay: the next start, or a replay, needs the records.
    pub limit: u64,
}

/// The records that may go from a log in the order of time: records before a moment, and beyond the moment
/// some bytes of the oldest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SurplusAge {
    /// Records before this moment may go; `None`: none by age.
    pub before: Option<Timestamp>,
    /// The bytes that may go in all, the oldest first.
    pub bytes: u64,
}

impl SurplusAge {
    /// Whether the oldest remaining record may go; a yes takes the record's bytes off the rest.
    pub(crate) fn takes(&mut self, at: Timestamp, bytes: u64) -> bool {
        if self.before.is_none_or(|before| at >= before) && self.bytes == 0 {
            return false;
        }
        self.bytes = self.bytes.saturating_sub(bytes);
        true
    }
}

/// The records that may go, and the progress of the deletion.
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

/// The work of one slice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Expired {
    /// Events deleted.
    pub events: u64,
    /// Attempts deleted.
    pub attempts: u64,
    /// Dead letters dropped.
    pub dead_letters: u64,
    /// Entries of the audit log deleted.
    pub audit: u64,
    /// Pages given back to the file system.
    pub pages: u64,
    /// The rest of the work; `None` when nothing is left.
    pub rest: Option<Expiry>,
}

/// Deletes old records.
///
/// An event stays while any endpoint has the event in its queue or among its dead letters, and while a
/// running replay has yet to look at the event. Deletion forgets an event wholly: an event with the same id
/// and source is a new one.
#[async_trait]
pub trait RetentionStore: Send + Sync {
    /// The records that may go now.
    async fn expiry(&self, keep: Retention, now: Timestamp) -> Result<Expiry, StoreError>;

    /// Deletes a slice of the records, so small that publishers hardly wait.
    async fn expire(&self, expiry: Expiry) -> Result<Expired, StoreError>;
}
