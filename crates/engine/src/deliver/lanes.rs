//! Endpoints that take several bundles at once.
//!
//! The worker of such an endpoint has up to so many requests in flight, each in a task of its own that sends
//! a bundle and records the attempt. The [`Roster`] holds the entries in flight and the entries that wait.
//! The roster can be lost at any moment. It is made anew from the store when its contents may differ from the
//! store's or the endpoint has changed, as soon as no request is in flight any more.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use hookyard_core::model::QueueState;
use hookyard_core::order_key::Key;
use hookyard_store::{HeadLimit, Held, Lease, Queued, Recorded, StoreError, WINDOW, Window};
use jiff::Timestamp;
use tokio::task::{JoinError, JoinSet};

use self::roster::{LaneEntry, LaneId, LaneOutcome, Picked, Roster};
use self::task::{Failures, LaneEnd, LaneTask};
use super::attempt::{Judged, Unsent, is_open};
use super::common::Common;
use super::consequences::Failed;
use super::deliverer::Deliverer;
use super::limits;
use super::plan::Plan;
use super::render::{self, OBJECT_BYTES_MAX};
use super::step::Step;
use super::throttle;

mod roster;
mod task;

/// The longest wait for news before a look at the clock: a bound for unforeseen cases.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// Only the state of the endpoint, and no entry.
const NOTHING: HeadLimit = HeadLimit { events: 0, bytes: 0 };

/// The fewest entries of a read: with bundles of one event a read serves many bundles.
const PAGE: usize = 128;

// A read does not go past the entries that may leave the queue behind its head.
const _: () = assert!(PAGE as u64 <= WINDOW);

/// The requests in flight to one endpoint. Dropping the lanes cuts the requests off.
#[derive(Debug)]
pub(super) struct Lanes {
    roster: Roster,
    /// The place from which entries are not in the roster.
    read_to: u64,
    /// Whether the roster must be made anew.
    stale: bool,
    stopping: bool,
    /// Whether the last request that ended hung and failed.
    hung: bool,
    /// The endpoint's failures in a row, unrecorded failures among them.
    failures: Arc<Failures>,
    requests: JoinSet<LaneEnded>,
    /// Outcomes that the store has not confirmed yet, at most one of a lane. Nothing is sent before the
    /// confirmation.
    unrecorded: VecDeque<(LaneId, Judged)>,
}

impl Default for Lanes {
    fn default() -> Self {
        Self {
            roster: Roster::default(),
            read_to: 0,
            stale: true,
            stopping: false,
            hung: false,
            failures: Arc::default(),
            requests: JoinSet::new(),
            unrecorded: VecDeque::new(),
        }
    }
}

impl Lanes {
    /// Whether requests are in flight or outcomes are not recorded.
    pub(super) fn is_busy(&self) -> bool {
        !self.requests.is_empty() || !self.unrecorded.is_empty()
    }
}

/// The outcome of a lane's bundle; an error when nothing was sent, or nothing is known of the bundle.
#[derive(Debug)]
struct LaneEnded {
    lane: LaneId,
    end: Result<LaneEnd, StoreError>,
}

/// What there is to do after all possible requests are in flight.
enum Next {
    /// To wait for a request to end, or until this monotonic reading.
    Wait(Option<Duration>),
    /// Nothing: no request is in flight.
    Done(Step),
    /// The endpoint takes one bundle at a time now.
    OneByOne,
}

impl Deliverer {
    /// A step of an endpoint that takes several bundles at once; `None` when the endpoint takes one.
    pub(super) async fn step_lanes(
        self: &Arc<Self>,
        common: &mut Common,
        lanes: &mut Lanes,
    ) -> Result<Option<Step>, StoreError> {
        while !lanes.unrecorded.is_empty() {
            if let Some(step) = self.record_kept_of_lanes(common, lanes).await? {
                return Ok(Some(step));
            }
        }
        loop {
            let until = match self.fill(common, lanes).await? {
                Next::Wait(until) => until,
                Next::Done(step) => return Ok(Some(step)),
                Next::OneByOne => return Ok(None),
            };
            if let Some(ended) = self.wait(common, lanes, until).await
                && let Some(step) = self.ended(common, lanes, ended).await?
            {
                return Ok(Some(step));
            }
        }
    }

    /// Has the store record the first of the kept outcomes, if any. Answers the step made so, if any.
    async fn record_kept_of_lanes(
        &self,
        common: &mut Common,
        lanes: &mut Lanes,
    ) -> Result<Option<Step>, StoreError> {
        let Some((lane, judged)) = lanes.unrecorded.pop_front() else { return Ok(None) };
        let end = self.record_of_lane(&common.lease, judged, Recorded::Maybe).await;
        self.ended(common, lanes, LaneEnded { lane, end }).await
    }

    /// Waits for all requests in flight, and has the store record the kept outcomes. Answers the first
    /// failure.
    pub(super) async fn finish_lanes(
        &self,
        common: &mut Common,
        lanes: &mut Lanes,
    ) -> Result<(), StoreError> {
        let mut outcome = Ok(());
        while let Some(ended) = lanes.requests.join_next().await {
            if let Some(ended) = returned(ended) {
                outcome = outcome.and(self.ended(common, lanes, ended).await.map(drop));
            }
        }
        while !lanes.unrecorded.is_empty() {
            outcome = self.record_kept_of_lanes(common, lanes).await.map(drop);
            if outcome.is_err() {
                break;
            }
        }
        outcome
    }

    /// Waits for a request to end, but no longer than until something else may have to be done.
    async fn wait(
        &self,
        common: &Common,
        lanes: &mut Lanes,
        until: Option<Duration>,
    ) -> Option<LaneEnded> {
        let left = until.map(|until| until.saturating_sub(self.clock.monotonic()));
        let left = left.unwrap_or(LONGEST_WAIT);
        tokio::select! {
            biased;
            Some(ended) = lanes.requests.join_next() => returned(ended),
            () = common.wake.notified() => None,
            () = tokio::time::sleep(left.min(LONGEST_WAIT)) => None,
        }
    }

    /// Starts as many requests as may be in flight.
    async fn fill(
        self: &Arc<Self>,
        common: &mut Common,
        lanes: &mut Lanes,
    ) -> Result<Next, StoreError> {
        let idle = lanes.requests.is_empty();
        if lanes.stopping {
            return Ok(if idle { Next::Done(Step::Stopping) } else { Next::Wait(None) });
        }
        let window = self.store.window(&common.lease, lanes.read_to, NOTHING).await?;
        let known = common.plan_of(window.endpoint.revision);
        let disabled = window.endpoint.settings.disabled;
        let anew = known.is_none() || lanes.stale || disabled;
        if anew && !idle {
            return Ok(Next::Wait(None));
        }
        let plan = match known {
            Some(plan) => plan,
            None => self.plan(Arc::clone(&window.endpoint)).await?,
        };
        common.plan = Some(Arc::clone(&plan));
        if disabled {
            self.tell_disabled(&window.endpoint, &mut common.told, window.state).await;
            return Ok(Next::Done(Step::Disabled));
        }
        if anew && let Some(next) = self.make_roster(common, lanes, &plan).await? {
            return Ok(next);
        }
        let Window { state, end, .. } = window;
        let mut filling = Filling { plan, lanes, lease: common.lease, state, end, throttled: None };
        if let Some(step) = self.start(&mut filling).await? {
            return Ok(Next::Done(step));
        }
        Ok(filling.next(|due| self.moment(due)))
    }

    /// Makes the roster from the store. Answers the next action to take instead, if any.
    async fn make_roster(
        &self,
        common: &mut Common,
        lanes: &mut Lanes,
        plan: &Plan,
    ) -> Result<Option<Next>, StoreError> {
        if plan.concurrency().is_none() {
            return Ok(Some(Next::OneByOne));
        }
        lanes.stale = true;
        let (mut entries, mut read_to) = (Vec::new(), 0);
        let (held, failures) = loop {
            let window = self.store.window(&common.lease, read_to, page(plan)).await?;
            let Window { entries: queued, missing, held, until, end, .. } = window;
            if !missing.is_empty() {
                let step = self.pass_over(plan, common.lease, missing, window.state).await?;
                return Ok(Some(Next::Done(step)));
            }
            entries.extend(queued.iter().map(|queued| entry(plan, queued)));
            read_to = until;
            let last = held.iter().filter_map(|held: &Held| held.entries.last()).max();
            if until >= end || last.is_none_or(|last| *last < until) {
                break (held, window.state.failures);
            }
        };
        let mut dues = Vec::with_capacity(held.len());
        for held in held {
            let due = match held.retry_at {
                Some(until) => {
                    let waits = &mut common.waits;
                    Some(self.due(waits, &plan.endpoint, until, held.failures).await?)
                }
                None => None,
            };
            dues.push((held, due));
        }
        lanes.roster = Roster::new(entries, &dues);
        *lanes.failures.lock() = failures;
        lanes.read_to = read_to;
        lanes.stale = false;
        Ok(None)
    }

    /// Starts requests until no more may be in flight, or nothing is left to send now. Answers the step done
    /// instead, if any.
    async fn start(
        self: &Arc<Self>,
        filling: &mut Filling<'_>,
    ) -> Result<Option<Step>, StoreError> {
        let limit = render::head_limit(&filling.plan.endpoint.settings);
        let now = self.clock.monotonic();
        while filling.has_room() {
            let lane = match filling.lane(limit, now) {
                Picked::Lane(lane) => lane,
                Picked::Nothing => break,
                Picked::Short => match self.read_on(filling).await? {
                    Some(step) => return Ok(Some(step)),
                    None => continue,
                },
            };
            if !self.spawn(filling, lane) {
                break;
            }
        }
        Ok(None)
    }

    /// Reads more entries into the roster. Answers the step done besides, if any.
    async fn read_on(&self, filling: &mut Filling<'_>) -> Result<Option<Step>, StoreError> {
        let Filling { plan, lanes, lease, .. } = filling;
        let window = self.store.window(lease, lanes.read_to, page(plan)).await?;
        lanes.roster.add(window.entries.iter().map(|queued| entry(plan, queued)));
        lanes.read_to = window.until;
        (filling.state, filling.end) = (window.state, window.end);
        if window.missing.is_empty() {
            return Ok(None);
        }
        // These entries lie behind the entries read: unless passed over now, only a new roster has them.
        lanes.stale = true;
        let step = self.pass_over(plan, *lease, window.missing, window.state).await?;
        lanes.stale = false;
        Ok(Some(step))
    }

    /// Starts a request with the next bundle of a lane; whether the endpoint's rate limit lets the
    /// bundle through.
    fn spawn(self: &Arc<Self>, filling: &mut Filling<'_>, lane: LaneId) -> bool {
        let endpoint = &filling.plan.endpoint;
        let roster = &mut filling.lanes.roster;
        let mut events = roster.next_bundle(lane);
        if let Some(limit) = &endpoint.settings.options.rate_limit {
            events = events.min(throttle::events_max(limit));
            filling.throttled = self.throttled_for(endpoint, events);
            if filling.throttled.is_some() {
                roster.rest(lane);
                return false;
            }
        }
        // Counted now, and not at the sending: the limit decides about the next bundle before.
        self.take_units(endpoint, events);
        let task = LaneTask {
            plan: Arc::clone(&filling.plan),
            lease: filling.lease,
            bundle: roster.begin(lane, events),
            failures: Arc::clone(&filling.lanes.failures),
            hung: filling.lanes.hung && filling.state.failures > 0,
        };
        let deliverer = Arc::clone(self);
        filling.lanes.requests.spawn(async move {
            let end = deliverer.run(task).await;
            LaneEnded { lane, end }
        });
        true
    }

    /// Takes entries whose events are gone out of the queue, and records the reason.
    async fn pass_over(
        &self,
        plan: &Plan,
        lease: Lease,
        missing: Vec<u64>,
        state: QueueState,
    ) -> Result<Step, StoreError> {
        let entries = u32::try_from(missing.len()).unwrap_or(u32::MAX);
        let reason = format!("{entries} queued events are not in the journal any more");
        let failures = state.failures;
        let unsent = Unsent { events: &[], entries: missing, count: entries, failures, reason };
        let pending = self.store.settle(&lease, self.unsent(plan, unsent)).await?.pending;
        Ok(Step::Dropped { entries, pending })
    }

    /// Takes in the outcome of a bundle. Answers the step made so, if any.
    async fn ended(
        &self,
        common: &mut Common,
        lanes: &mut Lanes,
        LaneEnded { lane, end }: LaneEnded,
    ) -> Result<Option<Step>, StoreError> {
        match end {
            Err(error) => {
                lanes.roster.repeat(lane);
                lanes.stale |= !is_open(&error);
                Err(error)
            }
            Ok(LaneEnd::Unrecorded { judged, error }) => {
                lanes.unrecorded.push_back((lane, judged));
                Err(error)
            }
            Ok(LaneEnd::MaybeUnsent(error)) => {
                lanes.stale = true;
                Err(error)
            }
            Ok(LaneEnd::Stopping) => {
                lanes.stopping = true;
                Ok(None)
            }
            Ok(LaneEnd::Outdated) => {
                lanes.stale = true;
                Ok(None)
            }
            Ok(LaneEnd::Unable(unable)) => {
                let in_a_row = lanes.roster.unable(lane);
                lanes.roster.wait(lane, self.rest(common.lease.endpoint, &unable, in_a_row));
                Ok(None)
            }
            Ok(LaneEnd::Unsent { pending }) => {
                lanes.roster.unsent(lane);
                Ok(Some(Step::Dropped { entries: 1, pending }))
            }
            Ok(LaneEnd::Settled { judged: Judged { attempt, verdict, wait, last }, state }) => {
                let (events, refusals) = (attempt.events.len(), attempt.refusals);
                wait.into_iter().for_each(|wait| common.waits.note(wait));
                let retry_at = wait.map(|wait| wait.due);
                let outcome = LaneOutcome { verdict, events, refusals, retry_at };
                lanes.roster.settle(lane, outcome);
                lanes.hung = limits::hung(attempt.duration) && state.failures > 0;
                // The store may not count entries queued during the recording, and such entries may be in
                // flight by now.
                let pending = state.pending.max(lanes.roster.known() as u64);
                if let Some(last) = last {
                    let failed = Failed { verdict, started_at: attempt.started_at, last };
                    if self.disabled_by_failure(common, failed, state).await? {
                        return Ok(None);
                    }
                }
                let retry_at = retry_at.map(|due| self.moment(due));
                Ok(Some(Step::after(verdict, events, pending, retry_at)))
            }
        }
    }
}

/// The requests of an endpoint while more are started.
struct Filling<'a> {
    plan: Arc<Plan>,
    lanes: &'a mut Lanes,
    lease: Lease,
    state: QueueState,
    /// The place after the last one that may be read.
    end: u64,
    /// Until when the endpoint's rate limit lets nothing through, as a monotonic reading.
    throttled: Option<Duration>,
}

impl Filling<'_> {
    fn bundles(&self) -> usize {
        let bundles = self.plan.concurrency().map_or(1, |concurrency| concurrency.bundles);
        usize::try_from(bundles).unwrap_or(usize::MAX)
    }

    /// Whether one more request may be in flight. After a failure of the receiver only one request is in
    /// flight, until the receiver takes a bundle.
    fn has_room(&self) -> bool {
        let most = if self.state.failures > 0 { 1 } else { self.bundles() };
        self.lanes.roster.in_flight() < most
    }

    /// The next lane to send: a lane that is due, or a new lane.
    fn lane(&mut self, limit: HeadLimit, now: Duration) -> Picked {
        let (bundles, more) = (self.bundles(), self.lanes.read_to < self.end);
        let roster = &mut self.lanes.roster;
        match roster.due(now) {
            Some(lane) => Picked::Lane(lane),
            None if roster.lanes() >= bundles => Picked::Nothing,
            None => roster.pick(limit, more),
        }
    }

    /// What there is to do now. `moment` is what the wall clock shows at a monotonic reading.
    fn next(self, moment: impl Fn(Duration) -> Timestamp) -> Next {
        let retry_at = self.lanes.roster.next_retry();
        let until = if self.has_room() { self.throttled.or(retry_at) } else { None };
        if !self.lanes.requests.is_empty() {
            return Next::Wait(until);
        }
        match until {
            Some(until) if self.state.pending > 0 => Next::Done(Step::Wait(moment(until))),
            _ => Next::Done(Step::Idle),
        }
    }
}

fn entry(plan: &Plan, queued: &Queued) -> LaneEntry {
    let Queued { place, event, queued_at } = queued;
    let key = plan.concurrency().map(|concurrency| concurrency.order_key.key_of(&event.object));
    LaneEntry {
        place: *place,
        seq: event.seq,
        key: key.unwrap_or(Key::NONE),
        bytes: event.object.len(),
        queued_at: *queued_at,
    }
}

/// How much to read at once.
fn page(plan: &Plan) -> HeadLimit {
    let events = render::events_max(&plan.endpoint.settings).max(PAGE);
    HeadLimit { events, bytes: OBJECT_BYTES_MAX }
}

/// The result of a task. A crashed task would hold its lane for good, and nobody would notice; so the crash
/// goes on up.
fn returned(ended: Result<LaneEnded, JoinError>) -> Option<LaneEnded> {
    match ended {
        Ok(ended) => Some(ended),
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_cancelled) => None,
        },
    }
}
