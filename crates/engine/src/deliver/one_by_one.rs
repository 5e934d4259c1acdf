//! Endpoints that take one bundle at a time.

use std::sync::Arc;
use std::time::Duration;

use hookyard_core::model::{Endpoint, EndpointSettings, Event, QueueState};
use hookyard_store::{Head, HeadLimit, Queued, Recorded, StoreError};
use jiff::Timestamp;

use super::attempt::{Judged, Rendered, Unsent, is_open};
use super::common::Common;
use super::consequences::Failed;
use super::deliverer::Deliverer;
use super::limits::{SendPlace, Stopping, hung};
use super::plan::Plan;
use super::render;
use super::shortage::Unable;
use super::step::Step;
use super::verdict::{Before, Bisection};

/// The work under way for an endpoint, one bundle after another.
#[derive(Debug)]
pub(super) struct OneByOne {
    /// How much of the head is read for a bundle.
    limit: HeadLimit,
    /// Whether the last request hung and failed.
    hung: bool,
    /// The search for the refused event.
    bisection: Bisection,
    /// The number of events in the last sent bundle, until its outcome is recorded.
    sent: Option<usize>,
    /// An outcome without the store's confirmation. Nothing is sent before the confirmation.
    unrecorded: Option<Judged>,
    /// Until when nothing goes out, whatever is queued, as a monotonic reading: the endpoint's rate limit
    /// lets nothing through, or this server lacked the means to send.
    throttled_until: Option<Duration>,
    /// How often in a row this server lacked the means.
    unable: u32,
}

impl Default for OneByOne {
    fn default() -> Self {
        Self {
            limit: render::first_head_limit(),
            hung: false,
            bisection: Bisection::default(),
            sent: None,
            unrecorded: None,
            throttled_until: None,
            unable: 0,
        }
    }
}

impl OneByOne {
    /// Nothing is under way to an endpoint with these settings.
    pub(super) fn of(settings: &EndpointSettings) -> Self {
        Self { limit: render::head_limit(settings), ..Self::default() }
    }

    /// Whether an outcome is not recorded.
    pub(super) fn is_busy(&self) -> bool {
        self.unrecorded.is_some()
    }
}

/// The part of a queue's head that may be sent now.
struct Due {
    plan: Arc<Plan>,
    events: Vec<Arc<Event>>,
    /// When the first of the events was queued.
    queued_at: Timestamp,
    state: QueueState,
}

impl Deliverer {
    /// A step of an endpoint that takes one bundle at a time; `None` when the endpoint takes more.
    pub(super) async fn step_one(
        &self,
        common: &mut Common,
        own: &mut OneByOne,
    ) -> Result<Option<Step>, StoreError> {
        if let Some(step) = self.record_kept(common, own).await? {
            return Ok(Some(step));
        }
        let place = match self.limits.place(own.hung, common.holder()).await {
            Ok(place) => place,
            Err(Stopping) => return Ok(Some(Step::Stopping)),
        };
        self.deliver(common, own, place).await
    }

    async fn deliver(
        &self,
        common: &mut Common,
        own: &mut OneByOne,
        place: SendPlace,
    ) -> Result<Option<Step>, StoreError> {
        let (head, plan) = self.head(common, own).await?;
        let Head { endpoint: _, state, entries, missing, held } = head;
        own.hung &= state.failures > 0;
        if plan.concurrency().is_some() {
            return Ok(None);
        }
        if plan.endpoint.settings.disabled {
            self.tell_disabled(&plan.endpoint, &mut common.told, state).await;
            return Ok(Some(Step::Disabled));
        }
        if let Some(until) = self.retry_at(common, &plan.endpoint, state).await? {
            let idle = entries.is_empty() && missing == 0;
            return Ok(Some(if idle { Step::Idle } else { Step::Wait(until) }));
        }
        if missing > 0 {
            let reason = format!("{missing} queued events are not in the journal any more");
            return self.drop_head(common, &plan, &[], missing, state, reason).await.map(Some);
        }
        let Some(queued_at) = entries.first().map(|entry| entry.queued_at) else {
            return Ok(Some(Step::Idle));
        };
        let mut events: Vec<_> = entries.into_iter().map(|Queued { event, .. }| event).collect();
        events.truncate(own.bisection.most(state.refusals));
        if held > 0 {
            // Until taken, a bundle stays unchanged, because its id depends on its events.
            events.truncate(held);
        }
        if let Some(sent) = own.sent {
            // A bundle possibly received already stays unchanged, too.
            events.truncate(sent);
        }
        own.throttled_until = self.throttle(&plan.endpoint, &mut events);
        if let Some(due) = own.throttled_until {
            return Ok(Some(Step::Wait(self.moment(due))));
        }
        let due = Due { plan, events, queued_at, state };
        self.attempt(common, own, due, place).await.map(Some)
    }

    /// Makes one attempt with the first of the events.
    async fn attempt(
        &self,
        common: &mut Common,
        own: &mut OneByOne,
        due: Due,
        place: SendPlace,
    ) -> Result<Step, StoreError> {
        let Due { mut plan, events, queued_at, state } = due;
        let bundle = match self.render(&mut plan, &events).await? {
            Ok(bundle) => bundle,
            Err(unsendable) => {
                let reason = unsendable.to_string();
                return self.drop_head(common, &plan, &events[..1], 1, state, reason).await;
            }
        };
        common.plan = Some(Arc::clone(&plan));
        let count = bundle.events;
        self.take_units(&plan.endpoint, count);
        let sent_before = own.sent.replace(count);
        let sent = self.send(&plan, Rendered { bundle, events, queued_at }, place).await?;
        let answered = match sent {
            Ok(answered) => answered,
            Err(unable) => {
                own.sent = sent_before;
                return Ok(self.rest_one(own, &plan, count, &unable));
            }
        };
        own.unable = 0;
        let QueueState { failures, refusals, .. } = state;
        let before = Before { failures, of_bundle: failures, refusals };
        let judged = self.judge(&plan, answered, before, Vec::new());
        self.record(common, own, judged, Recorded::No).await
    }

    /// Lets an endpoint rest after a bundle of `count` events could not be sent.
    fn rest_one(&self, own: &mut OneByOne, plan: &Plan, count: usize, unable: &Unable) -> Step {
        self.give_units_back(&plan.endpoint, count, 0);
        let due = self.rest(plan.endpoint.id, unable, own.unable);
        own.unable = own.unable.saturating_add(1);
        own.throttled_until = Some(due);
        Step::Wait(self.moment(due))
    }

    /// The moment before which nothing of the endpoint may be sent, if known and still to come.
    pub(super) async fn rests_one(
        &self,
        common: &mut Common,
        own: &OneByOne,
    ) -> Result<Option<Timestamp>, StoreError> {
        let Some(plan) = common.plan.clone() else { return Ok(None) };
        let Endpoint { workspace, id, revision, .. } = *plan.endpoint;
        if let Some(due) = own.throttled_until.filter(|due| *due > self.clock.monotonic()) {
            let endpoint = self.store.endpoint(workspace, id).await?;
            if endpoint.is_some_and(|endpoint| endpoint.revision == revision) {
                return Ok(Some(self.moment(due)));
            }
        }
        let states = self.store.queue_states(workspace, &[id]).await?;
        match states.first() {
            Some(state) => self.retry_at(common, &plan.endpoint, *state).await,
            None => Ok(None),
        }
    }

    /// The moment before which the endpoint must not be tried, if still to come.
    async fn retry_at(
        &self,
        common: &mut Common,
        endpoint: &Endpoint,
        state: QueueState,
    ) -> Result<Option<Timestamp>, StoreError> {
        let Some(until) = state.retry_at else { return Ok(None) };
        let due = self.due(&mut common.waits, endpoint, until, state.failures).await?;
        Ok((due > self.clock.monotonic()).then(|| self.moment(due)))
    }

    /// Records the kept outcome, if any.
    pub(super) async fn record_kept(
        &self,
        common: &mut Common,
        own: &mut OneByOne,
    ) -> Result<Option<Step>, StoreError> {
        let Some(judged) = own.unrecorded.take() else { return Ok(None) };
        self.record(common, own, judged, Recorded::Maybe).await.map(Some)
    }

    /// Records an outcome and draws its consequences. When the store fails, the outcome is kept.
    async fn record(
        &self,
        common: &mut Common,
        own: &mut OneByOne,
        judged: Judged,
        recorded: Recorded,
    ) -> Result<Step, StoreError> {
        let attempt = Arc::clone(&judged.attempt);
        let state = match self.store.record(&common.lease, attempt, recorded).await {
            Ok(state) => state,
            Err(error) => {
                own.unrecorded = Some(judged).filter(|_| is_open(&error));
                return Err(error);
            }
        };
        let Judged { attempt, verdict, wait, last } = judged;
        let (count, started_at) = (attempt.events.len(), attempt.started_at);
        wait.into_iter().for_each(|wait| common.waits.note(wait));
        own.sent = None;
        own.hung = hung(attempt.duration) && state.failures > 0;
        own.bisection.learn(verdict, count);
        if let Some(last) = last {
            let failed = Failed { verdict, started_at, last };
            if self.disabled_by_failure(common, failed, state).await? {
                return Ok(Step::Disabled);
            }
        }
        let retry_at = wait.map(|wait| self.moment(wait.due));
        Ok(Step::after(verdict, count, state.pending, retry_at))
    }

    /// The head of the queue, enough for a bundle, and the plan for the endpoint as the head has it.
    async fn head(
        &self,
        common: &mut Common,
        own: &mut OneByOne,
    ) -> Result<(Head, Arc<Plan>), StoreError> {
        let asked = own.limit;
        let head = self.store.head(&common.lease, asked).await?;
        if let Some(plan) = common.plan_of(head.endpoint.revision) {
            return Ok((head, plan));
        }
        own.limit = render::head_limit(&head.endpoint.settings);
        let plan = self.plan(Arc::clone(&head.endpoint)).await?;
        common.plan = Some(Arc::clone(&plan));
        if own.limit.events > asked.events && head.entries.len() == asked.events {
            return Ok((self.store.head(&common.lease, own.limit).await?, plan));
        }
        Ok((head, plan))
    }

    /// Takes entries that can never be sent off the head of the queue, and records the reason.
    async fn drop_head(
        &self,
        common: &Common,
        plan: &Plan,
        events: &[Arc<Event>],
        entries: u32,
        state: QueueState,
        reason: String,
    ) -> Result<Step, StoreError> {
        let failures = state.failures;
        let unsent = Unsent { events, entries: Vec::new(), count: entries, failures, reason };
        let attempt = self.unsent(plan, unsent);
        let pending = self.store.settle(&common.lease, attempt).await?.pending;
        Ok(Step::Dropped { entries, pending })
    }
}
