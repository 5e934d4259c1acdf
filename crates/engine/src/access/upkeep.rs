use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;

use super::{Access, lock};
use crate::{Engine, Error};

/// The time between two notes of what was used.
const INTERVAL: Duration = Duration::from_secs(60);

/// How long a credential that has ended is still listed. Long enough to see in a quarter's review
/// what was revoked.
const ENDED_KEPT: SignedDuration = SignedDuration::from_hours(90 * 24);

/// The most credentials that are forgotten at a time; more wait for the next minute.
const FORGOTTEN_MAX: usize = 1_000;

/// The most buckets of limits that are forgotten at a time: as many as a flood of callers leaves in a
/// minute, and deleted in well under a second.
const BUCKETS_FORGOTTEN_MAX: usize = 50_000;

/// Notes when credentials were used, and forgets those that ended long ago.
pub struct Upkeep(Arc<Engine>);

impl Upkeep {
    /// Of the engine's credentials.
    pub fn new(engine: Arc<Engine>) -> Self {
        Self(engine)
    }

    /// Works for as long as it is polled.
    pub async fn run(self) {
        loop {
            tokio::time::sleep(INTERVAL).await;
            if let Err(error) = self.once().await {
                tracing::warn!(%error, "the uses of credentials were not noted");
            }
        }
    }

    /// Does what is to be done now.
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
    /// Writes the uses that are not in the store yet, in one transaction.
    async fn note_uses(&self) -> Result<(), Error> {
        let used = std::mem::take(&mut *lock(&self.used));
        if used.is_empty() {
            return Ok(());
        }
        Ok(self.store.credentials_used(used.into_iter().collect()).await?)
    }
}
