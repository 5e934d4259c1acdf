//! Bundles that could not be sent because this server lacked something: open files, local ports, memory,
//! its own store. That says nothing about the receiver, so nothing is recorded of it and nothing counts
//! as its failure; the bundle is tried again shortly.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hookyard_core::entropy;
use hookyard_core::id::EndpointId;

use super::attempt::Unable;
use super::step::Deliverer;

/// The wait after the first time. It doubles with each further one.
const WAIT: Duration = Duration::from_secs(1);

/// How often that wait doubles: up to 16 seconds. Requests end within 30, so files are free again soon.
const DOUBLINGS_MAX: u32 = 4;

/// The share of a wait that is random: all that were short of the same thing must not come back at once.
const JITTER: f64 = 0.5;

/// How often the log says so, at most: thousands of endpoints may be short of the same thing.
const SAY_EVERY: Duration = Duration::from_secs(5);

/// What was said of shortages so far.
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
    /// Counts a bundle that could not be sent. How many there are to speak of, if it is time to speak.
    fn count(&self, now: Duration) -> Option<u64> {
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        said.unsaid += 1;
        if said.at.is_some_and(|at| now.saturating_sub(at) < SAY_EVERY) {
            return None;
        }
        said.at = Some(now);
        Some(std::mem::take(&mut said.unsaid))
    }
}

impl Deliverer {
    /// Until when a bundle of the endpoint rests that could not be sent, after so many times in a row, as
    /// a monotonic reading.
    pub(super) fn rest(&self, endpoint: EndpointId, unable: &Unable, in_a_row: u32) -> Duration {
        if let Some(bundles) = self.shortage.count(self.clock.monotonic()) {
            let Unable(error) = unable;
            tracing::warn!(%endpoint, error, bundles, "this server lacks the means to deliver");
        }
        let full = WAIT.saturating_mul(1 << in_a_row.min(DOUBLINGS_MAX));
        let wait = full.mul_f64(1.0 - JITTER * entropy::fraction(&*self.entropy));
        self.clock.monotonic().saturating_add(wait)
    }
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
