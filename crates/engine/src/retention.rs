//! Keeping no more than the operator wants to keep.

use std::sync::Arc;
use std::time::Duration;

use hookyard_store::{Expired, Retention, StoreError};
use jiff::Timestamp;

use crate::Engine;
use crate::ageing::Ageing;

/// The time between two searches for old data. The kept data exceeds the limits by the events
/// published in the time.
const INTERVAL: Duration = Duration::from_secs(60);

/// The rest between two slices. A slice takes some milliseconds of the writer, so publishers keep
/// nine tenths of the writer's time; 1,000 events in each rest are 20,000 a second, more than
/// arrive.
const REST: Duration = Duration::from_millis(50);

/// The deletions of a pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Swept {
    /// Events.
    pub events: u64,
    /// Attempts.
    pub attempts: u64,
    /// Dead letters.
    pub dead_letters: u64,
    /// Entries of the audit log.
    pub audit: u64,
    /// Datasets whose time in the trash was over.
    pub datasets: u64,
    /// Pages returned to the file system.
    pub pages: u64,
}

/// Deletes old data.
pub struct Sweeper {
    engine: Arc<Engine>,
    keep: Retention,
    ageing: Ageing,
}

impl Sweeper {
    /// A sweeper over the engine's store.
    pub fn new(engine: Arc<Engine>, keep: Retention) -> Self {
        Self { engine, keep, ageing: Ageing::default() }
    }

    /// Sweeps for as long as the future is polled. Dropping the future at any moment leaves the
    /// rest of the old data.
    pub async fn run(self) {
        loop {
            match self.sweep().await {
                Ok(swept) if swept == Swept::default() => {}
                Ok(Swept { events, attempts, dead_letters, audit, datasets, pages }) => {
                    tracing::info!(
                        events,
                        attempts,
                        dead_letters,
                        audit,
                        datasets,
                        pages,
                        "what is old was deleted"
                    );
                }
                Err(error) => tracing::warn!(%error, "what is old was not deleted"),
            }
            tokio::time::sleep(INTERVAL).await;
        }
    }

    /// Deletes data old by now, slice by slice.
    pub async fn sweep(&self) -> Result<Swept, StoreError> {
        let store = self.engine.store();
        let mut swept = Swept::default();
        let now = self.ageing.now(&**self.engine.clock());
        self.empty_trash(now, &mut swept).await?;
        let mut rest = Some(store.expiry(self.keep, now).await?);
        while let Some(expiry) = rest {
            let done = store.expire(expiry).await?;
            let Expired { events, attempts, dead_letters, audit, pages, rest: more } = done;
            swept.dead_letters += dead_letters;
            swept.audit += audit;
            swept.events += events;
            swept.attempts += attempts;
            swept.pages += pages;
            rest = more;
            if rest.is_some() {
                tokio::time::sleep(REST).await;
            }
        }
        Ok(swept)
    }

    /// Removes the datasets whose time in the trash is over.
    async fn empty_trash(&self, now: Timestamp, swept: &mut Swept) -> Result<(), StoreError> {
        loop {
            let (purged, more) = self.engine.purge_trash(now).await?;
            swept.datasets += purged;
            if !more {
                return Ok(());
            }
            tokio::time::sleep(REST).await;
        }
    }
}
