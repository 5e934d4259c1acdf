use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;

use super::{Access, lock};
use crate::{Engine, Error};

/// The time between two writes of uses.
const INTERVAL: Duration = Duration::from_secs(60);

/// How long an ended credential is still listed. Long enough to see revoked credentials in a
/// quarter's review.
const ENDED_KEPT: SignedDuration = SignedDuration::from_hours(90 * 24);

/// The most credentials forgotten at a time; more wait for the next minute.
const FORGOTTEN_MAX: usize = 1_000;

/// The most buckets of limits forgotten at a time: as many as a flood of callers leaves in a
/// minute, deleted in well under a second.
const BUCKETS_FORGOTTEN_MAX: usize = 50_000;

/// Notes when credentials were used, and forgets credentials that ended long ago.
pub struct Upkeep(Arc<Engine>);

impl Upkeep {
    /// Of the engine's credentials.
    pub fn new(engine: Arc<Engine>) -> Self {
        Self(engine)
    }

    /// Works for as long as the future is polled.
    pub async fn run(self) {
        loop {
            tokio::time::sleep(INTERVAL).await;
            if let Err(error) = self.once().await {
                tracing::warn!(%error, "the uses of credentials were not noted");
            }
        }
    }

    /// Does a single round of upkeep.
    pub async fn once(&self) -> Result<(), Error> {
        let engine = &self.0;
        engine.access().note_uses().await?;
        let ended_before = engine.clock().now() - ENDED_KEPT;
        engine.store().forget_credentials(ended_before, FORGOTTEN_MAX).await?;
        if engine.limiter().is_on() {
            engine.store().forget_buckets(engine.clock().now(), BUCKETS_FORGOTTEN_MAX).await?;
        }
        Ok(())
    }
}

impl Access {
    /// Writes the uses missing in the store, in a single transaction.
    async fn note_uses(&self) -> Result<(), Error> {
        let used = std::mem::take(&mut *lock(&self.used));
        if used.is_empty() {
            return Ok(());
        }
        Ok(self.store.credentials_used(used.into_iter().collect()).await?)
    }
}
