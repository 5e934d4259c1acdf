//! When endpoints were disabled, as ranges of journal numbers.
//!
//! A range ends where the endpoint was enabled again. An event after its end may have been missed all
//! the same: a call matches its events first, and commits them when its turn comes. So each event says
//! with which version of the workspace it was matched, and one that was matched before the endpoint was
//! enabled prolongs the range. However many calls wait behind the change, a recovery finds what they
//! missed, and nothing that was matched with the endpoint in its place.

/// Ranges kept for one endpoint. When it was disabled more often, the last two become one: a recovery
/// then looks at more events, and still queues only those that were missed.
pub(crate) const GAPS_MAX: i64 = 100;

/// A range of events that an endpoint was disabled for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gap {
    /// The first number.
    pub(crate) first: u64,
    /// The last number that is to be looked at. Below the first when there is none.
    pub(crate) last: u64,
    /// The number after the last one as it is stored, by which a range is known that was prolonged
    /// while it was looked at.
    pub(crate) until: u64,
}

/// The ranges of an endpoint, none overlapping another, from their first numbers and those after their
/// last, in order.
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
