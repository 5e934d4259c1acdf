use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

/// Nothing of the next request has come.
const IDLE: u8 = 0;

/// A request's head is on its way.
const HEAD: u8 = 1;

/// A request is being answered.
const BUSY: u8 = 2;

/// Where a connection is between its requests. The wire, the body that arrives and the answer each know
/// a part of it. They are polled by one task at a time, so nothing here needs an order.
#[derive(Debug, Default)]
pub(crate) struct Connection {
    phase: AtomicU8,
    stalled: AtomicBool,
    unread: AtomicBool,
}

impl Connection {
    /// Bytes have come; whether they are the first of a head.
    pub(super) fn received(&self) -> bool {
        self.phase.compare_exchange(IDLE, HEAD, Ordering::Relaxed, Ordering::Relaxed).is_ok()
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
        self.phase.store(IDLE, Ordering::Relaxed);
    }

    /// A body came too slowly to wait for the rest.
    pub(super) fn stall(&self) {
        self.stalled.store(true, Ordering::Relaxed);
    }

    /// Whether the body of the request at work came too slowly.
    pub(crate) fn has_stalled(&self) -> bool {
        self.stalled.load(Ordering::Relaxed)
    }

    /// A body was left before its end, which the caller may be still sending.
    pub(super) fn leave_unread(&self) {
        self.unread.store(true, Ordering::Relaxed);
    }

    /// Whether a body was left before its end.
    pub(super) fn has_unread(&self) -> bool {
        self.unread.load(Ordering::Relaxed)
    }
}
