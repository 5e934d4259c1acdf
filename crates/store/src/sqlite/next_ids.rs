//! The numbers that the next rows get.

/// The next numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct NextIds {
    pub(super) seq: u64,
    pub(super) attempt: u64,
    pub(super) row: u64,
    /// Of the keys that recognise repeated deliveries.
    pub(super) repeat: u64,
    /// Of deliveries kept for inspection.
    pub(super) delivery: u64,
    /// Of versions in the order of their replacement.
    pub(super) position: u64,
    /// Bytes of the events since the start, in retention's count.
    pub(super) journal_bytes: u64,
    /// Bytes of the attempts since the start.
    pub(super) attempt_bytes: u64,
}
