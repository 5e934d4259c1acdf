//! How many requests a caller may make.

use std::fmt;
use std::time::Duration;

/// The most turns of a quota: at 27,000 requests a second for an hour, far above a server's capacity, and low
/// enough to make a microsecond a small part of a turn.
pub const QUOTA_TURNS_MAX: u32 = 100_000_000;

/// The time span of a quota.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum QuotaWindow {
    /// 3,600 seconds.
    Hour,
    /// 86,400 seconds.
    Day,
}

impl QuotaWindow {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Hour, Self::Day];

    /// The length in seconds.
    pub fn seconds(self) -> u32 {
        match self {
            Self::Hour => 3_600,
            Self::Day => 86_400,
        }
    }

    /// The length in microseconds.
    pub fn micros(self) -> i64 {
        i64::from(self.seconds()) * 1_000_000
    }

    /// The window's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
        }
    }
}

/// The used part of a quota: a leaky bucket, kept as the moment of the next empty bucket, in microseconds of
/// Unix time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Level(pub i64);

/// At most `turns` at once. Turns come back evenly over the window: there is no moment at which all begins
/// anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// How many, from 1 to [`QUOTA_TURNS_MAX`]; 0 lets nobody through.
    pub turns: u32,
    /// The time span.
    pub window: QuotaWindow,
}

impl Quota {
    /// How many turns there are to be had now, in microseconds of Unix time.
    pub fn room(self, level: Level, now: i64) -> u32 {
        let window = self.window.micros();
        let free = window - level.0.saturating_sub(now).clamp(0, window);
        // At most `turns`, and far below the largest i64 on the way.
        u32::try_from(free * i64::from(self.turns) / window).unwrap_or(self.turns)
    }

    /// The level after taking turns, whether or not there are enough. The level is never above the brim, so
    /// turns taken without asking are paid for within a window.
    pub fn take(self, level: Level, turns: u32, now: i64) -> Level {
        let brim = now.saturating_add(self.window.micros());
        Level(level.0.max(now).saturating_add(self.time_of(turns)).min(brim))
    }

    /// The level after the return of taken turns.
    pub fn give_back(self, level: Level, turns: u32) -> Level {
        Level(level.0.saturating_sub(self.time_of(turns)))
    }

    /// Takes what is owed, then as many as there are of what is wanted: how many those are, and the
    /// level then.
    pub fn grant(self, level: Level, owed: u32, wanted: u32, now: i64) -> (u32, Level) {
        let level = self.take(level, owed, now);
        let granted = wanted.min(self.room(level, now));
        (granted, self.take(level, granted, now))
    }

    /// How long until there is a turn.
    pub fn wait(self, level: Level, now: i64) -> Duration {
        if self.room(level, now) > 0 {
            return Duration::ZERO;
        }
        let window = self.window.micros();
        let free = window - level.0.saturating_sub(now).clamp(0, window);
        // Rounded up, so that there is room after it.
        let turns = i64::from(self.turns.max(1));
        micros((window + turns - 1) / turns - free)
    }

    /// How long until the bucket is empty.
    pub fn reset(self, level: Level, now: i64) -> Duration {
        micros(level.0.saturating_sub(now).clamp(0, self.window.micros()))
    }

    /// The time in which so many turns come back, in microseconds. Rounded down, so that a bucket has
    /// room for all its turns.
    fn time_of(self, turns: u32) -> i64 {
        let turns = i64::from(turns.min(self.turns));
        turns * self.window.micros() / i64::from(self.turns.max(1))
    }
}

impl fmt::Display for Quota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} per {} second(s)", self.turns, self.window.seconds())
    }
}

fn micros(micros: i64) -> Duration {
    Duration::from_micros(u64::try_from(micros).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HOUR: i64 = 3_600_000_000;

    fn hourly(turns: u32) -> Quota {
        Quota { turns, window: QuotaWindow::Hour }
    }

    #[test]
    fn all_turns_can_be_taken_at_once_and_come_back_evenly() {
        for turns in [1, 2, 3, 7, 1_000, 999_983, QUOTA_TURNS_MAX] {
            let quota = hourly(turns);
            let (granted, full) = quota.grant(Level(0), 0, u32::MAX, HOUR);
            assert_eq!((granted, quota.room(full, HOUR)), (turns, 0));
            let wait = i64::try_from(quota.wait(full, HOUR).as_micros()).unwrap();
            assert!((wait - HOUR / i64::from(turns)).abs() <= 2, "{turns}: {wait}");
            assert!(quota.room(full, HOUR + wait) >= 1, "{turns}");
            let half = quota.room(full, HOUR + HOUR / 2);
            assert!(half.abs_diff(turns / 2) <= 1, "{turns}: {half}");
            assert_eq!(quota.room(full, 2 * HOUR), turns);
        }
    }

    #[test]
    fn one_by_one_there_are_as_many() {
        for turns in [1, 3, 7, 1_000, 3_333] {
            let quota = hourly(turns);
            let (mut level, mut taken) = (Level::default(), 0);
            while quota.room(level, HOUR) > 0 {
                level = quota.take(level, 1, HOUR);
                taken += 1;
            }
            assert_eq!(taken, turns);
        }
    }

    #[test]
    fn what_is_owed_is_paid_first_and_never_beyond_the_brim() {
        let quota = hourly(10);
        let (granted, level) = quota.grant(Level(0), 4, 100, HOUR);
        assert_eq!(granted, 6);
        let (granted, level) = quota.grant(level, u32::MAX, 1, HOUR);
        assert_eq!((granted, level), (0, Level(2 * HOUR)));
        assert_eq!(quota.reset(level, HOUR), Duration::from_secs(3_600));
        assert_eq!(quota.room(quota.give_back(level, 2), HOUR), 2);
    }

    #[test]
    fn no_turns_let_nobody_through() {
        let quota = hourly(0);
        assert_eq!(quota.grant(Level(0), 5, 5, HOUR).0, 0);
        assert_eq!(quota.room(Level(0), HOUR), 0);
    }

    #[test]
    fn a_clock_that_was_set_back_blocks_for_one_window_at_most() {
        let quota = hourly(10);
        let far = Level(100 * HOUR);
        assert_eq!(quota.room(far, HOUR), 0);
        assert_eq!(quota.take(far, 1, HOUR), Level(2 * HOUR));
        assert!(quota.wait(far, HOUR) <= Duration::from_secs(361));
    }

    proptest! {
        /// In any stretch of time no more goes through than the brim and what leaks meanwhile.
        #[test]
        fn no_stretch_of_time_has_more(
            turns in 1_u32..5_000,
            steps in prop::collection::vec((0_i64..HOUR / 10, 1_u32..500), 1..200),
        ) {
            let quota = hourly(turns);
            let (mut level, mut now, mut all) = (Level::default(), HOUR, Vec::new());
            for (pause, wanted) in steps {
                now += pause;
                let (granted, next) = quota.grant(level, 0, wanted, now);
                // A turn may be left by rounding: taking rounds the time of the turns down.
                prop_assert!(granted == wanted || quota.room(next, now) <= 1);
                level = next;
                all.push((now, u64::from(granted)));
            }
            for (first, (since, _)) in all.iter().enumerate() {
                let mut sum = 0;
                for (at, granted) in &all[first..] {
                    sum += granted;
                    let leaked = u128::from(turns) * u128::try_from(at - since).unwrap()
                        / u128::try_from(HOUR).unwrap();
                    // One more by rounding, of all that were granted.
                    prop_assert!(u128::from(sum) <= u128::from(turns) + leaked + 1);
                }
            }
        }
    }
}
