//! One step of one endpoint: head, render, send, settle.

use std::sync::Arc;
use std::time::Duration;

use hookyard_core::clock::Clock;
use hookyard_core::entropy::Entropy;
use hookyard_core::model::{Endpoint, Event, QueueState};
use hookyard_store::{Head, HeadLimit, Lease, Queued, Recorded, SharedStore, StoreError, Tenure};
use jiff::Timestamp;
use tokio::sync::Notify;

use super::Options;
use super::attempt::{Judged, Rendered, Unable, Unsent, is_open};
use super::consequences::Failed;
use super::landing::Lander;
use super::lanes::Lanes;
use super::limits::{Holder, Limits, Place, Stopping, hung};
use super::plan::Plan;
use super::render;
use super::shortage::Shortage;
use super::throttle::Throttle;
use super::transport::Transport;
use super::verdict::{Before, Bisection, Verdict};
use super::waits::Waits;
use super::warn::Told;
use crate::Engine;

/// Delivers for all endpoints. Which endpoint, and when, is up to the caller.
pub struct Deliverer {
    pub(super) engine: Engine,
    pub(super) store: SharedStore,
    pub(super) tenure: Tenure,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) entropy: Arc<dyn Entropy>,
    pub(super) transport: Arc<dyn Transport>,
    pub(super) options: Options,
    pub(super) limits: Limits,
    pub(super) throttle: Throttle,
    pub(super) shortage: Shortage,
}

/// The right to work on one endpoint, with what was worked out about it so far.
#[derive(Debug)]
pub struct Worker {
    pub(super) lease: Lease,
    pub(super) plan: Option<Arc<Plan>>,
    limit: HeadLimit,
    /// Whether the last request hung and failed.
    hung: bool,
    /// Where the event is that the receiver refuses.
    bisection: Bisection,
    /// How many events the bundle has that was sent last, until its outcome is recorded.
    sent: Option<usize>,
    /// What the store has not said to have recorded yet. Nothing is sent before it has.
    unrecorded: Option<Judged>,
    /// What was told about the endpoint.
    pub(super) told: Told,
    /// Until when nothing goes out whatever is queued, as a monotonic reading: the endpoint's rate limit
    /// lets nothing through, or this server lacked the means to send.
    pub(super) throttled_until: Option<Duration>,
    /// How often in a row this server lacked the means.
    unable: u32,
    /// When its bundles are tried again, as far as this process has seen it.
    pub(super) waits: Waits,
    /// The bundles of an endpoint that takes several at once.
    pub(super) lanes: Option<Box<Lanes>>,
    /// Told when something happens to the endpoint.
    pub(super) wake: Arc<Notify>,
}

/// What one step did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The queue is empty.
    Idle,
    /// The endpoint is disabled; its queue stays.
    Disabled,
    /// Nothing may be sent before this moment.
    Wait(Timestamp),
    /// The receiver took a bundle.
    Sent {
        /// How many events.
        events: usize,
        /// How many are left in the queue.
        pending: u64,
    },
    /// The receiver did not take the bundle; it is not sent again before this moment.
    Failed(Timestamp),
    /// Entries that can never be sent left the queue.
    Dropped {
        /// How many entries.
        entries: u32,
        /// How many are left in the queue.
        pending: u64,
    },
    /// The receiver did not take a bundle of several events; the next one has fewer.
    Halved,
    /// The receiver has refused an event alone for the last time: it is a dead letter now.
    Parked {
        /// How many entries are left in the queue.
        pending: u64,
    },
    /// The endpoint was deleted or has another owner.
    Gone,
    /// Delivery is stopping.
    Stopping,
}

impl Step {
    /// What an attempt came to that the queue's state is known after.
    pub(super) fn after(
        verdict: Verdict,
        events: usize,
        pending: u64,
        retry_at: Option<Timestamp>,
    ) -> Self {
        match (verdict, retry_at) {
            (Verdict::Taken, _) => Self::Sent { events, pending },
            (Verdict::Drop, _) => {
                Self::Dropped { entries: u32::try_from(events).unwrap_or(u32::MAX), pending }
            }
            (Verdict::Park, _) => Self::Parked { pending },
            (_, Some(retry_at)) => Self::Failed(retry_at),
            (_, None) => Self::Halved,
        }
    }
}

impl Worker {
    /// A worker for the endpoint of a lease.
    pub fn new(lease: Lease) -> Self {
        Self {
            lease,
            plan: None,
            limit: render::first_head_limit(),
            hung: false,
            bisection: Bisection::default(),
            sent: None,
            unrecorded: None,
            told: Told::default(),
            throttled_until: None,
            unable: 0,
            waits: Waits::default(),
            lanes: None,
            wake: Arc::default(),
        }
    }

    /// The lease.
    pub fn lease(&self) -> Lease {
        self.lease
    }

    /// Whether requests are in flight or outcomes are not recorded: whoever drops the worker now has
    /// the same events sent again.
    pub fn is_busy(&self) -> bool {
        self.unrecorded.is_some() || self.lanes.as_ref().is_some_and(|lanes| lanes.is_busy())
    }

    /// Whose places the requests take.
    fn holder(&self) -> Holder {
        Holder { workspace: self.lease.workspace, endpoint: self.lease.endpoint }
    }
}

impl Deliverer {
    /// A deliverer over the engine's store.
    pub fn new(engine: &Engine, transport: Arc<dyn Transport>, options: Options) -> Self {
        let (store, clock) = (Arc::clone(engine.store()), Arc::clone(engine.clock()));
        let transport = Arc::new(Lander::new(store, clock, transport));
        Self {
            engine: engine.clone(),
            store: Arc::clone(engine.store()),
            tenure: engine.store().tenure(),
            clock: Arc::clone(engine.clock()),
            entropy: Arc::clone(engine.entropy()),
            transport,
            limits: Limits::new(options.connections_max),
            options,
            throttle: Throttle::default(),
            shortage: Shortage::default(),
        }
    }

    /// Does the next thing there is to do for the endpoint. That is at most one request or, when the
    /// endpoint takes several at once, to start as many as it takes and to wait for the first of them.
    /// An outcome that the store could not record is kept, and recorded by the next step before anything
    /// else is sent.
    pub async fn step(self: &Arc<Self>, worker: &mut Worker) -> Result<Step, StoreError> {
        loop {
            let done = match worker.lanes {
                Some(_) => self.step_lanes(worker).await,
                None => self.step_one(worker).await,
            };
            match done {
                Ok(Some(step)) => return Ok(step),
                // Its owner has changed how many bundles it takes at once.
                Ok(None) => {}
                Err(StoreError::LeaseLost | StoreError::NotFound(_)) => return Ok(Step::Gone),
                Err(error) => return Err(error),
            }
        }
    }

    /// Ends the work on an endpoint: waits for what is in flight, and has the store record what it has
    /// not recorded yet, if it can.
    pub(super) async fn finish(self: &Arc<Self>, worker: &mut Worker) {
        let recorded = match worker.lanes {
            Some(_) => self.finish_lanes(worker).await,
            None => self.record_kept(worker).await.map(drop),
        };
        if let Err(error) = recorded {
            tracing::warn!(endpoint = %worker.lease.endpoint, %error, "an outcome was not recorded");
        }
    }

    /// A step of an endpoint that takes one bundle at a time; `None` when it is none.
    async fn step_one(&self, worker: &mut Worker) -> Result<Option<Step>, StoreError> {
        if let Some(step) = self.record_kept(worker).await? {
            return Ok(Some(step));
        }
        let place = match self.limits.place(worker.hung, worker.holder()).await {
            Ok(place) => place,
            Err(Stopping) => return Ok(Some(Step::Stopping)),
        };
        self.deliver(worker, place).await
    }

    async fn deliver(&self, worker: &mut Worker, place: Place) -> Result<Option<Step>, StoreError> {
        let head = self.head(worker).await?;
        let Head { endpoint: _, state, entries, missing, held } = head;
        worker.hung &= state.failures > 0;
        let Some(plan) = worker.plan.clone() else { return Ok(Some(Step::Idle)) };
        if plan.concurrency().is_some() {
            worker.lanes = Some(Box::default());
            return Ok(None);
        }
        if plan.endpoint.settings.disabled {
            self.tell_disabled(&plan.endpoint, &mut worker.told, state).await;
            return Ok(Some(Step::Disabled));
        }
        if let Some(until) = self.retry_at(worker, &plan.endpoint, state).await? {
            let idle = entries.is_empty() && missing == 0;
            return Ok(Some(if idle { Step::Idle } else { Step::Wait(until) }));
        }
        if missing > 0 {
            let reason = format!("{missing} queued events are not in the journal any more");
            return self.drop_head(worker, &[], missing, state, reason).await.map(Some);
        }
        let Some(queued_at) = entries.first().map(|entry| entry.queued_at) else {
            return Ok(Some(Step::Idle));
        };
        let mut events: Vec<_> = entries.into_iter().map(|Queued { event, .. }| event).collect();
        events.truncate(worker.bisection.most(state.refusals));
        if held > 0 {
            // Until it is taken, a bundle stays what it was: its id says so.
            events.truncate(held);
        }
        if let Some(sent) = worker.sent {
            // What the receiver may have got already stays what it was, too.
            events.truncate(sent);
        }
        worker.throttled_until = self.throttle(&plan.endpoint, &mut events);
        if let Some(due) = worker.throttled_until {
            return Ok(Some(Step::Wait(self.moment(due))));
        }
        self.attempt(worker, plan, events, queued_at, state, place).await.map(Some)
    }

    /// Makes one attempt with the first of the events.
    async fn attempt(
        &self,
        worker: &mut Worker,
        mut plan: Arc<Plan>,
        events: Vec<Arc<Event>>,
        queued_at: Timestamp,
        state: QueueState,
        place: Place,
    ) -> Result<Step, StoreError> {
        let bundle = match self.render(&mut plan, &events).await? {
            Ok(bundle) => bundle,
            Err(unsendable) => {
                let reason = unsendable.to_string();
                return self.drop_head(worker, &events[..1], 1, state, reason).await;
            }
        };
        worker.plan = Some(Arc::clone(&plan));
        let count = bundle.events;
        self.take_units(&plan.endpoint, count);
        let sent_before = worker.sent.replace(count);
        let sent = self.send(&plan, Rendered { bundle, events, queued_at }, place).await?;
        let answered = match sent {
            Ok(answered) => answered,
            Err(unable) => {
                worker.sent = sent_before;
                return Ok(self.rest_worker(worker, &plan, count, &unable));
            }
        };
        worker.unable = 0;
        let QueueState { failures, refusals, .. } = state;
        let before = Before { failures, of_bundle: failures, refusals };
        let judged = self.judge(&plan, answered, before, Vec::new());
        self.record(worker, judged, Recorded::No).await
    }

    /// Lets an endpoint rest whose bundle of `count` events could not be sent.
    fn rest_worker(&self, worker: &mut Worker, plan: &Plan, count: usize, unable: &Unable) -> Step {
        self.give_units_back(&plan.endpoint, count, 0);
        let due = self.rest(plan.endpoint.id, unable, worker.unable);
        worker.unable = worker.unable.saturating_add(1);
        worker.throttled_until = Some(due);
        Step::Wait(self.moment(due))
    }

    /// The moment before which the endpoint must not be tried, if that is still to come.
    pub(super) async fn retry_at(
        &self,
        worker: &mut Worker,
        endpoint: &Endpoint,
        state: QueueState,
    ) -> Result<Option<Timestamp>, StoreError> {
        let Some(until) = state.retry_at else { return Ok(None) };
        let due = self.due(&mut worker.waits, endpoint, until, state.failures).await?;
        Ok((due > self.clock.monotonic()).then(|| self.moment(due)))
    }

    /// Records the outcome that is kept, if there is one.
    async fn record_kept(&self, worker: &mut Worker) -> Result<Option<Step>, StoreError> {
        let Some(judged) = worker.unrecorded.take() else { return Ok(None) };
        self.record(worker, judged, Recorded::Maybe).await.map(Some)
    }

    /// Records an outcome and draws its consequences. When the store cannot, the outcome is kept.
    async fn record(
        &self,
        worker: &mut Worker,
        judged: Judged,
        recorded: Recorded,
    ) -> Result<Step, StoreError> {
        let attempt = Arc::clone(&judged.attempt);
        let state = match self.store.record(&worker.lease, attempt, recorded).await {
            Ok(state) => state,
            Err(error) => {
                worker.unrecorded = Some(judged).filter(|_| is_open(&error));
                return Err(error);
            }
        };
        let Judged { attempt, verdict, wait, last } = judged;
        let (count, started_at) = (attempt.events.len(), attempt.started_at);
        wait.into_iter().for_each(|wait| worker.waits.note(wait));
        worker.sent = None;
        worker.hung = hung(attempt.duration) && state.failures > 0;
        worker.bisection.learn(verdict, count);
        if let Some(last) = last {
            let failed = Failed { verdict, started_at, last };
            if self.disabled_by_failure(worker, failed, state).await? {
                return Ok(Step::Disabled);
            }
        }
        let retry_at = wait.map(|wait| self.moment(wait.due));
        Ok(Step::after(verdict, count, state.pending, retry_at))
    }

    /// The head of the queue, enough for a bundle, with the worker's plan made for its endpoint.
    async fn head(&self, worker: &mut Worker) -> Result<Head, StoreError> {
        let asked = worker.limit;
        let head = self.store.head(&worker.lease, asked).await?;
        let known = worker.plan.as_ref().map(|plan| plan.endpoint.revision);
        if known == Some(head.endpoint.revision) {
            return Ok(head);
        }
        worker.limit = render::head_limit(&head.endpoint.settings);
        worker.plan = Some(self.plan(Arc::clone(&head.endpoint)).await?);
        if worker.limit.events > asked.events && head.entries.len() == asked.events {
            return self.store.head(&worker.lease, worker.limit).await;
        }
        Ok(head)
    }

    /// Takes entries that can never be sent off the head of the queue, with a record that says so.
    async fn drop_head(
        &self,
        worker: &Worker,
        events: &[Arc<Event>],
        entries: u32,
        state: QueueState,
        reason: String,
    ) -> Result<Step, StoreError> {
        let Some(plan) = &worker.plan else { return Ok(Step::Idle) };
        let failures = state.failures;
        let unsent = Unsent { events, entries: Vec::new(), count: entries, failures, reason };
        let attempt = self.unsent(plan, unsent);
        let pending = self.store.settle(&worker.lease, attempt).await?.pending;
        Ok(Step::Dropped { entries, pending })
    }
}
