//! How much a workspace may have and take.
//!
//! What is counted (endpoints and such) is looked up when one more is to be made. What is taken by the
//! hour is counted here in leaky buckets: all of a quota can come at once, and it comes back evenly. Of
//! several servers each has its part of the hour's quotas. Nothing is read for a publish: quotas are read
//! again every few seconds at most.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hookyard_core::id::WorkspaceId;
use hookyard_core::model::{WorkspaceQuotas, WorkspaceUsage};

use crate::{Engine, Error};

/// How old quotas, and the bytes that are stored, may be: whoever runs the installation sets them from
/// another process.
const KNOWN_FOR: Duration = Duration::from_secs(5);

/// The window of what is counted by the hour, in microseconds.
const HOUR_US: u128 = 3_600_000_000;

/// What is counted when one more is to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Counted {
    Endpoints,
    EventTypes,
    Sources,
    Datasets,
}

impl Counted {
    fn name(self) -> &'static str {
        match self {
            Self::Endpoints => "endpoints",
            Self::EventTypes => "event_types",
            Self::Sources => "sources",
            Self::Datasets => "datasets",
        }
    }

    fn of(self, quotas: &WorkspaceQuotas, usage: &WorkspaceUsage) -> (Option<u64>, u64) {
        match self {
            Self::Endpoints => (quotas.endpoints, usage.endpoints),
            Self::EventTypes => (quotas.event_types, usage.event_types),
            Self::Sources => (quotas.sources, usage.sources),
            Self::Datasets => (quotas.datasets, usage.datasets),
        }
    }
}

/// What a workspace may have and take, and what it has taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Standing {
    /// What it may.
    pub quotas: WorkspaceQuotas,
    /// What it has.
    pub usage: WorkspaceUsage,
    /// Events in the last hour, of this server; nobody counts while there is no quota.
    pub events_hour: Option<u64>,
    /// Bytes in the last hour, of this server.
    pub bytes_hour: Option<u64>,
}

/// What this server knows of the workspaces. There are no more than the installation has.
#[derive(Debug, Default)]
pub(crate) struct Ledger(Mutex<HashMap<WorkspaceId, Known>>);

#[derive(Debug, Clone, Copy, Default)]
struct Known {
    quotas: WorkspaceQuotas,
    stored_bytes: u64,
    /// By the clock that is never set; `None` before the first time.
    read_at: Option<Duration>,
    events: Bucket,
    bytes: Bucket,
}

/// A leaky bucket, as the moment at which it is empty.
#[derive(Debug, Clone, Copy, Default)]
struct Bucket {
    empty_us: u128,
}

impl Bucket {
    fn level(self, now_us: u128) -> u128 {
        self.empty_us.saturating_sub(now_us)
    }

    /// What it is after so much more; how long to wait when that is too much. What is larger than the
    /// quota itself goes in when it is empty.
    fn with(self, amount: u64, quota: u64, now_us: u128) -> Result<Self, Duration> {
        let level = self.level(now_us);
        let after = level + u128::from(amount) * HOUR_US / u128::from(quota.max(1));
        let over = after.saturating_sub(HOUR_US).min(level);
        if quota == 0 || over > 0 {
            let wait = if quota == 0 { HOUR_US } else { over };
            return Err(Duration::from_micros(u64::try_from(wait).unwrap_or(u64::MAX)));
        }
        Ok(Self { empty_us: now_us + after })
    }

    fn used(self, quota: u64, now_us: u128) -> u64 {
        u64::try_from(self.level(now_us) * u128::from(quota) / HOUR_US).unwrap_or(u64::MAX)
    }
}

impl Ledger {
    fn lock(&self) -> MutexGuard<'_, HashMap<WorkspaceId, Known>> {
        // What a panic left behind is a count that is a little off.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether what is known is old. Whoever is told so reads; the next ones go on with the old.
    fn is_old(&self, workspace: WorkspaceId, now: Duration) -> bool {
        let mut all = self.lock();
        let Some(known) = all.get_mut(&workspace) else { return true };
        let fresh = known.read_at.is_some_and(|at| now.saturating_sub(at) < KNOWN_FOR);
        if !fresh {
            known.read_at = Some(now);
        }
        !fresh
    }

    fn put(
        &self,
        workspace: WorkspaceId,
        quotas: WorkspaceQuotas,
        stored_bytes: u64,
        now: Duration,
    ) {
        let mut all = self.lock();
        let known = all.entry(workspace).or_default();
        *known = Known { quotas, stored_bytes, read_at: Some(now), ..*known };
    }

    /// Takes from both buckets, or from none.
    fn take(
        &self,
        workspace: WorkspaceId,
        events: u64,
        bytes: u64,
        nodes: u32,
        now: Duration,
    ) -> Result<(), Error> {
        let mut all = self.lock();
        let Some(known) = all.get_mut(&workspace) else { return Ok(()) };
        let now_us = now.as_micros();
        let part = |quota: u64| quota.div_ceil(u64::from(nodes.max(1)));
        let take = |name: &'static str, bucket: Bucket, amount: u64, quota: Option<u64>| {
            let Some(quota) = quota else { return Ok(bucket) };
            bucket.with(amount, part(quota), now_us).map_err(|wait| Error::Quota {
                field: name,
                message: format!("the workspace has the {quota} {name} that it may have"),
                wait: Some(wait),
            })
        };
        let after = take("events_hour", known.events, events, known.quotas.events_hour)?;
        known.bytes = take("bytes_hour", known.bytes, bytes, known.quotas.bytes_hour)?;
        known.events = after;
        Ok(())
    }
}

impl Engine {
    /// What a workspace may have and take, and what it has taken.
    pub async fn quota_standing(&self, workspace: WorkspaceId) -> Result<Standing, Error> {
        let quotas = self.store.quotas(workspace).await?;
        let usage = self.store.usage(workspace).await?;
        let known = self.ledger.lock().get(&workspace).copied().unwrap_or_default();
        let now_us = self.clock.monotonic().as_micros();
        let used = |bucket: Bucket, quota: Option<u64>| {
            let part = quota?.div_ceil(u64::from(self.limiter.nodes().max(1)));
            Some(bucket.used(part, now_us))
        };
        Ok(Standing {
            quotas,
            usage,
            events_hour: used(known.events, quotas.events_hour),
            bytes_hour: used(known.bytes, quotas.bytes_hour),
        })
    }

    /// Whether the workspace may have one more. Of several that are made at the same moment, each may
    /// find room for itself.
    pub(crate) async fn may_add(
        &self,
        workspace: WorkspaceId,
        what: &[Counted],
    ) -> Result<(), Error> {
        let quotas = self.store.quotas(workspace).await?;
        let is_bound = |what: &Counted| what.of(&quotas, &WorkspaceUsage::default()).0.is_some();
        if !what.iter().any(is_bound) {
            return Ok(());
        }
        let usage = self.store.usage(workspace).await?;
        for what in what {
            if let (Some(quota), used) = what.of(&quotas, &usage)
                && used >= quota
            {
                let name = what.name();
                return Err(Error::Quota {
                    field: name,
                    message: format!(
                        "the workspace has {used} {}, and may have {quota}: remove some, or ask \
                         whoever runs the installation for more",
                        name.replace('_', " ")
                    ),
                    wait: None,
                });
            }
        }
        Ok(())
    }

    /// Counts what comes into a workspace against what it may take in an hour; `stores` says that it
    /// becomes rows of a dataset.
    pub(crate) async fn take_in(
        &self,
        workspace: WorkspaceId,
        events: usize,
        bytes: usize,
        stores: bool,
    ) -> Result<(), Error> {
        let now = self.clock.monotonic();
        if self.ledger.is_old(workspace, now) {
            let quotas = self.store.quotas(workspace).await?;
            let stored = match quotas.stored_bytes {
                Some(_) => self.store.usage(workspace).await?.stored_bytes,
                None => 0,
            };
            self.ledger.put(workspace, quotas, stored, now);
        }
        let known = self.ledger.lock().get(&workspace).copied().unwrap_or_default();
        let (events, bytes) = (events as u64, bytes as u64);
        if let Some(quota) = known.quotas.stored_bytes.filter(|_| stores)
            && known.stored_bytes.saturating_add(bytes) > quota
        {
            return Err(Error::Quota {
                field: "stored_bytes",
                message: format!(
                    "the workspace's datasets have {} bytes, and may have {quota}: delete rows or \
                     versions, or ask whoever runs the installation for more",
                    known.stored_bytes
                ),
                wait: None,
            });
        }
        let hourly = known.quotas.events_hour.is_some() || known.quotas.bytes_hour.is_some();
        if hourly {
            self.ledger.take(workspace, events, bytes, self.limiter.nodes(), now)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WS: WorkspaceId = WorkspaceId(1);

    fn hourly(events: u64, bytes: u64) -> Ledger {
        let quotas = WorkspaceQuotas {
            events_hour: Some(events),
            bytes_hour: Some(bytes),
            ..WorkspaceQuotas::default()
        };
        let ledger = Ledger::default();
        ledger.put(WS, quotas, 0, Duration::ZERO);
        ledger
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn wait(result: Result<(), Error>) -> (&'static str, u64) {
        match result {
            Err(Error::Quota { field, wait: Some(wait), .. }) => (field, wait.as_secs()),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_quota_comes_at_once_and_back_evenly() {
        let ledger = hourly(3_600, 1_000_000);
        ledger.take(WS, 3_600, 0, 1, seconds(0)).unwrap();
        assert_eq!(wait(ledger.take(WS, 60, 0, 1, seconds(0))), ("events_hour", 60));
        ledger.take(WS, 60, 0, 1, seconds(60)).unwrap();
        assert!(ledger.take(WS, 1, 0, 1, seconds(60)).is_err());
    }

    #[test]
    fn what_one_quota_refuses_counts_in_neither() {
        let ledger = hourly(100, 1_000);
        ledger.take(WS, 1, 900, 1, seconds(0)).unwrap();
        for _ in 0..1_000 {
            assert_eq!(wait(ledger.take(WS, 1, 200, 1, seconds(0))).0, "bytes_hour");
        }
        ledger.take(WS, 99, 0, 1, seconds(0)).unwrap();
    }

    #[test]
    fn what_is_larger_than_a_quota_goes_in_when_nothing_else_did() {
        let ledger = hourly(10, 1_000);
        ledger.take(WS, 25, 0, 1, seconds(0)).unwrap();
        assert!(ledger.take(WS, 1, 0, 1, seconds(3_600)).is_err());
        ledger.take(WS, 1, 0, 1, seconds(9_000)).unwrap();
    }

    #[test]
    fn servers_have_parts_and_others_are_not_bound() {
        let ledger = hourly(10, 1_000);
        ledger.take(WS, 5, 0, 2, seconds(0)).unwrap();
        assert!(ledger.take(WS, 1, 0, 2, seconds(0)).is_err());
        ledger.take(WorkspaceId(2), 1_000, 0, 2, seconds(0)).unwrap();
        assert!(ledger.is_old(WS, seconds(6)) && !ledger.is_old(WS, seconds(7)));
    }
}
