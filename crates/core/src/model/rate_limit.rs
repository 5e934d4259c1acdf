//! How fast an endpoint takes deliveries.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The largest `count` and `burst` of a rate limit. Nothing here delivers faster to one endpoint.
pub const RATE_COUNT_MAX: u32 = 1_000_000;

/// The longest `seconds` of a rate limit: an hour, so that every endpoint moves while someone
/// watches.
pub const RATE_SECONDS_MAX: u32 = 3_600;

/// What a rate limit counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RateUnit {
    /// Requests, however many events each has.
    Requests,
    /// Events.
    Events,
}

/// At most `count` units in `seconds` on the average, and at most `burst` at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateLimit {
    /// What is counted.
    pub unit: RateUnit,
    /// How many, at least 1 and at most [`RATE_COUNT_MAX`].
    pub count: u32,
    /// In how many seconds, at least 1 and at most [`RATE_SECONDS_MAX`].
    #[serde(default = "one")]
    pub seconds: u32,
    /// How many at once after a quiet time; `count` when absent. A bundle has no more events than
    /// this when events are counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub burst: Option<u32>,
}

fn one() -> u32 {
    1
}

impl RateLimit {
    /// Checks the limits of the limit; the answer says what is wrong.
    pub fn check(&self) -> Result<(), String> {
        let counts = 1..=RATE_COUNT_MAX;
        if !counts.contains(&self.count) {
            return Err(format!("count must be from 1 to {RATE_COUNT_MAX}, and is {}", self.count));
        }
        if !(1..=RATE_SECONDS_MAX).contains(&self.seconds) {
            let seconds = self.seconds;
            return Err(format!("seconds must be from 1 to {RATE_SECONDS_MAX}, and is {seconds}"));
        }
        match self.burst {
            Some(burst) if !counts.contains(&burst) => {
                Err(format!("burst must be from 1 to {RATE_COUNT_MAX}, and is {burst}"))
            }
            _ => Ok(()),
        }
    }

    /// How many at once, at least 1.
    pub fn burst(&self) -> u32 {
        self.burst.unwrap_or(self.count).max(1)
    }

    /// The time that `units` take on the average.
    fn time_of(&self, units: u32) -> Duration {
        Duration::from_secs(self.seconds.into()) * units / self.count.max(1)
    }
}

/// A token bucket, kept as the moment at which it is full again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Bucket {
    full_at: Duration,
}

impl Bucket {
    /// How long from `now` (a reading of a monotonic clock) until `units` can be taken. What is over
    /// the burst counts as the burst.
    pub fn wait(&self, limit: &RateLimit, units: u32, now: Duration) -> Duration {
        let missing = self.full_at.saturating_sub(now);
        let spare = limit.time_of(limit.burst() - units.min(limit.burst()));
        missing.saturating_sub(spare)
    }

    /// Takes units, whether or not there are enough.
    pub fn take(&mut self, limit: &RateLimit, units: u32, now: Duration) {
        self.full_at = self.full_at.max(now) + limit.time_of(units);
    }

    /// Gives back units that were taken and not used.
    pub fn give_back(&mut self, limit: &RateLimit, units: u32) {
        self.full_at = self.full_at.saturating_sub(limit.time_of(units));
    }

    /// Whether it is full, so that it need not be remembered.
    pub fn is_full(&self, now: Duration) -> bool {
        self.full_at <= now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(count: u32, seconds: u32, burst: Option<u32>) -> RateLimit {
        RateLimit { unit: RateUnit::Requests, count, seconds, burst }
    }

    #[test]
    fn a_bucket_gives_its_burst_and_then_the_rate() {
        let limit = limit(2, 1, Some(3));
        let (mut bucket, mut now) = (Bucket::default(), Duration::from_secs(100));
        for _ in 0..3 {
            assert_eq!(bucket.wait(&limit, 1, now), Duration::ZERO);
            bucket.take(&limit, 1, now);
        }
        assert_eq!(bucket.wait(&limit, 1, now), Duration::from_millis(500));
        assert_eq!(bucket.wait(&limit, 2, now), Duration::from_secs(1));
        assert_eq!(bucket.wait(&limit, 50, now), Duration::from_millis(1_500));
        now += Duration::from_millis(500);
        assert_eq!(bucket.wait(&limit, 1, now), Duration::ZERO);
        assert!(!bucket.is_full(now));
        bucket.take(&limit, 5, now);
        bucket.give_back(&limit, 5);
        assert!(bucket.is_full(now + Duration::from_secs(1)));
    }

    #[test]
    fn the_average_is_kept_over_a_long_time() {
        let limit = limit(10, 60, None);
        let (mut bucket, mut now, mut taken) = (Bucket::default(), Duration::ZERO, 0);
        while now < Duration::from_secs(3_600) {
            let wait = bucket.wait(&limit, 1, now);
            now += wait;
            bucket.take(&limit, 1, now);
            taken += 1;
        }
        assert!((600..=611).contains(&taken), "{taken}");
    }

    #[test]
    fn limits_have_limits() {
        assert!(limit(1, 1, None).check().is_ok());
        assert!(limit(RATE_COUNT_MAX, RATE_SECONDS_MAX, Some(1)).check().is_ok());
        for wrong in [limit(0, 1, None), limit(1, 0, None), limit(1, 1, Some(0))] {
            assert!(wrong.check().is_err(), "{wrong:?}");
        }
        assert!(limit(RATE_COUNT_MAX + 1, 1, None).check().is_err());
        assert!(limit(1, RATE_SECONDS_MAX + 1, None).check().is_err());
        let text = r#"{"unit":"events","count":5}"#;
        let read: RateLimit = serde_json::from_str(text).unwrap();
        assert_eq!((read.seconds, read.burst()), (1, 5));
    }
}
