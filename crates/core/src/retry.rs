//! When to try again after a failure.

use std::time::Duration;

use jiff::Timestamp;

use crate::entropy::{self, Entropy};
use crate::http_date;

/// The wait after the first failure (docs/spec/ultracart.md#algorithm).
pub const FIRST_WAIT: Duration = Duration::from_secs(5);

/// The longest wait that the schedule itself asks for (docs/spec/ultracart.md#algorithm).
pub const LONGEST_WAIT: Duration = Duration::from_secs(60 * 60);

/// The longest wait that a receiver may ask for. A day is the longest step of the Standard Webhooks
/// schedule; an endpoint must not be parked for years by one careless header.
pub const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

/// The share of a wait that is random, so that endpoints that failed together do not return together.
const JITTER: f64 = 0.2;

/// The wait after the `failures`-th failure in a row: `5 s * 2^(n-1)`, at most an hour, of which the
/// last fifth is random.
pub fn backoff(failures: u32, entropy: &dyn Entropy) -> Duration {
    longest_backoff(failures).mul_f64(1.0 - JITTER * entropy::fraction(entropy))
}

/// The longest that [`backoff`] may be.
pub fn longest_backoff(failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    FIRST_WAIT.saturating_mul(1 << doublings).min(LONGEST_WAIT)
}

/// The wait that a `Retry-After` header asks for (RFC 9110 section 10.2.3: seconds or an HTTP date),
/// at most [`LONGEST_RETRY_AFTER`]. `None` when the value is neither.
pub fn retry_after(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        let seconds = value.parse().unwrap_or(u64::MAX);
        return Some(Duration::from_secs(seconds).min(LONGEST_RETRY_AFTER));
    }
    let at = http_date::parse(value, now)?;
    let wait = Duration::try_from(at.duration_since(now)).unwrap_or_default();
    Some(wait.min(LONGEST_RETRY_AFTER))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::SystemEntropy;

    #[test]
    fn backoff_doubles_up_to_an_hour() {
        for (failures, full) in [(1, 5), (2, 10), (3, 20), (10, 2560), (11, 3600), (500, 3600)] {
            let wait = backoff(failures, &SystemEntropy).as_secs_f64();
            let full = f64::from(full);
            assert!(wait <= full && wait >= full * 0.8, "{failures} failures: {wait} s");
        }
    }

    #[test]
    fn retry_after_takes_seconds_and_dates() {
        let now: Timestamp = "2026-11-21T10:00:00Z".parse().unwrap();
        assert_eq!(retry_after(" 120 ", now), Some(Duration::from_secs(120)));
        assert_eq!(
            retry_after("Sat, 21 Nov 2026 10:00:30 GMT", now),
            Some(Duration::from_secs(30))
        );
        let wait = retry_after("Saturday, 21-Nov-26 10:00:30 GMT", now);
        assert_eq!(wait, Some(Duration::from_secs(30)));
        assert_eq!(retry_after("Sat, 21 Nov 2026 09:00:00 GMT", now), Some(Duration::ZERO));
        assert_eq!(retry_after("99999999999999999999999", now), Some(LONGEST_RETRY_AFTER));
        for junk in ["", "soon", "-5", "1.5"] {
            assert_eq!(retry_after(junk, now), None, "{junk}");
        }
    }
}
