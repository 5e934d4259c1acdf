//! The consequences of an answer for the queue, for the endpoint and for the next request.

use std::sync::Arc;
use std::time::Duration;

use hookyard_core::model::{
    Attempt, DisabledKind, DisabledReason, Endpoint, Event, Outcome, QueueState,
};
use hookyard_core::retry;
use hookyard_store::{AttemptQuery, StoreError};
use http::header::RETRY_AFTER;
use jiff::Timestamp;

use super::common::Common;
use super::deliverer::Deliverer;
use super::outgoing::Answer;
use super::throttle;
use super::verdict::{Before, Verdict};
use super::waits::{Wait, between, planned};
use super::warn::has_passed;

/// The effect of an attempt on the queue.
pub(super) struct Settled {
    pub(super) advance: u32,
    pub(super) failures: u32,
    pub(super) refusals: u32,
}

pub(super) fn settled(verdict: Verdict, before: Before, events: usize) -> Settled {
    let leaves = u32::try_from(events).unwrap_or(u32::MAX);
    let failures = before.failures.saturating_add(1);
    let refusals = before.refusals;
    match verdict {
        Verdict::Taken | Verdict::Drop => Settled { advance: leaves, failures: 0, refusals: 0 },
        // The receiver has still taken nothing: after enough time the endpoint is disabled.
        Verdict::Park => Settled { advance: leaves, failures, refusals: 0 },
        Verdict::Refused => Settled { advance: 0, failures, refusals: refusals.saturating_add(1) },
        Verdict::Retry | Verdict::Halve | Verdict::Disable(_) => {
            Settled { advance: 0, failures, refusals }
        }
    }
}

/// How much later than planned an attempt may be for the time since the attempt before to count as failing:
/// far longer than an attempt waits for a place. A longer gap means that nobody tried: the server was down,
/// or its clock was set.
const LATENESS_MAX: Duration = Duration::from_secs(10 * 60);

/// The attempts of a run of failures that are read before an endpoint is disabled. By the schedule five days
/// have about 130; the time before so many counts as the clock has it.
const RUN_MAX: usize = 1_000;

/// How long an endpoint was tried: from `since` to the newest of these attempts, without the time in which
/// nobody tried. The attempts are in the order of the log, the newest first.
fn tried_for(attempts: &[Attempt], since: Timestamp) -> Duration {
    let steps = attempts.windows(2).map(|pair| {
        let (next, one) = (&pair[0].record, &pair[1]);
        let most = one.record.duration.saturating_add(planned(one)).saturating_add(LATENESS_MAX);
        between(one.record.started_at, next.started_at).min(most)
    });
    let before = attempts.last().map(|oldest| between(since, oldest.record.started_at));
    steps.sum::<Duration>().saturating_add(before.unwrap_or_default())
}

/// An attempt that failed.
pub(super) struct Failed {
    pub(super) verdict: Verdict,
    pub(super) started_at: Timestamp,
    /// How the attempt ended.
    pub(super) last: Outcome,
}

impl Deliverer {
    /// The wait before the next try, if any: the backoff or, on 429 and 503, the receiver's own moment if
    /// later.
    pub(super) fn wait_after(
        &self,
        verdict: Verdict,
        before: Before,
        refusals: u32,
        answer: &Result<Answer, String>,
    ) -> Option<Wait> {
        let backoff = match verdict {
            Verdict::Taken | Verdict::Drop | Verdict::Park => return None,
            Verdict::Halve => Duration::ZERO,
            Verdict::Refused => retry::backoff(refusals, &*self.entropy),
            Verdict::Retry | Verdict::Disable(_) => {
                retry::backoff(before.of_bundle.saturating_add(1), &*self.entropy)
            }
        };
        let now = self.clock.now();
        let asked = answer.as_ref().ok().filter(|answer| matches!(answer.status, 429 | 503));
        let asked = asked
            .and_then(|answer| answer.headers.get(RETRY_AFTER)?.to_str().ok())
            .and_then(|value| retry::retry_after(value, now))
            .unwrap_or_default();
        let wait = backoff.max(asked);
        (!wait.is_zero()).then(|| self.wait_for(wait))
    }

    /// Draws the consequences of an attempt that failed: whoever wants to know is told, and the
    /// endpoint may be disabled. Whether it was.
    pub(super) async fn disabled_by_failure(
        &self,
        common: &mut Common,
        Failed { verdict, started_at, last }: Failed,
        state: QueueState,
    ) -> Result<bool, StoreError> {
        if verdict == Verdict::Park {
            tracing::warn!(endpoint = %common.lease.endpoint, "an event became a dead letter");
        }
        let Some(plan) = common.plan.clone() else { return Ok(false) };
        self.warn_failing(&plan.endpoint, &mut common.told, state, &last).await;
        let now = self.clock.now();
        let kind = match verdict {
            Verdict::Disable(kind) => kind,
            _ if self.fails_for_too_long(&plan.endpoint, state, started_at).await? => {
                DisabledKind::Failing
            }
            _ => return Ok(false),
        };
        let Outcome { status, error, .. } = last;
        tracing::warn!(endpoint = %plan.endpoint.id, reason = kind.as_str(), status, "disabled");
        let reason = DisabledReason { kind, at: now, status, error };
        let disabled = self.engine.disable_endpoint(&plan.endpoint, reason).await;
        let disabled = disabled.map_err(|error| match error {
            crate::Error::Internal(error) => error,
            other => StoreError::Unavailable(other.to_string()),
        })?;
        let Some(endpoint) = disabled else { return Ok(false) };
        self.tell_disabled(&endpoint, &mut common.told, state).await;
        Ok(true)
    }

    /// Whether an endpoint has taken nothing for so long that it is to be disabled. The last attempt was
    /// started at `started_at`.
    async fn fails_for_too_long(
        &self,
        endpoint: &Endpoint,
        state: QueueState,
        started_at: Timestamp,
    ) -> Result<bool, StoreError> {
        let too_long = self.options.disable_after.zip(state.failing_since);
        let Some((after, since)) = too_long.filter(|too_long| {
            let (after, since) = *too_long;
            has_passed(after, since, started_at)
        }) else {
            return Ok(false);
        };
        // The clock says so, and may have been set. The log knows the waits.
        let (from, until) = (Some(since), Some(started_at));
        let query =
            AttemptQuery { from, until, limit: RUN_MAX, brief: true, ..AttemptQuery::default() };
        let attempts = self.store.attempts(endpoint.workspace, endpoint.id, query).await?;
        Ok(tried_for(&attempts.entries, since) >= after)
    }

    /// Cuts the events to the number that the endpoint's rate limit lets through at once. When the limit lets
    /// nothing through, the end of the wait, as a monotonic reading.
    pub(super) fn throttle(
        &self,
        endpoint: &Endpoint,
        events: &mut Vec<Arc<Event>>,
    ) -> Option<Duration> {
        let limit = endpoint.settings.options.rate_limit.as_ref()?;
        events.truncate(throttle::events_max(limit));
        self.throttled_for(endpoint, events.len())
    }

    /// Until when the endpoint's rate limit does not let so many events through at once, as a monotonic
    /// reading.
    pub(super) fn throttled_for(&self, endpoint: &Endpoint, events: usize) -> Option<Duration> {
        let limit = endpoint.settings.options.rate_limit.as_ref()?;
        let now = self.clock.monotonic();
        let wait = self.throttle.wait(endpoint.id, limit, events, now);
        (!wait.is_zero()).then(|| now.saturating_add(wait))
    }

    /// Counts a request with so many events, sent or about to be sent, for the rate limit.
    pub(super) fn take_units(&self, endpoint: &Endpoint, events: usize) {
        if let Some(limit) = &endpoint.settings.options.rate_limit {
            self.throttle.take(endpoint.id, limit, events, self.clock.monotonic());
        }
    }

    /// Corrects the count of a request that had fewer events than counted.
    pub(super) fn give_units_back(&self, endpoint: &Endpoint, counted: usize, events: usize) {
        if let Some(limit) = &endpoint.settings.options.rate_limit {
            self.throttle.give_back(endpoint.id, limit, counted, events);
        }
    }
}
