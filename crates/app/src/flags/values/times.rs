//! Times, and the time zone.

use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use hookyard_engine::access::OVERLAP_MAX;
use jiff::SignedDuration;
use jiff::Timestamp;

/// The longest permitted time in days: a century, so that no date is out of range.
const DAYS_MAX: i64 = 36_500;

/// The shortest life of an access token, in seconds: a shorter life ends before the first use.
const TOKEN_SECONDS_MIN: i32 = 60;

/// The longest drain, in seconds: service managers usually wait far less.
const DRAIN_SECONDS_MAX: u64 = 3600;

/// The longest wait for a caller, in seconds: an hour.
const LIMIT_SECONDS_MAX: u32 = 3_600;

/// Leases, in seconds. A shorter lease would end in pauses that are no outage: a renewal has two fifths of
/// the lease. A longer lease would delay a takeover too much.
const LEASE_SECONDS: RangeInclusive<u64> = 3..=300;

/// The longest time until an endpoint is disabled: a year. Whoever wants more wants no end.
const DISABLE_DAYS_MAX: u64 = 365;

/// The longest time of a query: whoever waits longer wants an export.
const SQL_SECONDS_MAX: u64 = 3600;

/// How long something is kept, in whole days, or `forever`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Days(pub(crate) Option<i64>);

impl FromStr for Days {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "forever" {
            return Ok(Self(None));
        }
        let days = text.parse().ok().filter(|days| (1..=DAYS_MAX).contains(days));
        days.map(|days| Self(Some(days))).ok_or_else(|| {
            format!("`{text}` is no time to keep: use whole days from 1 to {DAYS_MAX}, or forever")
        })
    }
}

/// The life of an access token, in whole seconds. Clients keep the life in 32 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TokenSeconds(pub(crate) i32);

impl FromStr for TokenSeconds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let seconds = text.parse().ok().filter(|seconds| *seconds >= TOKEN_SECONDS_MIN);
        seconds.map(Self).ok_or_else(|| {
            format!(
                "`{text}` is no life of a token: use whole seconds from {TOKEN_SECONDS_MIN} to {}",
                i32::MAX
            )
        })
    }
}

/// How long a rotated credential is still good, in whole seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OverlapSeconds(pub(crate) SignedDuration);

impl FromStr for OverlapSeconds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let most = OVERLAP_MAX.as_secs();
        let seconds = text.parse().ok().filter(|seconds| (0..=most).contains(seconds));
        seconds
            .map(|seconds| Self(SignedDuration::from_secs(seconds)))
            .ok_or_else(|| format!("`{text}` is no overlap: use whole seconds from 0 to {most}"))
    }
}

/// How long a stopping server may take, in whole seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DrainSeconds(pub(crate) u64);

impl FromStr for DrainSeconds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.parse().ok().filter(|seconds| *seconds <= DRAIN_SECONDS_MAX).map(Self).ok_or_else(
            || {
                format!(
                    "`{text}` is no time to drain: use whole seconds from 0 to {DRAIN_SECONDS_MAX}"
                )
            },
        )
    }
}

/// How long callers are waited for, in whole seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LimitSeconds(pub(crate) u32);

impl FromStr for LimitSeconds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let seconds = text.parse().ok().filter(|it| (1..=LIMIT_SECONDS_MAX).contains(it));
        seconds.map(Self).ok_or_else(|| {
            format!("`{text}` is no time to wait: use whole seconds from 1 to {LIMIT_SECONDS_MAX}")
        })
    }
}

/// How long a server may be silent, in whole seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LeaseSeconds(pub(crate) u64);

impl FromStr for LeaseSeconds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let seconds = text.parse().ok().filter(|seconds| LEASE_SECONDS.contains(seconds));
        seconds.map(Self).ok_or_else(|| {
            let (least, most) = LEASE_SECONDS.into_inner();
            format!("`{text}` is no lease: use whole seconds from {least} to {most}")
        })
    }
}

/// After how many days of failure an endpoint is disabled; 0 for never.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DisableDays(u64);

impl DisableDays {
    /// The same as a time; `None` for never.
    pub(crate) fn duration(self) -> Option<Duration> {
        (self.0 > 0).then(|| Duration::from_secs(self.0 * 24 * 60 * 60))
    }
}

impl FromStr for DisableDays {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let days = text.parse().ok().filter(|days| *days <= DISABLE_DAYS_MAX);
        days.map(Self).ok_or_else(|| {
            format!("`{text}` is no time to fail: use whole days from 0 to {DISABLE_DAYS_MAX}")
        })
    }
}

/// How long a query may take, in whole seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SqlSeconds(pub(crate) u64);

impl FromStr for SqlSeconds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let seconds = text.parse().ok().filter(|seconds| (1..=SQL_SECONDS_MAX).contains(seconds));
        seconds.map(Self).ok_or_else(|| {
            format!("`{text}` is no time to answer: use whole seconds from 1 to {SQL_SECONDS_MAX}")
        })
    }
}

/// A time zone of the IANA database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Zone(pub(crate) jiff::tz::TimeZone);

impl FromStr for Zone {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        jiff::tz::TimeZone::get(text).map(Self).map_err(|_| {
            format!("`{text}` is no known time zone: use a name such as UTC or America/New_York")
        })
    }
}

/// A moment with its offset from UTC.
pub(crate) fn moment(text: &str) -> Result<Timestamp, String> {
    text.parse().map_err(|_| format!("`{text}` is no moment: write it as 2027-01-31T00:00:00Z"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flags::values::ByteSize;
    use crate::flags::values::SqlOutput;
    use crate::flags::values::SqlQueries;

    #[test]
    fn days_are_whole_and_bounded() {
        assert_eq!("30".parse(), Ok(Days(Some(30))));
        assert_eq!("forever".parse(), Ok(Days(None)));
        assert_eq!("2GiB".parse(), Ok(ByteSize(2 << 30)));
        for text in ["", "0", "-1", "1.5", "36501", "Forever", "30d"] {
            assert!(text.parse::<Days>().is_err(), "{text}");
        }
    }

    #[test]
    fn tokens_live_a_minute_at_least() {
        assert_eq!("60".parse(), Ok(TokenSeconds(60)));
        for text in ["", "59", "-1", "2147483648", "1h"] {
            assert!(text.parse::<TokenSeconds>().is_err(), "{text}");
        }
    }

    #[test]
    fn no_days_are_no_end() {
        assert_eq!("0".parse::<DisableDays>().unwrap().duration(), None);
        let five = "5".parse::<DisableDays>().unwrap();
        assert_eq!(five.duration(), Some(hookyard_engine::deliver::DISABLE_AFTER_DEFAULT));
        for text in ["366", "-1", "1.5", "x"] {
            assert!(text.parse::<DisableDays>().is_err(), "{text}");
        }
    }

    #[test]
    fn what_queries_may_use_is_bounded() {
        assert_eq!(("30".parse(), "4".parse()), (Ok(SqlSeconds(30)), Ok(SqlQueries(4))));
        for text in ["0", "3601", "1.5", "-1", ""] {
            assert!(text.parse::<SqlSeconds>().is_err(), "{text}");
        }
        for text in ["0", "65", "x", ""] {
            assert!(text.parse::<SqlQueries>().is_err(), "{text}");
        }
        assert!("xml".parse::<SqlOutput>().unwrap_err().contains("table, csv"));
    }

    #[test]
    fn zones_are_known_without_the_systems_database() {
        assert!("America/New_York".parse::<Zone>().is_ok());
        assert!("Mars/Olympus".parse::<Zone>().is_err());
    }
}
