//! A bound on guessing: how often an address may bring a wrong credential, code or token. Only
//! failures count, so a guesser does not keep out other callers at the same address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hookyard_store::Actor;

use super::network;

/// The most addresses kept, about a megabyte. Beyond, the addresses with the fewest failures are
/// forgotten first.
const ADDRESSES_MAX: usize = 10_000;

/// Failures by address, in leaky buckets. Callers without a known address share a single bucket.
#[derive(Debug)]
pub struct Failures {
    /// Failures that an address may have at once.
    max: u32,
    /// The time until a failure is forgotten.
    forgotten_after: Duration,
    counts: Mutex<HashMap<Option<IpAddr>, Count>>,
}

/// A leaky bucket.
#[derive(Debug, Clone, Copy)]
struct Count {
    /// When all will be forgotten.
    empty_at: Duration,
}

impl Count {
    fn left(self, now: Duration) -> Duration {
        self.empty_at.saturating_sub(now)
    }
}

impl Failures {
    /// No failures so far. `max` is the most failures of an address at once, `forgotten_after` the
    /// time until a failure is forgotten.
    pub fn new(max: u32, forgotten_after: Duration) -> Self {
        Self { max, forgotten_after, counts: Mutex::default() }
    }

    /// Whether the caller of the [`Actor`] at work may try at this moment of the monotonic clock;
    /// else how many seconds to wait.
    pub fn check(&self, now: Duration) -> Result<(), u64> {
        self.check_at(address(), now)
    }

    /// Counts a failure of the caller.
    pub fn count(&self, now: Duration) {
        self.count_at(address(), now);
    }

    fn check_at(&self, address: Option<IpAddr>, now: Duration) -> Result<(), u64> {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let left = counts.get(&address).map_or(Duration::ZERO, |count| count.left(now));
        let room = self.forgotten_after * self.max.saturating_sub(1);
        match left.checked_sub(room) {
            Some(wait) if !wait.is_zero() => {
                Err(wait.as_secs() + u64::from(wait.subsec_nanos() > 0))
            }
            _ => Ok(()),
        }
    }

    fn count_at(&self, address: Option<IpAddr>, now: Duration) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.len() >= ADDRESSES_MAX && !counts.contains_key(&address) {
            make_room(&mut counts, now);
        }
        let count = counts.entry(address).or_insert(Count { empty_at: now });
        count.empty_at = count.empty_at.max(now) + self.forgotten_after;
    }
}

/// Forgets half of the addresses.
fn make_room(counts: &mut HashMap<Option<IpAddr>, Count>, now: Duration) {
    let mut left: Vec<_> = counts.values().map(|count| count.left(now)).collect();
    let (_, median, _) = left.select_nth_unstable(ADDRESSES_MAX / 2);
    let median = *median;
    counts.retain(|_, count| count.left(now) > median);
}

/// The network of the request at work.
fn address() -> Option<IpAddr> {
    Actor::current()?.address.map(network)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: u32 = 20;

    fn failures() -> Failures {
        Failures::new(MAX, Duration::from_secs(15))
    }

    #[test]
    fn a_burst_is_followed_by_a_wait_that_one_guess_ends() {
        let failures = failures();
        let at = Duration::from_secs;
        for _ in 0..MAX {
            assert_eq!(failures.check_at(None, at(100)), Ok(()));
            failures.count_at(None, at(100));
        }
        assert_eq!(failures.check_at(None, at(100)), Err(15));
        assert_eq!(failures.check_at(None, at(114)), Err(1));
        assert_eq!(failures.check_at(None, at(115)), Ok(()));
        failures.count_at(None, at(115));
        assert_eq!(failures.check_at(None, at(115)), Err(15));
        assert_eq!(failures.check_at(None, at(100 + 20 * 15)), Ok(()));
        let other = Some(IpAddr::from([192, 0, 2, 1]));
        assert_eq!(failures.check_at(other, at(115)), Ok(()), "each address for itself");
    }

    #[test]
    fn addresses_are_bounded_and_the_worst_stay() {
        let failures = failures();
        let guesser = Some(IpAddr::from([192, 0, 2, 1]));
        for _ in 0..MAX {
            failures.count_at(guesser, Duration::ZERO);
        }
        for number in 0..25_000_u32 {
            let address = IpAddr::V4((0x0a00_0000 + number).into());
            failures.count_at(Some(address), Duration::ZERO);
        }
        assert!(failures.counts.lock().unwrap().len() <= ADDRESSES_MAX);
        assert!(failures.check_at(guesser, Duration::ZERO).is_err());
    }
}
