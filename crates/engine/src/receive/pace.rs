//! How fast deliveries may come to a source.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hookyard_core::id::SourceId;
use hookyard_core::model::{Bucket, Source};

use crate::Engine;

/// Buckets that are kept before the full ones are looked for and dropped.
const BUCKETS_MAX: usize = 10_000;

/// The buckets of the sources that have a limit.
#[derive(Debug, Default)]
pub(crate) struct Pace(Mutex<HashMap<SourceId, Bucket>>);

impl Engine {
    /// Whether a source takes requests from this address. One that nobody can tell is none of a list.
    pub fn is_allowed(source: &Source, address: Option<IpAddr>) -> bool {
        let allowed = &source.spec.options.allowed_ips;
        allowed.is_empty()
            || address.is_some_and(|address| allowed.iter().any(|net| net.contains(&address)))
    }

    /// How long until the source's limit lets another delivery through; `None` for now.
    pub fn delivery_wait(&self, source: &Source) -> Option<Duration> {
        let limit = source.spec.options.rate_limit?.limit();
        let now = self.clock().monotonic();
        let buckets = self.receiving.pace.0.lock().unwrap_or_else(PoisonError::into_inner);
        let bucket = buckets.get(&source.id).copied().unwrap_or_default();
        Some(bucket.wait(&limit, 1, now)).filter(|wait| !wait.is_zero())
    }

    /// Counts a delivery against the source's limit; how long it would have to wait if that lets
    /// none through.
    pub(super) fn take_turn(&self, source: &Source) -> Result<(), Duration> {
        let Some(rate) = source.spec.options.rate_limit else { return Ok(()) };
        let (limit, now) = (rate.limit(), self.clock().monotonic());
        let mut buckets = self.receiving.pace.0.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= BUCKETS_MAX {
            buckets.retain(|_, bucket| !bucket.is_full(now));
        }
        let bucket = buckets.entry(source.id).or_default();
        let wait = bucket.wait(&limit, 1, now);
        if !wait.is_zero() {
            return Err(wait);
        }
        bucket.take(&limit, 1, now);
        Ok(())
    }
}
