//! The means of delivering, the same for all endpoints.

use std::sync::Arc;

use hookyard_core::clock::Clock;
use hookyard_core::entropy::Entropy;
use hookyard_store::{SharedStore, Tenure};

use super::destination::dataset;
use super::limits::Limits;
use super::options::Options;
use super::shortage::Shortage;
use super::throttle::Throttle;
use super::transport::{Senders, Transport};
use crate::Engine;

/// Delivers for all endpoints. Which endpoint, and when, is up to the caller.
pub struct Deliverer {
    pub(super) engine: Engine,
    pub(super) store: SharedStore,
    pub(super) tenure: Tenure,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) entropy: Arc<dyn Entropy>,
    pub(super) senders: Senders,
    pub(super) options: Options,
    pub(super) limits: Limits,
    pub(super) throttle: Throttle,
    pub(super) shortage: Shortage,
}

impl Deliverer {
    /// A deliverer over the engine's store. Events for a dataset land in the store; all else leaves by the
    /// transport.
    pub fn new(engine: &Engine, transport: Arc<dyn Transport>, options: Options) -> Self {
        let (store, clock) = (Arc::clone(engine.store()), Arc::clone(engine.clock()));
        let datasets = dataset::Sender::new(Arc::clone(&store), Arc::clone(&clock));
        Self {
            engine: engine.clone(),
            tenure: store.tenure(),
            store,
            clock,
            entropy: Arc::clone(engine.entropy()),
            senders: Senders::new(transport, datasets),
            limits: Limits::new(options.connections_max),
            options,
            throttle: Throttle::default(),
            shortage: Shortage::default(),
        }
    }
}
