//! What follows from an answer, for the queue, for the endpoint and for the next request.

use std::sync::Arc;
use std::time::Duration;

use hookyard_core::model::{DisabledKind, DisabledReason, Endpoint, Event, Outcome, QueueState};
use hookyard_core::retry;
use hookyard_store::StoreError;
use http::header::RETRY_AFTER;
use jiff::Timestamp;

use super::step::{Deliverer, Worker};
use super::throttle;
use super::transport::Answer;
use super::verdict::Verdict;
use super::warn::has_passed;

/// What an attempt does to the queue.
pub(super) struct Settled {
    pub(super) advance: u32,
    pub(super) failures: u32,
    pub(super) refusals: u32,
}

pub(super) fn settled(
    verdict: Verdict,
    before: QueueState,
    missing: u32,
    events: usize,
) -> Settled {
    let leaves = missing.saturating_add(u32::try_from(events).unwrap_or(u32::MAX));
    let failures = before.failures.saturating_add(1);
    let refusals = before.refusals;
    match verdict {
        Verdict::Taken | Verdict::Drop => Settled { advance: leaves, failures: 0, refusals: 0 },
        // The receiver has still taken nothing: if it goes on so, the endpoint is disabled.
        Verdict::Park => Settled { advance: leaves, failures, refusals: 0 },
        Verdict::Refused => Settled { advance: 0, failures, refusals: refusals.saturating_add(1) },
        Verdict::Retry | Verdict::Halve | Verdict::Disable(_) => {
            Settled { advance: 0, failures, refusals }
        }
    }
}

impl Deliverer {
    /// When to try again, if there is a wait: after the backoff or, on 429 and 503, when the receiver
    /// says if that is later.
    pub(super) fn retry_at(
        &self,
        verdict: Verdict,
        failures: u32,
        refusals: u32,
        answer: &Result<Answer, String>,
    ) -> Option<Timestamp> {
        let backoff = match verdict {
            Verdict::Taken | Verdict::Drop | Verdict::Park => return None,
            Verdict::Halve => Duration::ZERO,
            Verdict::Refused => retry::backoff(refusals, &*self.entropy),
            Verdict::Retry | Verdict::Disable(_) => retry::backoff(failures, &*self.entropy),
        };
        let now = self.clock.now();
        let asked = answer.as_ref().ok().filter(|answer| matches!(answer.status, 429 | 503));
        let asked = asked
            .and_then(|answer| answer.headers.get(RETRY_AFTER)?.to_str().ok())
            .and_then(|value| retry::retry_after(value, now))
            .unwrap_or_default();
        let wait = backoff.max(asked);
        (!wait.is_zero()).then(|| now.checked_add(wait).unwrap_or(Timestamp::MAX))
    }

    /// Draws the consequences of an attempt that failed: whoever wants to know is told, and the
    /// endpoint may be disabled. Whether it was.
    pub(super) async fn disabled_by_failure(
        &self,
        worker: &mut Worker,
        verdict: Verdict,
        state: QueueState,
        last: Outcome,
    ) -> Result<bool, StoreError> {
        let Some(plan) = &mut worker.plan else { return Ok(false) };
        self.warn_failing(&plan.endpoint, &mut worker.told, state, &last).await;
        let now = self.clock.now();
        let too_long = self.options.disable_after.zip(state.failing_since);
        let kind = match verdict {
            Verdict::Disable(kind) => kind,
            _ if too_long.is_some_and(|(after, since)| has_passed(after, since, now)) => {
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
        self.tell_disabled(&endpoint, &mut worker.told, state).await;
        Ok(true)
    }

    /// Cuts the events to what the endpoint's rate limit lets through at once; until when it lets
    /// nothing through.
    pub(super) fn throttle(
        &self,
        endpoint: &Endpoint,
        events: &mut Vec<Arc<Event>>,
    ) -> Option<Timestamp> {
        let limit = endpoint.settings.options.rate_limit.as_ref()?;
        events.truncate(throttle::events_max(limit));
        let wait = self.throttle.wait(endpoint.id, limit, events.len(), self.clock.monotonic());
        if wait.is_zero() {
            return None;
        }
        Some(self.clock.now().checked_add(wait).unwrap_or(Timestamp::MAX))
    }

    /// Until when the endpoint's rate limit lets nothing through, as the last step found; `None`
    /// when that is over or the endpoint changed since.
    pub(super) async fn throttled(&self, worker: &Worker) -> Result<Option<Timestamp>, StoreError> {
        let until = worker.throttled_until.filter(|until| *until > self.clock.now());
        let (Some(until), Some(plan)) = (until, &worker.plan) else { return Ok(None) };
        let Endpoint { workspace, id, revision, .. } = &*plan.endpoint;
        let endpoint = self.store.endpoint(*workspace, *id).await?;
        Ok(endpoint.filter(|endpoint| endpoint.revision == *revision).map(|_| until))
    }
}
