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
use super::verdict::{Before, Verdict};
use super::warn::has_passed;

/// What an attempt does to the queue.
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
        before: Before,
        refusals: u32,
        answer: &Result<Answer, String>,
    ) -> Option<Timestamp> {
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
        if verdict == Verdict::Park {
            tracing::warn!(endpoint = %worker.lease.endpoint, "an event became a dead letter");
        }
        let Some(plan) = &worker.plan else { return Ok(false) };
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
        self.throttled_for(endpoint, events.len())
    }

    /// Until when the endpoint's rate limit does not let so many events through at once.
    pub(super) fn throttled_for(&self, endpoint: &Endpoint, events: usize) -> Option<Timestamp> {
        let limit = endpoint.settings.options.rate_limit.as_ref()?;
        let wait = self.throttle.wait(endpoint.id, limit, events, self.clock.monotonic());
        (!wait.is_zero()).then(|| self.clock.now().checked_add(wait).unwrap_or(Timestamp::MAX))
    }

    /// Counts a request with so many events, or that is about to have them, for the rate limit.
    pub(super) fn take_units(&self, endpoint: &Endpoint, events: usize) {
        if let Some(limit) = &endpoint.settings.options.rate_limit {
            self.throttle.take(endpoint.id, limit, events, self.clock.monotonic());
        }
    }

    /// Counts a request that had fewer events than it was counted with.
    pub(super) fn give_units_back(&self, endpoint: &Endpoint, counted: usize, events: usize) {
        if let Some(limit) = &endpoint.settings.options.rate_limit {
            self.throttle.give_back(endpoint.id, limit, counted, events);
        }
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
