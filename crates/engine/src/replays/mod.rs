//! Sending history again: a range of the journal, to an endpoint, in the journal's order.
//!
//! A replay is queued in slices of [`SLICE_EVENTS`], each once the slice before has been delivered,
//! so live events never wait for more than a slice. The operations are methods of
//! [`Engine`](crate::Engine); [`Replayer`] queues the slices. The transaction for a slice also
//! keeps the replay's position, so after a crash the replay goes on from there.

mod filter;
mod manage;
mod preview;
mod replayer;
mod start;

pub(crate) use filter::heard;
pub use preview::{EXAMINED_MAX, Preview, SAMPLE_EVENTS};
pub use replayer::{Replayer, SLICE_EVENTS};
pub use start::ReplaySpec;
