use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hookyard_core::clock::Clock;
use jiff::{SignedDuration, Timestamp};

/// A clock at a standstill until a test moves the clock.
#[derive(Debug)]
pub struct SimClock {
    times: Mutex<Times>,
}

#[derive(Debug)]
struct Times {
    now: Timestamp,
    monotonic: Duration,
}

impl SimClock {
    /// A clock set to the given time.
    pub fn at(now: Timestamp) -> Self {
        Self { times: Mutex::new(Times { now, monotonic: Duration::ZERO }) }
    }

    /// Lets time pass.
    pub fn advance(&self, by: Duration) {
        let mut times = self.times();
        times.now += SignedDuration::try_from(by).unwrap_or(SignedDuration::ZERO);
        times.monotonic += by;
    }

    /// Moves on to the given moment; a past moment changes nothing.
    pub fn advance_to(&self, moment: Timestamp) {
        let wait = moment.duration_since(self.now());
        self.advance(Duration::try_from(wait).unwrap_or_default());
    }

    /// Sets the wall clock, as an operator would: monotonic time stays unchanged.
    pub fn set(&self, now: Timestamp) {
        self.times().now = now;
    }

    fn times(&self) -> MutexGuard<'_, Times> {
        self.times.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for SimClock {
    /// A clock set to 2026-01-01T00:00:00Z.
    fn default() -> Self {
        Self::at(Timestamp::constant(1_767_225_600, 0))
    }
}

impl Clock for SimClock {
    fn now(&self) -> Timestamp {
        self.times().now
    }

    fn monotonic(&self) -> Duration {
        self.times().monotonic
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_moves_only_when_told() {
        let clock = SimClock::default();
        let start = clock.now();
        assert_eq!(start.to_string(), "2026-01-01T00:00:00Z");
        clock.advance(Duration::from_secs(90));
        assert_eq!(clock.now(), start + SignedDuration::from_secs(90));
        clock.advance_to(start);
        clock.set(start);
        assert_eq!((clock.now(), clock.monotonic()), (start, Duration::from_secs(90)));
    }
}
