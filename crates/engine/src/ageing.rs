//! The age of stored things, for deletions.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hookyard_core::clock::Clock;
use jiff::Timestamp;

/// The time, for judging ages. A wall clock set ahead while the server runs is believed only at
/// twice the speed of the really passing time. Data that would age at once is thus kept long enough
/// for the clock to be set right again. After a start the clock is believed.
#[derive(Debug, Default)]
pub(crate) struct Ageing {
    /// The time at the last call, and the monotonic reading of the moment.
    last: Mutex<Option<(Timestamp, Duration)>>,
}

impl Ageing {
    /// The time now.
    pub(crate) fn now(&self, clock: &dyn Clock) -> Timestamp {
        let (shown, reading) = (clock.now(), clock.monotonic());
        // A poisoned lock is taken all the same: the value changes by a single assignment.
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let believed = last.and_then(|(at, then)| {
            at.checked_add(reading.saturating_sub(then).saturating_mul(2)).ok()
        });
        let now = believed.map_or(shown, |believed| believed.min(shown));
        *last = Some((now, reading));
        now
    }
}

#[cfg(test)]
mod tests {
    use hookyard_testkit::SimClock;
    use jiff::SignedDuration;

    use super::*;

    #[test]
    fn a_clock_that_is_set_ahead_is_believed_slowly() {
        const HOUR: Duration = Duration::from_secs(3_600);
        let (clock, ageing) = (SimClock::default(), Ageing::default());
        let start = clock.now();
        let passed = || Duration::try_from(ageing.now(&clock).duration_since(start)).unwrap();
        assert_eq!(passed(), Duration::ZERO);
        clock.advance(HOUR);
        assert_eq!(passed(), HOUR);
        clock.set(clock.now() + SignedDuration::from_hours(6));
        assert_eq!(passed(), HOUR);
        clock.advance(2 * HOUR);
        assert_eq!(passed(), 5 * HOUR);
        clock.advance(10 * HOUR);
        assert_eq!(passed(), 19 * HOUR, "by then it is what the clock shows");
        // One that is set back is believed at once: nothing is deleted by it.
        clock.set(start + SignedDuration::from_hours(1));
        assert_eq!(passed(), HOUR);
    }
}
