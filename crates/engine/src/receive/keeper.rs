//! Background work beside receiving.

use std::sync::Arc;
use std::time::Duration;

use crate::Engine;
use crate::ageing::Ageing;

/// The time between two writes of the logs of rejections: a crash may lose the lines of this time.
const LOG_EVERY: Duration = Duration::from_secs(5);

/// Writes of the logs between two searches for requests kept too long.
const LOGS_PER_SWEEP: u32 = 12;

/// The rest between two deletions, so that deliveries hardly notice the deletions.
const REST: Duration = Duration::from_millis(50);

/// Writes the logs of rejections, and deletes requests kept for inspection too long.
pub struct Keeper {
    engine: Arc<Engine>,
    ageing: Ageing,
}

impl Keeper {
    /// A keeper over the engine's store.
    pub fn new(engine: Arc<Engine>) -> Self {
        Self { engine, ageing: Ageing::default() }
    }

    /// Works for as long as the future is polled.
    pub async fn run(self) {
        loop {
            if let Err(error) = self.sweep().await {
                tracing::warn!(%error, "what was kept for inspection for too long was not deleted");
            }
            for _ in 0..LOGS_PER_SWEEP {
                tokio::time::sleep(LOG_EVERY).await;
                if let Err(error) = self.engine.write_rejections().await {
                    tracing::warn!(%error, "the log of rejected deliveries was not written");
                }
            }
        }
    }

    /// Deletes requests too old by now, some at a time.
    pub async fn sweep(&self) -> Result<(), crate::Error> {
        let (store, clock) = (self.engine.store(), self.engine.clock());
        while store.expire_inspection(self.ageing.now(&**clock)).await? > 0 {
            tokio::time::sleep(REST).await;
        }
        Ok(())
    }
}
