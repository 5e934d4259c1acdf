//! The process's open files, and their division.
//!
//! Each connection is an open file. Without bounds, a server with many slow receivers would use up the
//! system's limit, and could take no caller and no commit any more. So the limit is raised as far as
//! possible, and divided at the start.

use anyhow::{Result, bail};
use rustix::process::{Resource, getrlimit, setrlimit};

use hookyard_engine::deliver::CONNECTIONS_DEFAULT;

/// Files for all but connections: the embedded store takes 20 and the pool of a PostgreSQL database 9;
/// the rest is for the runtime, standard streams, temporary files and a caller that is turned away.
const RESERVED: usize = 96;

/// The fewest connections, of each kind, for a useful start.
const CONNECTIONS_MIN: usize = 16;

/// The division of the open files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Division {
    /// Connections of callers.
    pub(crate) callers: usize,
    /// Connections to receivers.
    pub(crate) receivers: usize,
}

/// Raises the soft limit to the hard one; the limit from here on, `None` when there is none.
pub(crate) fn raise() -> Option<u64> {
    let before = getrlimit(Resource::Nofile);
    let mut wanted = before;
    wanted.current = before.maximum;
    if before.current != before.maximum
        && let Err(error) = setrlimit(Resource::Nofile, wanted)
    {
        let limit = before.current;
        tracing::warn!(%error, limit, "the limit on open files cannot be raised");
        return limit;
    }
    wanted.current
}

/// Divides the open files between callers, who want `callers` connections, and receivers. Both get their
/// wish where both fit; else each gets half, or the other's rest.
pub(crate) fn divide(limit: Option<u64>, callers: usize) -> Result<Division> {
    let limit = limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
    let room = limit.saturating_sub(RESERVED);
    if room < 2 * CONNECTIONS_MIN {
        let least = RESERVED + 2 * CONNECTIONS_MIN;
        bail!(
            "this process may have only {limit} files open, and needs at least {least}: raise the \
             limit, as with `ulimit -n` or LimitNOFILE= in a unit of systemd"
        );
    }
    let callers = callers.min((room / 2).max(room.saturating_sub(CONNECTIONS_DEFAULT)));
    let receivers = CONNECTIONS_DEFAULT.min(room - callers);
    Ok(Division { callers, receivers })
}

/// Logs the division, and warns when less than half of the wanted connections fit.
pub(crate) fn tell(limit: Option<u64>, division: Division, callers_wanted: usize) {
    let Division { callers, receivers } = division;
    tracing::info!(open_files = limit, callers, receivers, "connections at once");
    if 2 * callers < callers_wanted || 2 * receivers < CONNECTIONS_DEFAULT {
        tracing::warn!(
            open_files = limit,
            "the limit on open files leaves room for fewer connections than there could be: \
             {callers} of callers instead of {callers_wanted}, {receivers} to receivers instead of \
             {CONNECTIONS_DEFAULT}"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(limit: u64, callers: usize) -> (usize, usize) {
        let Division { callers, receivers } = divide(Some(limit), callers).unwrap();
        (callers, receivers)
    }

    #[test]
    fn both_have_what_they_want_or_share_what_there_is() {
        assert_eq!(of(1 << 20, 10_000), (10_000, CONNECTIONS_DEFAULT));
        let all = 10_000 + CONNECTIONS_DEFAULT + RESERVED;
        assert_eq!(of(all as u64, 10_000), (10_000, CONNECTIONS_DEFAULT));
        assert_eq!(of(1_024, 10_000), (464, 464));
        assert_eq!(of(1_024, 100), (100, 828));
        assert_eq!(of(12_288, 10_000), (6_096, 6_096));
        assert_eq!(of(16_384, 10_000), (8_144, 8_144));
        assert_eq!(
            divide(None, 7).unwrap(),
            Division { callers: 7, receivers: CONNECTIONS_DEFAULT }
        );
        for limit in RESERVED + 2 * CONNECTIONS_MIN..30_000 {
            let (callers, receivers) = of(limit as u64, 10_000);
            assert!(callers + receivers + RESERVED <= limit, "{limit}");
            assert!(callers >= CONNECTIONS_MIN && receivers >= CONNECTIONS_MIN, "{limit}");
        }
    }

    #[test]
    fn too_few_are_refused_with_the_way_out() {
        let message = divide(Some(64), 10_000).unwrap_err().to_string();
        assert!(message.contains("only 64") && message.contains("ulimit -n"), "{message}");
    }
}
