//! When endpoints were disabled, as ranges of journal numbers.
//!
//! A range ends where the endpoint was enabled again. An event after the end may have been missed all the
//! same: a call matches events first, and commits later, in turn. So each event names the version of the
//! workspace at the match. An event matched before the endpoint was enabled prolongs the range. However many
//! calls wait behind the change, a recovery finds all missed events, and no event that was matched with the
//! endpoint present.

/// Ranges kept for one endpoint. Beyond the bound, the last two ranges become one: a recovery then looks at
/// more events, and still queues only missed events.
pub(crate) const GAPS_MAX: i64 = 100;

/// A range of events published while an endpoint was disabled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gap {
    /// The first number.
    pub(crate) first: u64,
    /// The last number to look at. Below the first number when the range is empty.
    pub(crate) last: u64,
    /// The stored number after the last one. A changed number shows that the range was prolonged during a
    /// look.
    pub(crate) until: u64,
}

/// The ranges of an endpoint, in order and without overlaps, from pairs of the first number and the number
/// after the last.
pub(crate) fn closed(rows: &[(u64, u64)]) -> Vec<Gap> {
    let next = rows.iter().skip(1).map(|(first, _)| *first).chain([u64::MAX]);
    let gap = |((first, until), next): (&(u64, u64), u64)| Gap {
        first: *first,
        last: until.saturating_sub(1).min(next - 1),
        until: *until,
    };
    rows.iter().zip(next).map(gap).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_end_before_the_next_one() {
        let gap = |first, last, until| Gap { first, last, until };
        assert_eq!(closed(&[]), []);
        assert_eq!(closed(&[(5, 5)]), [gap(5, 4, 5)]);
        assert_eq!(closed(&[(5, 30), (20, 25)]), [gap(5, 19, 30), gap(20, 24, 25)]);
    }
}
