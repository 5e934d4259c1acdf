//! One step of one endpoint: head, render, send, settle.

use std::sync::Arc;
use std::time::Duration;

use hookyard_core::clock::Clock;
use hookyard_core::entropy::Entropy;
use hookyard_core::id::{RequestId, WorkspaceId};
use hookyard_core::model::{Endpoint, Event, Header, NewAttempt, Outcome, QueueState};
use hookyard_store::{Head, HeadLimit, Lease, Queued, SharedStore, StoreError};
use http::HeaderMap;
use jiff::Timestamp;

use super::Options;
use super::consequences::{Settled, settled};
use super::limits::{Limits, Place, Stopping};
use super::render::{self, Bundle, Renderer, Unsendable};
use super::request::{Message, Target, message_id};
use super::throttle::Throttle;
use super::trace::Trace;
use super::transport::{Answer, Transport};
use super::verdict::{Bisection, Verdict, verdict};
use super::warn::Told;
use crate::Engine;

/// How much of an answer's body, and of its headers, the log keeps, in characters (UltraCart spec
/// section 2.3).
const LOGGED_CHARACTERS_MAX: usize = 100_000;

/// A lease is renewed when less than this is left of it: an attempt takes up to 30 seconds, and
/// settling it must still be inside.
const LEASE_MARGIN: Duration = Duration::from_secs(45);

/// Delivers for all endpoints. Which endpoint, and when, is up to the caller.
pub struct Deliverer {
    pub(super) engine: Engine,
    pub(super) store: SharedStore,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) entropy: Arc<dyn Entropy>,
    transport: Arc<dyn Transport>,
    pub(super) options: Options,
    pub(super) limits: Limits,
    pub(super) throttle: Throttle,
}

/// The right to work on one endpoint, with what was worked out about it so far.
#[derive(Debug)]
pub struct Worker {
    pub(super) lease: Lease,
    pub(super) plan: Option<Plan>,
    limit: HeadLimit,
    /// Whether the last attempt failed.
    suspect: bool,
    /// Where the event is that the receiver refuses.
    bisection: Bisection,
    /// What was told about the endpoint.
    pub(super) told: Told,
    /// Until when the endpoint's rate limit lets nothing through.
    pub(super) throttled_until: Option<Timestamp>,
}

/// What follows from an endpoint's settings at one revision.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) endpoint: Arc<Endpoint>,
    renderer: Renderer,
    target: Result<Target, String>,
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
    /// The receiver did not take the bundle; it stays at the head until this moment.
    Failed(Timestamp),
    /// Entries that can never be sent left the head of the queue.
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

impl Worker {
    /// A worker for the endpoint of a lease.
    pub fn new(lease: Lease) -> Self {
        Self {
            lease,
            plan: None,
            limit: render::first_head_limit(),
            suspect: false,
            bisection: Bisection::default(),
            told: Told::default(),
            throttled_until: None,
        }
    }

    /// The lease.
    pub fn lease(&self) -> Lease {
        self.lease
    }

    /// When the lease must be renewed; `None` when it lasts.
    pub(super) fn renewal(&self) -> Option<Timestamp> {
        let until = self.lease.until?;
        Some(until.checked_sub(LEASE_MARGIN).unwrap_or(Timestamp::MIN))
    }

    /// The endpoint's workspace, once a step has seen the endpoint.
    pub(super) fn workspace(&self) -> Option<WorkspaceId> {
        self.plan.as_ref().map(|plan| plan.endpoint.workspace)
    }
}

/// A bundle of the head of a queue, ready to be sent.
struct Rendered<'a> {
    plan: &'a Plan,
    bundle: Bundle,
    events: Vec<Arc<Event>>,
    queued_at: Timestamp,
    missing: u32,
    state: QueueState,
}

/// A bundle that was sent.
struct Sent {
    attempt: NewAttempt,
    verdict: Verdict,
    /// How many events it had.
    events: usize,
    /// How it ended, where that may have consequences for the endpoint.
    last: Option<Outcome>,
}

impl Deliverer {
    /// A deliverer over the engine's store.
    pub fn new(engine: &Engine, transport: Arc<dyn Transport>, options: Options) -> Self {
        Self {
            engine: engine.clone(),
            store: Arc::clone(engine.store()),
            clock: Arc::clone(engine.clock()),
            entropy: Arc::clone(engine.entropy()),
            transport,
            options,
            limits: Limits::new(),
            throttle: Throttle::default(),
        }
    }

    /// Does the next thing there is to do for the endpoint: at most one request. When the store
    /// fails, what it knows is unknown here; the next step starts from its head again, so a bundle
    /// whose attempt was not recorded is sent once more.
    pub async fn step(&self, worker: &mut Worker) -> Result<Step, StoreError> {
        let place = match self.limits.place(worker.suspect).await {
            Ok(place) => place,
            Err(Stopping) => return Ok(Step::Stopping),
        };
        if !self.keep(worker).await? {
            return Ok(Step::Gone);
        }
        match self.deliver(worker, place).await {
            Err(StoreError::LeaseLost | StoreError::NotFound(_)) => Ok(Step::Gone),
            done => done,
        }
    }

    /// Renews the lease if it is time to; whether it is still held.
    pub(super) async fn keep(&self, worker: &mut Worker) -> Result<bool, StoreError> {
        if worker.renewal().is_none_or(|renewal| renewal > self.clock.now()) {
            return Ok(true);
        }
        match self.store.renew(&worker.lease).await {
            Ok(lease) => {
                worker.lease = lease;
                Ok(true)
            }
            Err(StoreError::LeaseLost | StoreError::NotFound(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn deliver(&self, worker: &mut Worker, place: Place) -> Result<Step, StoreError> {
        let head = self.head(worker).await?;
        let Head { endpoint: _, state, entries, missing } = head;
        worker.suspect = state.failures > 0;
        let Some(plan) = &mut worker.plan else { return Ok(Step::Idle) };
        if plan.endpoint.settings.disabled {
            self.tell_disabled(&plan.endpoint, &mut worker.told, state).await;
            return Ok(Step::Disabled);
        }
        if entries.is_empty() && missing == 0 {
            return Ok(Step::Idle);
        }
        if let Some(until) = state.retry_at.filter(|until| *until > self.clock.now()) {
            return Ok(Step::Wait(until));
        }
        let Some(queued_at) = entries.first().map(|entry| entry.queued_at) else {
            let reason = format!("{missing} queued events are not in the journal any more");
            return self.drop_head(worker, &[], missing, state, reason).await;
        };
        let mut events: Vec<_> = entries.into_iter().map(|Queued { event, .. }| event).collect();
        events.truncate(worker.bisection.most(state));
        worker.throttled_until = self.throttle(&plan.endpoint, &mut events);
        if let Some(until) = worker.throttled_until {
            return Ok(Step::Wait(until));
        }
        let bundle = match self.render(plan, &events).await? {
            Ok(bundle) => bundle,
            Err(unsendable) => {
                let reason = unsendable.to_string();
                return self.drop_head(worker, &events[..1], missing + 1, state, reason).await;
            }
        };
        let rendered = Rendered { plan, bundle, events, queued_at, missing, state };
        let Sent { attempt, verdict, events, last } = self.attempt(rendered, place).await;
        let (retry_at, entries) = (attempt.retry_at, attempt.advance);
        let state = self.store.settle(&worker.lease, attempt).await?;
        worker.suspect = state.failures > 0;
        worker.bisection.learn(verdict, events);
        let pending = state.pending;
        if verdict == Verdict::Park {
            tracing::warn!(endpoint = %worker.lease.endpoint, "an event became a dead letter");
        }
        if let Some(last) = last
            && self.disabled_by_failure(worker, verdict, state, last).await?
        {
            return Ok(Step::Disabled);
        }
        Ok(match (verdict, retry_at) {
            (Verdict::Taken, _) => Step::Sent { events, pending },
            (Verdict::Drop, _) => Step::Dropped { entries, pending },
            (Verdict::Park, _) => Step::Parked { pending },
            (_, Some(retry_at)) => Step::Failed(retry_at),
            (_, None) => Step::Halved,
        })
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

    async fn plan(&self, endpoint: Arc<Endpoint>) -> Result<Plan, StoreError> {
        let catalogue = self.store.catalogue(endpoint.workspace).await?;
        let api_user = self.options.api_user.as_ref();
        let api_user = api_user.filter(|(workspace, _)| *workspace == endpoint.workspace);
        let target = Target::new(endpoint.id, &endpoint.settings, api_user.map(|(_, user)| user));
        Ok(Plan { renderer: Renderer::new(catalogue, Arc::clone(&endpoint)), target, endpoint })
    }

    /// Renders with the plan's catalogue or, when that is too old to know a type, with the newest.
    async fn render(
        &self,
        plan: &mut Plan,
        events: &[Arc<Event>],
    ) -> Result<Result<Bundle, Unsendable>, StoreError> {
        let rendered = plan.renderer.bundle(events);
        if rendered != Err(Unsendable::UnknownType) {
            return Ok(rendered);
        }
        *plan = self.plan(Arc::clone(&plan.endpoint)).await?;
        Ok(plan.renderer.bundle(events))
    }

    /// Sends the bundle.
    async fn attempt(&self, rendered: Rendered<'_>, place: Place) -> Sent {
        let Rendered { plan, bundle, events, queued_at, missing, state } = rendered;
        let Bundle { body, events: count, event_types, order_ids } = bundle;
        let seqs: Vec<_> = events.iter().take(count).map(|event| event.seq).collect();
        let trace = Trace::of(&events[..count]);
        // The objects are not needed any more, and the request may take its time.
        drop(events);
        let started_at = self.clock.now();
        let request_id = RequestId::new(&*self.entropy, started_at);
        let started = self.clock.monotonic();
        let (body, in_flight) = place.with_body(body);
        let id = message_id(plan.endpoint.id, &seqs, queued_at);
        let message = Message { request_id: &request_id, id: &id, at: started_at, trace, body };
        let (logged, answer) = match &plan.target {
            Ok(target) => {
                let outgoing = target.request(message);
                (outgoing.logged_headers(), self.transport.send(outgoing).await)
            }
            Err(reason) => (Vec::new(), Err(reason.clone())),
        };
        let duration = self.clock.monotonic().saturating_sub(started);
        drop(in_flight);
        let options = &plan.endpoint.settings.options;
        if let Some(limit) = &options.rate_limit {
            self.throttle.take(plan.endpoint.id, limit, count, started);
        }
        let status = answer.as_ref().ok().map(|answer| answer.status);
        let verdict = verdict(status, count, state, &options.retry);
        let Settled { advance, failures, refusals } = settled(verdict, state, missing, count);
        let attempt = NewAttempt {
            revision: plan.endpoint.revision,
            started_at,
            duration,
            queue_delay: since(queued_at, started_at),
            events: seqs,
            event_types,
            order_ids,
            advance,
            park: verdict == Verdict::Park,
            retry_at: self.retry_at(verdict, failures, refusals, &answer),
            failures,
            refusals,
            url: plan.endpoint.settings.url.clone(),
            request_headers: logged,
            request_id,
            outcome: outcome(answer),
        };
        tracing::debug!(
            endpoint = %plan.endpoint.id,
            request_id = %attempt.request_id,
            status = attempt.outcome.status,
            error = attempt.outcome.error,
            events = count,
            duration_ms = duration.as_millis(),
            "attempt"
        );
        let last = match verdict {
            Verdict::Taken | Verdict::Drop | Verdict::Halve => None,
            _ => {
                let Outcome { status, error, .. } = &attempt.outcome;
                let (status, error) = (*status, error.clone());
                Some(Outcome { status, error, ..Outcome::default() })
            }
        };
        Sent { attempt, verdict, events: count, last }
    }

    /// Takes entries that can never be sent off the head of the queue, with a record that says so.
    /// An event that is there is parked.
    /// The receiver is not at fault: its failures stay what they are.
    async fn drop_head(
        &self,
        worker: &Worker,
        events: &[Arc<Event>],
        entries: u32,
        state: QueueState,
        reason: String,
    ) -> Result<Step, StoreError> {
        let Some(plan) = &worker.plan else { return Ok(Step::Idle) };
        let now = self.clock.now();
        let request_id = RequestId::new(&*self.entropy, now);
        let (event_types, order_ids) = render::contents(events);
        let queued_at = events.first().map_or(now, |event| event.accepted_at);
        tracing::warn!(endpoint = %plan.endpoint.id, %request_id, entries, reason, "dropped");
        let attempt = NewAttempt {
            revision: plan.endpoint.revision,
            started_at: now,
            duration: Duration::ZERO,
            queue_delay: since(queued_at, now),
            events: events.iter().map(|event| event.seq).collect(),
            event_types,
            order_ids,
            advance: entries,
            // What is not in the journal any more cannot be kept for anybody.
            park: !events.is_empty(),
            retry_at: None,
            failures: state.failures,
            refusals: 0,
            url: plan.endpoint.settings.url.clone(),
            request_headers: Vec::new(),
            request_id,
            outcome: Outcome { error: Some(reason), ..Outcome::default() },
        };
        let pending = self.store.settle(&worker.lease, attempt).await?.pending;
        Ok(Step::Dropped { entries, pending })
    }
}

fn since(earlier: Timestamp, later: Timestamp) -> Duration {
    Duration::try_from(later.duration_since(earlier)).unwrap_or_default()
}

fn outcome(answer: Result<Answer, String>) -> Outcome {
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => return Outcome { error: Some(error), ..Outcome::default() },
    };
    let error = match answer.status {
        200..300 => None,
        status @ 300..400 => {
            Some(format!("the receiver answered {status}, and redirects are not followed"))
        }
        status => Some(format!("the receiver answered {status}")),
    };
    Outcome {
        status: Some(answer.status),
        response_headers: logged_headers(&answer.headers),
        response: Some(cut(&answer.body)),
        error,
    }
}

/// The headers of an answer, as many as the log keeps.
fn logged_headers(headers: &HeaderMap) -> Vec<Header> {
    let mut room = LOGGED_CHARACTERS_MAX;
    let mut logged = Vec::with_capacity(headers.len());
    for (name, value) in headers {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        let Some(left) = room.checked_sub(name.as_str().len() + value.len()) else { break };
        room = left;
        logged.push(Header { name: name.as_str().to_owned(), value });
    }
    logged
}

/// The first characters of a body; what is not UTF-8 is replaced.
fn cut(body: &[u8]) -> String {
    let mut text = String::from_utf8_lossy(body).into_owned();
    if let Some((end, _)) = text.char_indices().nth(LOGGED_CHARACTERS_MAX) {
        text.truncate(end);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_cut_at_characters() {
        assert_eq!(cut("é".repeat(100_001).as_bytes()), "é".repeat(100_000));
        assert_eq!(cut(b"a\xFFb"), "a\u{FFFD}b");
    }

    #[test]
    fn many_headers_are_cut() {
        let mut headers = HeaderMap::new();
        for index in 0..30 {
            let name = http::HeaderName::try_from(format!("h{index:02}")).unwrap();
            headers.insert(name, "v".repeat(4_997).parse().unwrap());
        }
        assert_eq!(logged_headers(&headers).len(), 20);
    }
}
