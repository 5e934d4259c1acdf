//! Distributions of durations.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Nanoseconds since 1970: the one clock that all processes share.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
pub(crate) fn now_ns() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// The value below which `percent` of the samples are, in milliseconds.
pub(crate) fn percentile_ms(samples: &mut [u64], percent: usize) -> f64 {
    samples.sort_unstable();
    let index = (samples.len() * percent / 100).min(samples.len().saturating_sub(1));
    samples.get(index).map_or(f64::NAN, |ns| Duration::from_nanos(*ns).as_secs_f64() * 1e3)
}
