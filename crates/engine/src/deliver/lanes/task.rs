//! A bundle of a lane, from rendering to the record.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hookyard_core::model::{Endpoint, QueueState};
use hookyard_store::{Lease, Recorded, StoreError};

use super::super::attempt::{Judged, Rendered, Unsent, is_open};
use super::super::deliverer::Deliverer;
use super::super::limits::{Holder, Stopping};
use super::super::plan::Plan;
use super::super::shortage::Unable;
use super::super::verdict::Before;
use super::roster::LaneBundle;

/// Failures in a row, counted by all lanes.
#[derive(Debug, Default)]
pub(super) struct Failures(Mutex<u32>);

impl Failures {
    /// A poisoned lock is taken all the same: the value is a single number.
    pub(super) fn lock(&self) -> MutexGuard<'_, u32> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One bundle that is to be sent.
pub(super) struct LaneTask {
    pub(super) plan: Arc<Plan>,
    pub(super) lease: Lease,
    pub(super) bundle: LaneBundle,
    pub(super) failures: Arc<Failures>,
    /// Whether the endpoint's last request hung and failed.
    pub(super) hung: bool,
}

/// How the sending of a bundle ended.
#[derive(Debug)]
pub(super) enum LaneEnd {
    /// The bundle was sent, and the attempt is recorded.
    Settled { judged: Judged, state: QueueState },
    /// The bundle was sent, but the attempt may not be recorded.
    Unrecorded { judged: Judged, error: StoreError },
    /// The first event can never be sent, and is parked.
    Unsent { pending: u64 },
    /// The first event can never be sent, but may not be parked.
    MaybeUnsent(StoreError),
    /// This server lacked the means to send.
    Unable(Unable),
    /// The endpoint has changed, or events are gone; nothing was sent.
    Outdated,
    /// Delivery is stopping, and nothing was sent.
    Stopping,
}

impl Deliverer {
    /// Renders, sends and settles one bundle.
    pub(super) async fn run(&self, task: LaneTask) -> Result<LaneEnd, StoreError> {
        let LaneTask { mut plan, lease, bundle, failures, hung } = task;
        let LaneBundle { entries, failures: of_bundle, refusals } = bundle;
        let holder = Holder { workspace: lease.workspace, endpoint: lease.endpoint };
        let place = match self.limits.place(hung, holder).await {
            Ok(place) => place,
            Err(Stopping) => return Ok(LaneEnd::Stopping),
        };
        let Endpoint { workspace, id, revision, .. } = *plan.endpoint;
        let seqs: Vec<_> = entries.iter().map(|entry| entry.seq).collect();
        let events = self.store.events_by_seq(workspace, &seqs).await?;
        // The place may have been long in coming.
        let endpoint = self.store.endpoint(workspace, id).await?;
        let same = endpoint.is_some_and(|endpoint| endpoint.revision == revision);
        let Some(first) = entries.first().filter(|_| same && events.len() == entries.len()) else {
            self.give_units_back(&plan.endpoint, seqs.len(), 0);
            return Ok(LaneEnd::Outdated);
        };
        let bundle = match self.render(&mut plan, &events).await? {
            Ok(bundle) => bundle,
            Err(unsendable) => {
                let failures = *failures.lock();
                let (events, entries) = (&events[..1], vec![first.place]);
                let reason = unsendable.to_string();
                let unsent = Unsent { events, entries, count: 1, failures, reason };
                self.give_units_back(&plan.endpoint, seqs.len(), 0);
                return match self.store.settle(&lease, self.unsent(&plan, unsent)).await {
                    Ok(state) => Ok(LaneEnd::Unsent { pending: state.pending }),
                    Err(error) => Ok(LaneEnd::MaybeUnsent(error)),
                };
            }
        };
        let count = bundle.events;
        self.give_units_back(&plan.endpoint, seqs.len(), count);
        let rendered = Rendered { bundle, events, queued_at: first.queued_at };
        let answered = match self.send(&plan, rendered, place).await? {
            Ok(answered) => answered,
            Err(unable) => {
                self.give_units_back(&plan.endpoint, count, 0);
                return Ok(LaneEnd::Unable(unable));
            }
        };
        let places = entries.iter().take(count).map(|entry| entry.place).collect();
        let judged = {
            let mut failures = failures.lock();
            let before = Before { failures: *failures, of_bundle, refusals };
            let judged = self.judge(&plan, answered, before, places);
            *failures = judged.attempt.failures;
            judged
        };
        self.record_of_lane(&lease, judged, Recorded::No).await
    }

    /// Records the outcome of a lane's bundle.
    pub(super) async fn record_of_lane(
        &self,
        lease: &Lease,
        judged: Judged,
        recorded: Recorded,
    ) -> Result<LaneEnd, StoreError> {
        match self.store.record(lease, Arc::clone(&judged.attempt), recorded).await {
            Ok(state) => Ok(LaneEnd::Settled { judged, state }),
            Err(error) if is_open(&error) => Ok(LaneEnd::Unrecorded { judged, error }),
            Err(error) => Err(error),
        }
    }
}
