//! Keeping no more than the operator wants to keep.

use std::sync::Arc;
use std::time::Duration;

use hookyard_store::{Expired, Retention, StoreError};
use jiff::Timestamp;

use crate::Engine;
use crate::ageing::Ageing;

/// The time between two looks at what is old. What is kept is over its limits by what is published in
/// this time.
const INTERVAL: Duration = Duration::from_secs(60);

/// The rest between two slices. A slice takes the writer some milliseconds, so publishers keep nine
/// tenths of it; 1,000 events in each rest are 20,000 a second, more than arrive.
const REST: Duration = Duration::from_millis(50);

/// What one pass deleted.
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
    /// Pages that were given back to the file system.
    pub pages: u64,
}

/// Deletes what is old.
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

    /// Sweeps for as long as it is polled. Dropping it at any moment leaves what it did not come to.
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

    /// Deletes what is old now, slice by slice.
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
