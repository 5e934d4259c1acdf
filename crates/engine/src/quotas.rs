//! The quotas of a workspace.
//!
//! The number of endpoints and the like is looked up when another thing is to be made. The hourly quotas
//! are counted here in leaky buckets: a whole quota can be used at once, and refills evenly. Each of
//! several servers has its part of the hourly quotas, so all servers together never let through more than
//! the quota and one for each server; while another server joins, for [`KNOWN_FOR`], its own part comes on
//! top. A publish reads nothing: quotas are read again every few seconds at most. Stored bytes are counted
//! on from there, so the quota is exceeded by no more than the intake of other servers within such a time.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hookyard_core::id::WorkspaceId;
use hookyard_core::model::{QuotaSetting, WorkspaceQuotas, WorkspaceUsage};

use crate::{Engine, Error};

/// How old quotas, the bytes that are stored and the number of servers may be: whoever runs the installation
/// sets quotas from another process.
const KNOWN_FOR: Duration = Duration::from_secs(5);

/// The window of hourly quotas, in microseconds.
const HOUR_US: u128 = 3_600_000_000;

/// An object counted before a further object is made.
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

/// The quotas of a workspace, and the use of the quotas.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Standing {
    /// The workspace's quotas.
    pub quotas: WorkspaceQuotas,
    /// The workspace's objects and bytes.
    pub usage: WorkspaceUsage,
    /// Events in the last hour, of this server; `None` without a quota, as nothing is counted then.
    pub events_hour: Option<u64>,
    /// Bytes in the last hour, of this server.
    pub bytes_hour: Option<u64>,
}

/// This server's knowledge of the workspaces. The map is bounded by the installation's workspaces.
#[derive(Debug, Default)]
pub(crate) struct Ledger(Mutex<HashMap<WorkspaceId, Known>>);

#[derive(Debug, Clone, Copy, Default)]
struct Known {
    quotas: WorkspaceQuotas,
    /// Stored bytes at the last reading, and the bytes that came to this server since.
    stored_bytes: u64,
    journal_bytes: u64,
    /// How many servers there are.
    nodes: u32,
    /// By the monotonic clock; `None` before the first time.
    read_at: Option<Duration>,
    events: Bucket,
    bytes: Bucket,
}

/// A leaky bucket, as the moment of being empty.
#[derive(Debug, Clone, Copy, Default)]
struct Bucket {
    empty_us: u128,
}

impl Bucket {
    fn level(self, now_us: u128) -> u128 {
        self.empty_us.saturating_sub(now_us)
    }

    /// The bucket after adding `amount`; the time to wait when the amount is too much. An amount
    /// above the quota goes into an empty bucket.
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
        // A panic leaves at worst a slightly wrong count.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the knowledge is old. The caller with the answer `true` reads again; the next
    /// callers go on with the old knowledge.
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
        usage: &WorkspaceUsage,
        nodes: u32,
        now: Duration,
    ) {
        let mut all = self.lock();
        let known = all.entry(workspace).or_default();
        let WorkspaceUsage { stored_bytes, journal_bytes, .. } = *usage;
        let read_at = Some(now);
        *known = Known { quotas, stored_bytes, journal_bytes, nodes, read_at, ..*known };
    }

    /// Counts an intake against all its bounds, or against none.
    fn take(&self, workspace: WorkspaceId, intake: Intake, now: Duration) -> Result<(), Error> {
        let mut all = self.lock();
        let Some(known) = all.get_mut(&workspace) else { return Ok(()) };
        let (events, bytes) = (intake.events as u64, intake.bytes as u64);
        if intake.becomes_rows {
            fits("stored_bytes", known.stored_bytes, bytes, known.quotas.stored_bytes)?;
        }
        if intake.becomes_events {
            fits("journal_bytes", known.journal_bytes, bytes, known.quotas.journal_bytes)?;
        }
        let now_us = now.as_micros();
        let part = |quota: u64| quota.div_ceil(u64::from(known.nodes.max(1)));
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
        if intake.becomes_rows {
            known.stored_bytes = known.stored_bytes.saturating_add(bytes);
        }
        if intake.becomes_events {
            known.journal_bytes = known.journal_bytes.saturating_add(bytes);
        }
        Ok(())
    }
}

/// Whether there is room for so many bytes more.
fn fits(field: &'static str, there: u64, bytes: u64, quota: Option<u64>) -> Result<(), Error> {
    let Some(quota) = quota.filter(|quota| there.saturating_add(bytes) > *quota) else {
        return Ok(());
    };
    let (what, way_out) = match field {
        "journal_bytes" => ("events that the journal keeps", "wait until retention deletes some"),
        _ => ("rows of its datasets", "delete rows or versions"),
    };
    Err(Error::Quota {
        field,
        message: format!(
            "the workspace has {there} bytes of {what}, and may have {quota}: {way_out}, or ask \
             whoever runs the installation for more"
        ),
        wait: None,
    })
}

/// An intake of a workspace.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Intake {
    /// How many events, deliveries or rows.
    pub(crate) events: usize,
    /// Bytes of the bodies.
    pub(crate) bytes: usize,
    /// Whether the intake becomes rows of a dataset.
    pub(crate) becomes_rows: bool,
    /// Whether the intake becomes events in the journal.
    pub(crate) becomes_events: bool,
}

impl Engine {
    /// The engine with quotas for workspaces without quotas of their own. Call before use.
    #[must_use]
    pub fn with_default_quotas(self, default_quotas: WorkspaceQuotas) -> Self {
        Self { default_quotas, ..self }
    }

    async fn quotas(&self, workspace: WorkspaceId) -> Result<WorkspaceQuotas, Error> {
        let own = self.store.quotas(workspace).await?;
        Ok(own.zip(self.default_quotas, QuotaSetting::or))
    }

    /// The quotas of a workspace, and the use of the quotas.
    pub async fn quota_standing(&self, workspace: WorkspaceId) -> Result<Standing, Error> {
        let quotas = self.quotas(workspace).await?;
        let usage = self.store.usage(workspace).await?;
        let known = self.ledger.lock().get(&workspace).copied().unwrap_or_default();
        let now_us = self.clock.monotonic().as_micros();
        let used = |bucket: Bucket, quota: Option<u64>| {
            let part = quota?.div_ceil(u64::from(known.nodes.max(1)));
            Some(bucket.used(part, now_us))
        };
        Ok(Standing {
            quotas,
            usage,
            events_hour: used(known.events, quotas.events_hour),
            bytes_hour: used(known.bytes, quotas.bytes_hour),
        })
    }

    /// Whether the workspace may have a further object. Several objects made at the same moment may
    /// each find room.
    pub(crate) async fn may_add(
        &self,
        workspace: WorkspaceId,
        what: &[Counted],
    ) -> Result<(), Error> {
        let quotas = self.quotas(workspace).await?;
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

    /// Counts an intake of a workspace against the quotas.
    pub(crate) async fn take_in(
        &self,
        workspace: WorkspaceId,
        intake: Intake,
    ) -> Result<(), Error> {
        let now = self.clock.monotonic();
        if self.ledger.is_old(workspace, now) {
            let quotas = self.quotas(workspace).await?;
            let keeps = quotas.stored_bytes.is_some() || quotas.journal_bytes.is_some();
            let usage = match keeps {
                true => self.store.usage(workspace).await?,
                false => WorkspaceUsage::default(),
            };
            let hourly = quotas.events_hour.is_some() || quotas.bytes_hour.is_some();
            let nodes = match hourly {
                // No turns are asked for: only how many servers there are.
                true => self.store.take_turns(Vec::new(), self.clock.now()).await?.nodes,
                false => 1,
            };
            self.ledger.put(workspace, quotas, &usage, nodes, now);
        }
        self.ledger.take(workspace, intake, now)
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
        ledger.put(WS, quotas, &WorkspaceUsage::default(), 1, Duration::ZERO);
        ledger
    }

    fn on(ledger: &Ledger, nodes: u32) {
        ledger.lock().get_mut(&WS).unwrap().nodes = nodes;
    }

    impl Ledger {
        /// Takes what becomes neither rows nor events.
        fn pass(&self, events: usize, bytes: usize, now: Duration) -> Result<(), Error> {
            let intake = Intake { events, bytes, becomes_rows: false, becomes_events: false };
            self.take(WS, intake, now)
        }
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
        ledger.pass(3_600, 0, seconds(0)).unwrap();
        assert_eq!(wait(ledger.pass(60, 0, seconds(0))), ("events_hour", 60));
        ledger.pass(60, 0, seconds(60)).unwrap();
        assert!(ledger.pass(1, 0, seconds(60)).is_err());
    }

    #[test]
    fn what_one_quota_refuses_counts_in_neither() {
        let ledger = hourly(100, 1_000);
        ledger.pass(1, 900, seconds(0)).unwrap();
        for _ in 0..1_000 {
            assert_eq!(wait(ledger.pass(1, 200, seconds(0))).0, "bytes_hour");
        }
        ledger.pass(99, 0, seconds(0)).unwrap();
    }

    #[test]
    fn what_is_larger_than_a_quota_goes_in_when_nothing_else_did() {
        let ledger = hourly(10, 1_000);
        ledger.pass(25, 0, seconds(0)).unwrap();
        assert!(ledger.pass(1, 0, seconds(3_600)).is_err());
        ledger.pass(1, 0, seconds(9_000)).unwrap();
    }

    #[test]
    fn others_are_not_bound() {
        let ledger = hourly(10, 1_000);
        let intake = Intake { events: 1_000, bytes: 0, becomes_rows: true, becomes_events: true };
        ledger.take(WorkspaceId(2), intake, seconds(0)).unwrap();
        assert!(ledger.is_old(WS, seconds(6)) && !ledger.is_old(WS, seconds(7)));
    }

    #[test]
    fn servers_together_let_through_the_quota_and_one_each_at_most() {
        for (quota, servers) in [(10, 2), (10, 3), (100, 7), (3, 5)] {
            let ledgers: Vec<_> = (0..servers).map(|_| hourly(quota, u64::MAX / 2)).collect();
            ledgers.iter().for_each(|ledger| on(ledger, servers));
            // Each is asked far too often, for two hours.
            let through = |ledger: &Ledger, second: u64| {
                (0..2 * quota).filter(|_| ledger.pass(1, 0, seconds(second)).is_ok()).count() as u64
            };
            let at_once: u64 = ledgers.iter().map(|ledger| through(ledger, 0)).sum();
            assert!((quota..quota + u64::from(servers)).contains(&at_once), "{at_once} of {quota}");
            let later: u64 = (1..=120)
                .map(|minute| ledgers.iter().map(|it| through(it, minute * 60)).sum::<u64>())
                .sum();
            let most = 2 * (quota + u64::from(servers));
            assert!((2 * quota - 1..=most).contains(&later), "{later} in two hours of {quota}");
        }
    }

    #[test]
    fn a_server_that_is_alone_with_the_callers_lets_through_its_part() {
        let ledger = hourly(10, 1_000);
        on(&ledger, 2);
        ledger.pass(5, 0, seconds(0)).unwrap();
        assert!(ledger.pass(1, 0, seconds(0)).is_err());
        on(&ledger, 1);
        ledger.pass(1, 0, seconds(0)).unwrap_err();
        ledger.pass(5, 0, seconds(1_800)).unwrap();
    }

    #[test]
    fn what_is_kept_is_counted_on_from_what_was_read() {
        let quotas = WorkspaceQuotas {
            stored_bytes: Some(100),
            journal_bytes: Some(200),
            ..WorkspaceQuotas::default()
        };
        let usage =
            WorkspaceUsage { stored_bytes: 40, journal_bytes: 150, ..WorkspaceUsage::default() };
        let ledger = Ledger::default();
        ledger.put(WS, quotas, &usage, 1, seconds(0));
        let take = |bytes: usize, becomes_rows: bool, becomes_events: bool| {
            let intake = Intake { events: 1, bytes, becomes_rows, becomes_events };
            match ledger.take(WS, intake, seconds(1)) {
                Ok(()) => "taken",
                Err(Error::Quota { field, wait: None, .. }) => field,
                Err(error) => panic!("{error:?}"),
            }
        };
        assert_eq!(take(60, true, true), "journal_bytes");
        assert_eq!(take(50, true, true), "taken", "what was refused is not counted");
        assert_eq!(take(20, true, false), "stored_bytes");
        assert_eq!(take(1, false, true), "journal_bytes");
        assert_eq!(take(10, true, false), "taken");
        assert_eq!(take(1_000, false, false), "taken");
        ledger.put(WS, quotas, &WorkspaceUsage::default(), 1, seconds(5));
        assert_eq!(take(100, true, true), "taken", "what was deleted is given back");
    }
}
