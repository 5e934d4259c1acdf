//! Publishing, delivering and receiving.
//!
//! The engine knows the necessary steps and their order, but nothing of HTTP servers (the `server`
//! crate), of databases (the `store` crate) or of time and chance (parameters).
#![forbid(unsafe_code)]

use std::sync::Arc;

use hookyard_core::clock::Clock;
use hookyard_core::entropy::Entropy;
use hookyard_core::model::WorkspaceQuotas;
use hookyard_store::{SharedStore, StoreError};

pub mod access;
mod ageing;
pub mod customers;
pub mod datasets;
pub mod deliver;
pub mod endpoints;
mod error;
pub mod event_types;
pub mod hops;
mod jobs;
pub mod limits;
pub mod net;
pub mod oauth;
pub mod publish;
pub mod quotas;
mod read;
pub mod receive;
pub mod replays;
pub mod retention;
pub mod rules;
pub mod sources;
pub mod tenants;
pub mod work;

use access::Access;
pub use error::Error;
use limits::{Limiter, Limits};
use net::Guard;
use publish::Matchers;
pub use read::Reads;
use receive::Receiving;
use work::Work;

/// The shared parts behind every operation.
#[derive(Clone)]
pub struct Engine {
    store: SharedStore,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    guard: Arc<Guard>,
    matchers: Arc<Matchers>,
    access: Arc<Access>,
    limiter: Arc<Limiter>,
    receiving: Arc<Receiving>,
    work: Arc<Work>,
    ledger: Arc<quotas::Ledger>,
    default_quotas: WorkspaceQuotas,
}

impl Engine {
    /// An engine over a store, with no limits on callers.
    pub fn new(
        store: SharedStore,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        guard: Arc<Guard>,
    ) -> Self {
        let limiter = Limiter::new(Limits::default(), Arc::clone(&store) as _, Arc::clone(&clock));
        let limiter = Arc::new(limiter);
        let access = Access::new(Arc::clone(&store), Arc::clone(&clock), Arc::clone(&limiter));
        let access = Arc::new(access);
        let work = Arc::<Work>::default();
        Self {
            store,
            clock,
            limiter,
            entropy,
            guard,
            matchers: Arc::new(Matchers::new(Arc::clone(&work))),
            access,
            receiving: Arc::default(),
            work,
            ledger: Arc::default(),
            default_quotas: WorkspaceQuotas::default(),
        }
    }

    /// The engine with limits on callers, before first use.
    #[must_use]
    pub fn limited(self, limits: Limits) -> Self {
        let Self { store, clock, .. } = &self;
        let limiter = Limiter::new(limits, Arc::clone(store) as _, Arc::clone(clock));
        let limiter = Arc::new(limiter);
        let access = Access::new(Arc::clone(store), Arc::clone(clock), Arc::clone(&limiter));
        Self { limiter, access: Arc::new(access), ..self }
    }

    /// The store. Nobody outside reaches past the operations of the engine and [`Reads`].
    pub(crate) fn store(&self) -> &SharedStore {
        &self.store
    }

    /// Whether the store takes work. The error says why not.
    pub async fn health(&self) -> Result<(), StoreError> {
        self.store.health().await
    }

    /// The clock.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// The source of randomness.
    pub fn entropy(&self) -> &Arc<dyn Entropy> {
        &self.entropy
    }

    /// The check of callers' credentials.
    pub fn access(&self) -> &Access {
        &self.access
    }

    /// The limiter of callers' requests.
    pub fn limiter(&self) -> &Limiter {
        &self.limiter
    }

    /// The places for large work.
    pub fn work(&self) -> &Arc<Work> {
        &self.work
    }

    /// The guard of outbound connections.
    pub fn guard(&self) -> &Arc<Guard> {
        &self.guard
    }
}
