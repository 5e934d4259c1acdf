//! Time as a parameter.

use std::fmt::Debug;
use std::time::Duration;

use jiff::Timestamp;

/// Where the time comes from. Production uses [`SystemClock`]; tests use the testkit's `SimClock`.
pub trait Clock: Debug + Send + Sync {
    /// The wall-clock time, for everything stored or shown: in whole milliseconds, the stores' precision, so
    /// a moment is the same before and after a restart.
    fn now(&self) -> Timestamp;

    /// Time since an arbitrary origin, never backwards: for measuring durations.
    fn monotonic(&self) -> Duration;
}

/// The moment cut to whole milliseconds.
pub fn whole_millis(moment: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(moment.as_millisecond()).unwrap_or(moment)
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
        whole_millis(Timestamp::now())
    }

    fn monotonic(&self) -> Duration {
        self.origin.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_have_whole_milliseconds() {
        let now = SystemClock::new().now();
        assert_eq!(now.subsec_nanosecond() % 1_000_000, 0, "{now}");
        let fine = Timestamp::constant(1_767_225_600, 123_456_789);
        assert_eq!(whole_millis(fine).to_string(), "2026-01-01T00:00:00.123Z");
    }
}
