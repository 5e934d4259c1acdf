//! How fast deliveries may come to a source.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hookyard_core::id::SourceId;
use hookyard_core::model::{Bucket, Source};

use crate::Engine;

/// Full buckets are forgotten when the buckets have doubled since the last time, and number at
/// least 10,000: so the look at all buckets costs a delivery next to nothing.
const SWEEP_AT: usize = 10_000;

/// The buckets of the sources with a limit. The number is bounded by the sources, which their
/// makers bound; each bucket serves its source alone, so no shares are needed.
#[derive(Debug, Default)]
pub(crate) struct Pace(Mutex<Buckets>);

#[derive(Debug, Default)]
struct Buckets {
    of: HashMap<SourceId, Bucket>,
    sweep_at: usize,
}

impl Pace {
    /// A poisoned lock is taken all the same: a bucket changes by a single assignment.
    fn lock(&self) -> MutexGuard<'_, Buckets> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Buckets {
    /// The bucket of a source, made if missing.
    fn of(&mut self, source: SourceId, now: Duration) -> &mut Bucket {
        if self.of.len() >= self.sweep_at.max(SWEEP_AT) {
            self.of.retain(|_, bucket| !bucket.is_full(now));
            self.sweep_at = self.of.len() * 2;
        }
        self.of.entry(source).or_default()
    }
}

impl Engine {
    /// Whether a source takes requests from the address. An unknown address is in no list.
    pub fn is_allowed(source: &Source, address: Option<IpAddr>) -> bool {
        let allowed = &source.spec.options.allowed_ips;
        allowed.is_empty()
            || address.is_some_and(|address| allowed.iter().any(|net| net.contains(&address)))
    }

    /// How long until the source's limit lets another delivery through; `None` for now.
    pub fn delivery_wait(&self, source: &Source) -> Option<Duration> {
        let limit = source.spec.options.rate_limit?.limit();
        let now = self.clock().monotonic();
        let bucket = self.receiving.pace.lock().of.get(&source.id).copied().unwrap_or_default();
        Some(bucket.wait(&limit, 1, now)).filter(|wait| !wait.is_zero())
    }

    /// Counts a delivery against the source's limit; the time to wait when the limit lets nothing
    /// through.
    pub(super) fn take_turn(&self, source: &Source) -> Result<(), Duration> {
        let Some(rate) = source.spec.options.rate_limit else { return Ok(()) };
        let (limit, now) = (rate.limit(), self.clock().monotonic());
        let mut buckets = self.receiving.pace.lock();
        let bucket = buckets.of(source.id, now);
        let wait = bucket.wait(&limit, 1, now);
        if !wait.is_zero() {
            return Err(wait);
        }
        bucket.take(&limit, 1, now);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use hookyard_core::model::{RateLimit, RateUnit};

    use super::*;

    #[test]
    fn full_buckets_are_forgotten_and_the_others_are_looked_at_seldom() {
        let mut buckets = Buckets::default();
        let limit = RateLimit { unit: RateUnit::Requests, count: 1, seconds: 60, burst: None };
        let (mut sweeps, mut before) = (0, 0);
        for id in 0..100_000 {
            buckets.of(SourceId(id), Duration::ZERO).take(&limit, 1, Duration::ZERO);
            sweeps += usize::from(buckets.sweep_at != before);
            before = buckets.sweep_at;
        }
        assert_eq!(buckets.of.len(), 100_000, "none is full");
        assert!(sweeps <= 5, "{sweeps}");
        for id in 100_000..300_000 {
            buckets.of(SourceId(id), Duration::from_secs(120));
        }
        assert!(buckets.of.len() < 200_000, "{}", buckets.of.len());
    }
}
