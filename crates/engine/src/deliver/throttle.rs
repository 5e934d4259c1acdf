//! The pace of sending to endpoints that ask for a limit.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hookyard_core::id::EndpointId;
use hookyard_core::model::{Bucket, RateLimit, RateUnit};

/// Full buckets are forgotten when there are twice as many as the last time, and at least this many. So a
/// sweep costs next to nothing, and memory is bounded by the endpoints with recent deliveries.
const SWEEP_AT: usize = 1_024;

/// The buckets of endpoints with a rate limit. Buckets outlive the work on an endpoint: a queue that is
/// emptied event by event must not start each time with a full bucket. A restart fills all buckets.
#[derive(Debug, Default)]
pub(super) struct Throttle {
    buckets: Mutex<Buckets>,
}

#[derive(Debug, Default)]
struct Buckets {
    of: HashMap<EndpointId, Bucket>,
    sweep_at: usize,
}

/// How many units a bundle takes; an unsent bundle takes none.
fn units(limit: &RateLimit, events: usize) -> u32 {
    match limit.unit {
        RateUnit::Requests => u32::from(events > 0),
        RateUnit::Events => u32::try_from(events).unwrap_or(u32::MAX),
    }
}

/// The most events of a bundle that the limit ever lets through at once.
pub(super) fn events_max(limit: &RateLimit) -> usize {
    match limit.unit {
        RateUnit::Requests => usize::MAX,
        RateUnit::Events => usize::try_from(limit.burst()).unwrap_or(usize::MAX),
    }
}

impl Throttle {
    /// How long until so many events may be sent in one request. `now` is a monotonic reading.
    pub(super) fn wait(
        &self,
        endpoint: EndpointId,
        limit: &RateLimit,
        events: usize,
        now: Duration,
    ) -> Duration {
        let bucket = self.lock().of.get(&endpoint).copied().unwrap_or_default();
        bucket.wait(limit, units(limit, events), now)
    }

    /// Counts a request.
    pub(super) fn take(
        &self,
        endpoint: EndpointId,
        limit: &RateLimit,
        events: usize,
        now: Duration,
    ) {
        let mut buckets = self.lock();
        buckets.of.entry(endpoint).or_default().take(limit, units(limit, events), now);
        if buckets.of.len() > buckets.sweep_at.max(SWEEP_AT) {
            buckets.of.retain(|_, bucket| !bucket.is_full(now));
            buckets.sweep_at = buckets.of.len() * 2;
        }
    }

    /// Corrects the units counted for a request.
    pub(super) fn give_back(
        &self,
        endpoint: EndpointId,
        limit: &RateLimit,
        counted: usize,
        events: usize,
    ) {
        let surplus = units(limit, counted).saturating_sub(units(limit, events));
        if surplus > 0
            && let Some(bucket) = self.lock().of.get_mut(&endpoint)
        {
            bucket.give_back(limit, surplus);
        }
    }

    /// A poisoned lock is taken all the same: a bucket is changed by one assignment.
    fn lock(&self) -> MutexGuard<'_, Buckets> {
        self.buckets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_counted_and_not_sent_is_given_back() {
        let (throttle, id, now) = (Throttle::default(), EndpointId(1), Duration::ZERO);
        let limit = |unit| RateLimit { unit, count: 4, seconds: 4, burst: Some(4) };
        let events = limit(RateUnit::Events);
        let wait = |limit| throttle.wait(id, limit, 4, now).as_secs();
        throttle.take(id, &events, 4, now);
        assert_eq!(wait(&events), 4);
        throttle.give_back(id, &events, 4, 1);
        assert_eq!(wait(&events), 1);
        throttle.give_back(id, &events, 1, 0);
        assert_eq!(wait(&events), 0);
        let requests = RateLimit { burst: Some(1), ..limit(RateUnit::Requests) };
        throttle.take(id, &requests, 4, now);
        throttle.give_back(id, &requests, 4, 1);
        assert_eq!(wait(&requests), 1, "it was a request all the same");
        throttle.give_back(id, &requests, 4, 0);
        assert_eq!(wait(&requests), 0);
    }

    #[test]
    fn full_buckets_are_forgotten() {
        let throttle = Throttle::default();
        let limit = RateLimit { unit: RateUnit::Requests, count: 1, seconds: 1, burst: None };
        for id in 0..100_000 {
            let now = Duration::from_secs(u64::try_from(id).unwrap());
            throttle.take(EndpointId(id), &limit, 1, now);
            assert_eq!(throttle.wait(EndpointId(id), &limit, 1, now), Duration::from_secs(1));
        }
        assert!(throttle.lock().of.len() <= SWEEP_AT + 1);
    }
}
