//! The result of one step of one endpoint.

use jiff::Timestamp;

use super::verdict::Verdict;

/// The result of one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The queue is empty.
    Idle,
    /// The endpoint is disabled; its queue stays.
    Disabled,
    /// Nothing may be sent before this moment.
    Wait(Timestamp),
    /// The receiver took a bundle.
    Sent {
        /// How many events.
        events: usize,
        /// How many are left in the queue.
        pending: u64,
    },
    /// The receiver did not take the bundle, which is not sent again before this moment.
    Failed(Timestamp),
    /// Entries that can never be sent left the queue.
    Dropped {
        /// How many entries.
        entries: u32,
        /// How many are left in the queue.
        pending: u64,
    },
    /// The receiver did not take a bundle of several events; the next bundle has fewer.
    Halved,
    /// The receiver has refused an event alone for the last time: the event is a dead letter now.
    Parked {
        /// How many entries are left in the queue.
        pending: u64,
    },
    /// The endpoint was deleted or has another owner.
    Gone,
    /// Delivery is stopping.
    Stopping,
}

impl Step {
    /// The result of an attempt, given the queue's state after the attempt.
    pub(super) fn after(
        verdict: Verdict,
        events: usize,
        pending: u64,
        retry_at: Option<Timestamp>,
    ) -> Self {
        match (verdict, retry_at) {
            (Verdict::Taken, _) => Self::Sent { events, pending },
            (Verdict::Drop, _) => {
                Self::Dropped { entries: u32::try_from(events).unwrap_or(u32::MAX), pending }
            }
            (Verdict::Park, _) => Self::Parked { pending },
            (_, Some(retry_at)) => Self::Failed(retry_at),
            (_, None) => Self::Halved,
        }
    }
}
