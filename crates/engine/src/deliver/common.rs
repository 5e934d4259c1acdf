//! What a worker knows of an endpoint, however many bundles the endpoint takes at a time.

use std::sync::Arc;

use hookyard_store::Lease;
use tokio::sync::Notify;

use super::limits::Holder;
use super::plan::Plan;
use super::waits::Waits;
use super::warn::Told;

/// The right to work on an endpoint, with the findings about the endpoint so far.
#[derive(Debug)]
pub(super) struct Common {
    pub(super) lease: Lease,
    pub(super) plan: Option<Arc<Plan>>,
    /// The announcements made about the endpoint.
    pub(super) told: Told,
    /// When the endpoint's bundles are tried again, as far as this process has seen.
    pub(super) waits: Waits,
    /// Told when something happens to the endpoint.
    pub(super) wake: Arc<Notify>,
}

impl Common {
    pub(super) fn new(lease: Lease) -> Self {
        Self {
            lease,
            plan: None,
            told: Told::default(),
            waits: Waits::default(),
            wake: Arc::default(),
        }
    }

    /// The holder of the places that the requests take.
    pub(super) fn holder(&self) -> Holder {
        Holder { workspace: self.lease.workspace, endpoint: self.lease.endpoint }
    }

    /// The plan, if made for this revision of the endpoint.
    pub(super) fn plan_of(&self, revision: u32) -> Option<Arc<Plan>> {
        let plan = self.plan.as_ref().filter(|plan| plan.endpoint.revision == revision);
        plan.map(Arc::clone)
    }
}
