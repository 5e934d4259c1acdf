//! Bundles that could not be sent because this server lacked something: open files, local ports, memory, its
//! own store. A shortage says nothing about the receiver, so nothing is recorded and nothing counts as the
//! receiver's failure. The bundle is tried again shortly.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hookyard_core::entropy::{self, Entropy};

/// The wait after the first shortage, doubled with each further shortage.
const WAIT: Duration = Duration::from_secs(1);

/// How often the wait doubles: up to 16 seconds. Requests end within 30, so files are free again soon.
const DOUBLINGS_MAX: u32 = 4;

/// The share of a wait that is random: bundles short of the same thing must not all come back at once.
const JITTER: f64 = 0.5;

/// How often the log says so, at most: thousands of endpoints may be short of the same thing.
const SAY_EVERY: Duration = Duration::from_secs(5);

/// This server lacked the means to send. Nothing was sent, so no attempt is counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unable(pub(super) String);

/// The reports of shortages so far.
#[derive(Debug, Default)]
pub(super) struct Shortage(Mutex<Said>);

#[derive(Debug, Default)]
struct Said {
    /// When, as a monotonic reading.
    at: Option<Duration>,
    /// How many bundles have waited since and were not mentioned.
    unsaid: u64,
}

impl Shortage {
    /// Counts a bundle that could not be sent. Answers how many to report, if a report is due.
    pub(super) fn count(&self, now: Duration) -> Option<u64> {
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        said.unsaid += 1;
        if said.at.is_some_and(|at| now.saturating_sub(at) < SAY_EVERY) {
            return None;
        }
        said.at = Some(now);
        Some(std::mem::take(&mut said.unsaid))
    }
}

/// How long a bundle rests after so many shortages in a row.
pub(super) fn wait(in_a_row: u32, entropy: &dyn Entropy) -> Duration {
    let full = WAIT.saturating_mul(1 << in_a_row.min(DOUBLINGS_MAX));
    full.mul_f64(1.0 - JITTER * entropy::fraction(entropy))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_of_shortages_are_one_line() {
        let (shortage, at) = (Shortage::default(), Duration::from_secs);
        assert_eq!(shortage.count(at(0)), Some(1));
        assert!((0..5_000).all(|_| shortage.count(at(1)).is_none()));
        assert_eq!(shortage.count(at(5)), Some(5_001));
        assert_eq!(shortage.count(at(11)), Some(1));
    }
}
