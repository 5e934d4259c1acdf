//! The ends of waits, by a clock that nobody sets.
//!
//! The store keeps the moment of the next try as wall-clock time, for readers. A reading of the monotonic
//! clock is kept here, too: setting the wall clock during a wait changes nothing. A moment stored by another
//! process, or by this process before a restart, is believed only within reason: no wait is longer than the
//! attempt before asked for.

use std::time::Duration;

use hookyard_core::id::EndpointId;
use hookyard_core::model::{Attempt, CONCURRENCY_MAX, Endpoint};
use hookyard_core::retry;
use hookyard_store::{AttemptQuery, StoreError};
use http::header::RETRY_AFTER;
use jiff::Timestamp;

use super::deliverer::Deliverer;
use super::shortage::{self, Unable};

/// The waits of an endpoint that are remembered: twice as many as the bundles that the endpoint can have at a
/// time.
const KNOWN_MAX: usize = 64;

/// The attempts that are searched for the request of a wait: with several bundles at a time the newest
/// attempt need not be the right attempt.
const ATTEMPTS_MAX: usize = 32;

const _: () = assert!(KNOWN_MAX == 2 * CONCURRENCY_MAX as usize);
const _: () = assert!(ATTEMPTS_MAX >= CONCURRENCY_MAX as usize);

/// A wait that this process has seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wait {
    /// The end of the wait as the store has it.
    pub(super) until: Timestamp,
    /// The same as a monotonic reading.
    pub(super) due: Duration,
}

/// The waits of one endpoint, the newest last.
#[derive(Debug, Default)]
pub(super) struct Waits(Vec<Wait>);

impl Waits {
    /// Remembers a wait.
    pub(super) fn note(&mut self, wait: Wait) {
        if self.0.len() == KNOWN_MAX {
            self.0.remove(0);
        }
        self.0.push(wait);
    }

    /// When a stored moment comes. A store may keep milliseconds only.
    fn due(&self, until: Timestamp) -> Option<Duration> {
        let millis = until.as_millisecond();
        let known = self.0.iter().rev().find(|wait| wait.until.as_millisecond() == millis);
        known.map(|wait| wait.due)
    }
}

impl Deliverer {
    /// The end of a wait that begins now.
    pub(super) fn wait_for(&self, wait: Duration) -> Wait {
        // In the precision of the stores and of `Clock::now`: both readings mean the same moment.
        let wait = Duration::from_millis(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
        let until = self.clock.now().checked_add(wait).unwrap_or(Timestamp::MAX);
        Wait { until, due: self.clock.monotonic().saturating_add(wait) }
    }

    /// Until when a bundle of the endpoint rests after so many failures to send in a row, as a monotonic
    /// reading.
    pub(super) fn rest(&self, endpoint: EndpointId, unable: &Unable, in_a_row: u32) -> Duration {
        let now = self.clock.monotonic();
        if let Some(bundles) = self.shortage.count(now) {
            let Unable(error) = unable;
            tracing::warn!(%endpoint, error, bundles, "this server lacks the means to deliver");
        }
        now.saturating_add(shortage::wait(in_a_row, &*self.entropy))
    }

    /// A monotonic reading as the wall clock shows it now.
    pub(super) fn moment(&self, due: Duration) -> Timestamp {
        let left = due.saturating_sub(self.clock.monotonic());
        self.clock.now().checked_add(left).unwrap_or(Timestamp::MAX)
    }

    /// When a stored wait ends, as a monotonic reading; `failures` in a row led to it.
    pub(super) async fn due(
        &self,
        waits: &mut Waits,
        endpoint: &Endpoint,
        until: Timestamp,
        failures: u32,
    ) -> Result<Duration, StoreError> {
        if let Some(due) = waits.due(until) {
            return Ok(due);
        }
        let left = self.left(endpoint, until, failures).await?;
        let due = self.clock.monotonic().saturating_add(left);
        waits.note(Wait { until, due });
        Ok(due)
    }

    /// The rest of a wait that this process did not see begin.
    async fn left(
        &self,
        endpoint: &Endpoint,
        until: Timestamp,
        failures: u32,
    ) -> Result<Duration, StoreError> {
        let left = between(self.clock.now(), until);
        if left <= retry::longest_backoff(failures) {
            return Ok(left);
        }
        // Either the receiver has asked for more, or a clock was set: the attempt knows.
        let query = AttemptQuery { limit: ATTEMPTS_MAX, brief: true, ..AttemptQuery::default() };
        let attempts = self.store.attempts(endpoint.workspace, endpoint.id, query).await?;
        let meant = attempts.entries.iter().find_map(|attempt| meant(attempt, until));
        Ok(left.min(meant.unwrap_or(retry::LONGEST_RETRY_AFTER)))
    }
}

/// How long an attempt asked to wait, if the attempt asked for a wait until then.
fn meant(attempt: &Attempt, until: Timestamp) -> Option<Duration> {
    let retry_at = attempt.record.retry_at?;
    (retry_at.as_millisecond() == until.as_millisecond()).then(|| planned(attempt))
}

/// How long a wait an attempt asked for. At most the longest wait that anything asks for: the clock may have
/// been set while the attempt was under way.
pub(super) fn planned(attempt: &Attempt) -> Duration {
    let record = &attempt.record;
    let Some(until) = record.retry_at else { return Duration::ZERO };
    let ended_at = record.started_at.checked_add(record.duration).unwrap_or(Timestamp::MAX);
    let mut headers = record.outcome.response_headers.iter();
    let asked = headers.any(|header| header.name.eq_ignore_ascii_case(RETRY_AFTER.as_str()));
    let most = if asked { retry::LONGEST_RETRY_AFTER } else { retry::LONGEST_WAIT };
    between(ended_at, until).min(most)
}

pub(super) fn between(from: Timestamp, until: Timestamp) -> Duration {
    Duration::try_from(until.duration_since(from)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_waits_are_known() {
        let mut waits = Waits::default();
        let at = |second| Timestamp::constant(second, 0);
        for second in 0..100_i64 {
            let due = Duration::from_secs(second.cast_unsigned() + 7);
            waits.note(Wait { until: at(second), due });
        }
        assert_eq!(waits.0.len(), KNOWN_MAX);
        assert_eq!(waits.due(at(99)), Some(Duration::from_secs(106)));
        assert_eq!(waits.due(Timestamp::constant(99, 999_999)), waits.due(at(99)));
        assert_eq!(waits.due(at(3)), None);
    }
}
