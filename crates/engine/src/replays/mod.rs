//! Sending history again: a range of the journal, to one endpoint, in the journal's order.
//!
//! A replay is queued in slices of [`SLICE_EVENTS`], each once the one before has been delivered, so
//! live events never wait for more than a slice. The operations are methods of
//! [`Engine`](crate::Engine); [`Replayer`] is what queues the slices. How far a replay is is kept in
//! the same transaction that queues a slice, so after a crash it goes on where it was.

mod filter;
mod manage;
mod preview;
mod replayer;
mod start;

pub use preview::{EXAMINED_MAX, Preview, SAMPLE_EVENTS};
pub use replayer::{Replayer, SLICE_EVENTS};
pub use start::ReplaySpec;
