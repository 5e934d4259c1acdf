//! The choice of the endpoint to work on, and of the moment.
//!
//! One task ([`Loop`]) hears of endpoints that may have something to do and keeps the times of the next
//! tries. Each endpoint with work has a task of its own, which steps until the queue is empty or has to wait.
//! The lease is claimed when the work starts, kept while the endpoint waits for its next try, and given back
//! when there is nothing to do.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use hookyard_core::id::EndpointId;
use hookyard_store::{Lease, StoreError};
use jiff::Timestamp;
use tokio::sync::{Notify, oneshot};
use tokio::task::{JoinError, JoinHandle, JoinSet};

use super::deliverer::Deliverer;
use super::step::Step;
use super::worker::Worker;

/// The longest sleep between two looks at the clock: a bound for unforeseen cases.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);

/// The wait after the first failure of the store, doubled with each further failure.
const STORE_WAIT: Duration = Duration::from_secs(1);

/// How often the wait doubles: up to 32 seconds, so that delivery resumes soon after a long outage.
const STORE_WAIT_DOUBLINGS: u32 = 5;

/// Delivers until dropped.
///
/// Dropping a dispatcher stops delivery at once: bundles in flight are sent again after the next start.
pub struct Dispatcher {
    stop: Option<oneshot::Sender<()>>,
    main: JoinHandle<()>,
    deliverer: Arc<Deliverer>,
}

impl Dispatcher {
    /// Starts delivering, on the current runtime.
    pub fn start(deliverer: Arc<Deliverer>) -> Self {
        let (stop, stopped) = oneshot::channel();
        let main = tokio::spawn(Loop::new(Arc::clone(&deliverer)).run(stopped));
        Self { stop: Some(stop), main, deliverer }
    }

    /// Waits until delivery has ended although nobody asked: a fault of ours, after which nothing is
    /// delivered any more.
    pub async fn failed(&mut self) {
        if let Err(error) = (&mut self.main).await {
            tracing::error!(%error, "delivery has failed");
        }
    }

    /// Starts nothing more and waits for the requests in flight, at most until the deadline. Requests that
    /// are cut off are sent again after the next start. Answers whether all came to their end.
    pub async fn shutdown(mut self, deadline: Duration) -> bool {
        self.deliverer.limits.close();
        self.stop = None;
        tokio::time::timeout(deadline, &mut self.main).await.is_ok()
    }
}

impl Drop for Dispatcher {
    fn drop(&mut self) {
        self.main.abort();
    }
}

/// What an endpoint's task came to.
struct TurnEnd {
    endpoint: EndpointId,
    /// The wait; `None` when there is nothing to do and the lease was given back.
    asleep: Option<Asleep>,
}

/// An endpoint to look at again at a moment, or when something happens to the endpoint.
struct Asleep {
    /// When to look again, as a monotonic reading: the wall clock may be set meanwhile.
    due: Duration,
    /// The worker to go on with; `None` when the endpoint could not be claimed.
    worker: Option<Worker>,
    /// How often the store has failed in a row.
    store_failures: u32,
}

/// An endpoint that has a task.
#[derive(Default)]
struct Running {
    /// Whether something happened to the endpoint since the task started.
    again: bool,
    /// Tells the task of news: the task may be waiting for a receiver, and another bundle may go out.
    wake: Arc<Notify>,
}

struct Loop {
    deliverer: Arc<Deliverer>,
    tasks: JoinSet<TurnEnd>,
    /// The endpoints with a task. Here and below an endpoint has one entry at most, so the maps are bounded
    /// by the endpoints, which quotas bound; requests and bodies have shares (`limits`).
    running: HashMap<EndpointId, Running>,
    asleep: HashMap<EndpointId, Asleep>,
    /// The same endpoints by time.
    times: BTreeSet<(Duration, EndpointId)>,
}

impl Loop {
    fn new(deliverer: Arc<Deliverer>) -> Self {
        Self {
            deliverer,
            tasks: JoinSet::new(),
            running: HashMap::new(),
            asleep: HashMap::new(),
            times: BTreeSet::new(),
        }
    }

    async fn run(mut self, mut stopped: oneshot::Receiver<()>) {
        let ready = self.deliverer.store.ready();
        loop {
            let sleep = self.sleep();
            tokio::select! {
                biased;
                // The sender is dropped, never used.
                _ = &mut stopped => break,
                Some(ended) = self.tasks.join_next() => self.ended(ended),
                () = tokio::time::sleep(sleep) => self.wake_due(),
                marked = ready.next() => for endpoint in marked {
                    self.look_at(endpoint);
                },
            }
        }
        self.drain().await;
    }

    /// How long until the first of the sleepers is due.
    fn sleep(&self) -> Duration {
        let Some((first, _)) = self.times.first() else { return LONGEST_SLEEP };
        first.saturating_sub(self.deliverer.clock.monotonic()).min(LONGEST_SLEEP)
    }

    fn wake_due(&mut self) {
        let now = self.deliverer.clock.monotonic();
        while let Some((due, endpoint)) = self.times.first().copied()
            && due <= now
        {
            self.start(endpoint);
        }
    }

    /// Something has happened to the endpoint: starts its task, or has a running task start again.
    fn look_at(&mut self, endpoint: EndpointId) {
        if let Some(running) = self.running.get_mut(&endpoint) {
            running.again = true;
            running.wake.notify_one();
            return;
        }
        // No event mends the store. The endpoint is looked at when the wait for the store is over.
        if self.asleep.get(&endpoint).is_none_or(|asleep| asleep.store_failures == 0) {
            self.start(endpoint);
        }
    }

    /// Starts the task of an endpoint that has none.
    fn start(&mut self, endpoint: EndpointId) {
        let asleep = self.asleep.remove(&endpoint);
        if let Some(asleep) = &asleep {
            self.times.remove(&(asleep.due, endpoint));
        }
        let running = Running::default();
        let wake = Arc::clone(&running.wake);
        self.running.insert(endpoint, running);
        self.tasks.spawn(work(Arc::clone(&self.deliverer), endpoint, asleep, wake));
    }

    fn ended(&mut self, ended: Result<TurnEnd, JoinError>) {
        let TurnEnd { endpoint, asleep } = match ended {
            Ok(ended) => ended,
            // An endpoint whose task crashed would never be worked on again, and nobody would notice. So the
            // crash goes on up, to the caller of `Dispatcher::failed`.
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_cancelled) => return,
            },
        };
        let again = self.running.remove(&endpoint).is_some_and(|running| running.again);
        if let Some(asleep) = asleep {
            self.times.insert((asleep.due, endpoint));
            self.asleep.insert(endpoint, asleep);
        }
        if again {
            self.look_at(endpoint);
        }
    }

    /// Waits for the tasks, which end with their current step. Gives the leases back once the requests in
    /// flight have ended and are recorded.
    async fn drain(mut self) {
        while let Some(ended) = self.tasks.join_next().await {
            if let Ok(TurnEnd { endpoint, asleep: Some(asleep) }) = ended {
                self.asleep.insert(endpoint, asleep);
            }
        }
        let mut ends = JoinSet::new();
        for mut worker in self.asleep.into_values().filter_map(|asleep| asleep.worker) {
            let deliverer = Arc::clone(&self.deliverer);
            ends.spawn(async move {
                deliverer.finish(&mut worker).await;
                release(&deliverer, worker.lease()).await;
            });
        }
        while ends.join_next().await.is_some() {}
    }
}

/// Works on an endpoint until there is nothing to do now.
async fn work(
    deliverer: Arc<Deliverer>,
    endpoint: EndpointId,
    asleep: Option<Asleep>,
    wake: Arc<Notify>,
) -> TurnEnd {
    let mut turn = Turn::new(&deliverer, endpoint, asleep, wake);
    let asleep = match turn.run().await {
        Ok(asleep) => asleep,
        Err(error) => {
            let wait = STORE_WAIT * (1 << turn.store_failures.min(STORE_WAIT_DOUBLINGS));
            tracing::warn!(%endpoint, %error, wait_ms = wait.as_millis(), "the store failed");
            let due = deliverer.clock.monotonic().saturating_add(wait);
            let store_failures = turn.store_failures.saturating_add(1);
            Some(Asleep { due, worker: turn.worker, store_failures })
        }
    };
    TurnEnd { endpoint, asleep }
}

/// The work on one endpoint from a wake-up to the next wait.
struct Turn<'a> {
    deliverer: &'a Arc<Deliverer>,
    endpoint: EndpointId,
    worker: Option<Worker>,
    /// Told when something happens to the endpoint.
    wake: Arc<Notify>,
    /// Whether the endpoint was waiting for its next try.
    waiting: bool,
    store_failures: u32,
}

impl<'a> Turn<'a> {
    fn new(
        deliverer: &'a Arc<Deliverer>,
        endpoint: EndpointId,
        asleep: Option<Asleep>,
        wake: Arc<Notify>,
    ) -> Self {
        let waiting = asleep.is_some();
        let (worker, store_failures) =
            asleep.map_or((None, 0), |asleep| (asleep.worker, asleep.store_failures));
        Self { deliverer, endpoint, worker, wake, waiting, store_failures }
    }

    async fn run(&mut self) -> Result<Option<Asleep>, StoreError> {
        if self.worker.is_none() {
            let Some(lease) = self.deliverer.store.claim(self.endpoint).await? else {
                return Ok(None);
            };
            self.worker = Some(Worker::new(lease));
        }
        let Some(worker) = &mut self.worker else { return Ok(None) };
        worker.listen(&self.wake);
        if self.waiting
            && let Some(until) = self.deliverer.rests_until(worker).await?
        {
            return Ok(self.sleep(until));
        }
        loop {
            let step = self.deliverer.step(worker).await?;
            self.store_failures = 0;
            match step {
                Step::Sent { pending: 1.., .. }
                | Step::Dropped { pending: 1.., .. }
                | Step::Parked { pending: 1.. }
                | Step::Halved => {}
                // Only this bundle waits.
                Step::Failed(_) if !worker.is_one_by_one() => {}
                Step::Failed(until) | Step::Wait(until) => return Ok(self.sleep(until)),
                Step::Gone => return Ok(None),
                // Whatever the queue is said to hold, the requests in flight hold something.
                _ if worker.is_busy() => {}
                Step::Idle
                | Step::Disabled
                | Step::Stopping
                | Step::Sent { .. }
                | Step::Dropped { .. }
                | Step::Parked { .. } => {
                    release(self.deliverer, worker.lease()).await;
                    return Ok(None);
                }
            }
        }
    }

    /// Sleeps until then. The lease is kept.
    fn sleep(&mut self, until: Timestamp) -> Option<Asleep> {
        let worker = self.worker.take()?;
        let clock = &self.deliverer.clock;
        let wait = Duration::try_from(until.duration_since(clock.now())).unwrap_or_default();
        let due = clock.monotonic().saturating_add(wait);
        Some(Asleep { due, worker: Some(worker), store_failures: 0 })
    }
}

/// Gives the endpoint back. A lease that could not be given back ends by itself.
async fn release(deliverer: &Deliverer, lease: Lease) {
    match deliverer.store.release(lease).await {
        Ok(()) | Err(StoreError::LeaseLost | StoreError::NotFound(_)) => {}
        Err(error) => {
            tracing::warn!(endpoint = %lease.endpoint, %error, "the lease was not released");
        }
    }
}
