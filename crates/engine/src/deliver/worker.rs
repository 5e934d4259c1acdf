//! The work on one endpoint: head, render, send, settle.

use std::sync::Arc;

use hookyard_store::{Lease, StoreError};
use jiff::Timestamp;
use tokio::sync::Notify;

use super::common::Common;
use super::deliverer::Deliverer;
use super::lanes::Lanes;
use super::one_by_one::OneByOne;
use super::plan::Plan;
use super::step::Step;

/// The right to work on an endpoint, with the findings about the endpoint so far.
#[derive(Debug)]
pub struct Worker {
    pub(super) common: Common,
    mode: Mode,
}

/// How many bundles the endpoint takes at a time, with the work under way.
#[derive(Debug)]
enum Mode {
    /// A single bundle.
    OneByOne(OneByOne),
    /// Several.
    Lanes(Box<Lanes>),
}

impl Mode {
    /// The mode that an endpoint asks for; one by one as long as the settings are not known.
    fn of(plan: Option<&Arc<Plan>>) -> Self {
        match plan {
            Some(plan) if plan.concurrency().is_some() => Self::Lanes(Box::default()),
            Some(plan) => Self::OneByOne(OneByOne::of(&plan.endpoint.settings)),
            None => Self::OneByOne(OneByOne::default()),
        }
    }
}

impl Worker {
    /// A worker for the endpoint of a lease.
    pub fn new(lease: Lease) -> Self {
        Self { common: Common::new(lease), mode: Mode::of(None) }
    }

    /// The lease.
    pub fn lease(&self) -> Lease {
        self.common.lease
    }

    /// Whether requests are in flight or outcomes are not recorded: whoever drops the worker now has
    /// the same events sent again.
    pub fn is_busy(&self) -> bool {
        match &self.mode {
            Mode::OneByOne(own) => own.is_busy(),
            Mode::Lanes(lanes) => lanes.is_busy(),
        }
    }

    /// Whether a waiting bundle holds up all others of the endpoint.
    pub(super) fn is_one_by_one(&self) -> bool {
        matches!(self.mode, Mode::OneByOne(_))
    }

    /// Has the worker hear of news for the endpoint.
    pub(super) fn listen(&mut self, wake: &Arc<Notify>) {
        self.common.wake = Arc::clone(wake);
    }
}

impl Deliverer {
    /// Does the next thing for the endpoint. A step is at most one request or, when the endpoint takes
    /// several at once, the start of as many as the endpoint takes and the wait for the first of them. An
    /// outcome that the store could not record is kept, and recorded by the next step before anything else is
    /// sent.
    pub async fn step(self: &Arc<Self>, worker: &mut Worker) -> Result<Step, StoreError> {
        loop {
            let Worker { common, mode } = &mut *worker;
            let done = match mode {
                Mode::OneByOne(own) => self.step_one(common, own).await,
                Mode::Lanes(lanes) => self.step_lanes(common, lanes).await,
            };
            match done {
                Ok(Some(step)) => return Ok(step),
                // The endpoint's owner has changed how many bundles it takes at once.
                Ok(None) => *mode = Mode::of(common.plan.as_ref()),
                Err(StoreError::LeaseLost | StoreError::NotFound(_)) => return Ok(Step::Gone),
                Err(error) => return Err(error),
            }
        }
    }

    /// The moment before which nothing of the endpoint may be sent, if known and still to come. Cheaper than
    /// reading the head of a queue that nobody may send, each time an event is added to the queue.
    pub(super) async fn rests_until(
        &self,
        worker: &mut Worker,
    ) -> Result<Option<Timestamp>, StoreError> {
        match &worker.mode {
            Mode::OneByOne(own) => self.rests_one(&mut worker.common, own).await,
            // Only the bundles that failed wait.
            Mode::Lanes(_) => Ok(None),
        }
    }

    /// Ends the work on an endpoint: waits for the requests in flight, and has the store record the kept
    /// outcomes, if possible.
    pub(super) async fn finish(self: &Arc<Self>, worker: &mut Worker) {
        let Worker { common, mode } = worker;
        let recorded = match mode {
            Mode::OneByOne(own) => self.record_kept(common, own).await.map(drop),
            Mode::Lanes(lanes) => self.finish_lanes(common, lanes).await,
        };
        if let Err(error) = recorded {
            let endpoint = common.lease.endpoint;
            tracing::warn!(%endpoint, %error, "an outcome was not recorded");
        }
    }
}
