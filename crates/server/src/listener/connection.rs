use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};

use tokio::sync::Notify;

/// Nothing of the next request has come.
const IDLE: u8 = 0;

/// A request's head is on its way.
const HEAD: u8 = 1;

/// A request is being answered.
const BUSY: u8 = 2;

/// Numbers each wait for a caller in the order of all waits.
static WAITS: AtomicU64 = AtomicU64::new(0);

/// A connection's state between requests. The wire, the arriving body and the answer each know a part of
/// the state. One task at a time polls the connection, and readers of other connections take the state for
/// a hint; so no memory order is needed.
#[derive(Debug)]
pub(crate) struct Connection {
    phase: AtomicU8,
    /// When the wait for the caller began, as a number of [`WAITS`].
    since: AtomicU64,
    stalled: AtomicBool,
    unread: AtomicBool,
    leave: Notify,
    #[cfg(test)]
    asked: AtomicBool,
}

impl Default for Connection {
    fn default() -> Self {
        Self {
            phase: AtomicU8::new(IDLE),
            since: AtomicU64::new(next_wait()),
            stalled: AtomicBool::default(),
            unread: AtomicBool::default(),
            leave: Notify::default(),
            #[cfg(test)]
            asked: AtomicBool::default(),
        }
    }
}

fn next_wait() -> u64 {
    WAITS.fetch_add(1, Ordering::Relaxed)
}

impl Connection {
    /// Notes arrived bytes; true for the first bytes of a head.
    pub(super) fn received(&self) -> bool {
        let first =
            self.phase.compare_exchange(IDLE, HEAD, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if first {
            self.since.store(next_wait(), Ordering::Relaxed);
        }
        first
    }

    /// Whether the rest of a head is waited for.
    pub(super) fn awaits_head(&self) -> bool {
        self.phase.load(Ordering::Relaxed) == HEAD
    }

    /// A head has come whole.
    pub(super) fn began(&self) {
        self.phase.store(BUSY, Ordering::Relaxed);
    }

    /// An answer has gone.
    pub(super) fn answered(&self) {
        self.since.store(next_wait(), Ordering::Relaxed);
        self.phase.store(IDLE, Ordering::Relaxed);
    }

    /// Whether nothing of the next request has come.
    pub(super) fn is_idle(&self) -> bool {
        self.phase.load(Ordering::Relaxed) == IDLE
    }

    /// Since when a caller is waited for, in the order of all such waits; `None` while a request is
    /// answered.
    pub(super) fn waits_since(&self) -> Option<u64> {
        let waits = self.phase.load(Ordering::Relaxed) != BUSY;
        waits.then(|| self.since.load(Ordering::Relaxed))
    }

    /// Asks the connection to end if the connection still waits for its caller.
    pub(super) fn ask_to_leave(&self) {
        #[cfg(test)]
        self.asked.store(true, Ordering::Relaxed);
        self.leave.notify_one();
    }

    /// Waits until somebody asks for the place.
    pub(super) async fn is_asked_to_leave(&self) {
        self.leave.notified().await;
    }

    #[cfg(test)]
    pub(super) fn was_asked_to_leave(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }

    /// A body came too slowly to wait for the rest.
    pub(super) fn stall(&self) {
        self.stalled.store(true, Ordering::Relaxed);
    }

    /// Whether the body of the request at work came too slowly.
    pub(crate) fn has_stalled(&self) -> bool {
        self.stalled.load(Ordering::Relaxed)
    }

    /// A body was left before the end, and the caller may still be sending.
    pub(super) fn leave_unread(&self) {
        self.unread.store(true, Ordering::Relaxed);
    }

    /// Whether a body was left before the end.
    pub(super) fn has_unread(&self) -> bool {
        self.unread.load(Ordering::Relaxed)
    }
}
