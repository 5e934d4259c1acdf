//! Time as a parameter.

use std::fmt::Debug;
use std::time::Duration;

use jiff::Timestamp;

/// Where the time comes from. Production uses [`SystemClock`]; tests use the testkit's `SimClock`.
pub trait Clock: Debug + Send + Sync {
    /// The wall-clock time, for everything that is stored or shown.
    fn now(&self) -> Timestamp;

    /// Time since an arbitrary origin that never goes backwards, for measuring how long things took.
    fn monotonic(&self) -> Duration;
}

/// The machine's own clocks.
#[derive(Debug)]
pub struct SystemClock {
    origin: std::time::Instant,
}

impl SystemClock {
    /// A clock whose monotonic origin is now.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
    pub fn new() -> Self {
        Self { origin: std::time::Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn monotonic(&self) -> Duration {
        self.origin.elapsed()
    }
}
