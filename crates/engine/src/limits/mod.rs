//! How many requests callers may make: leaky buckets for each credential and each address, by the
//! hour and by the day, shared by all nodes.
//!
//! Each node has a small part of every quota alone, and takes turns of the rest from the store a
//! few at a time ([`bucket`]). So most requests cost a look into memory, and a caller far from the
//! limit never costs a round trip. The bound for all nodes together is exact: in any stretch of
//! time at most 105 % and at least 90 % of the requests that a single bucket would let through, and
//! exactly as many where the quota is too small to be divided. docs/reference/limits.md shows why.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hookyard_core::clock::Clock;
use hookyard_core::id::{ApplicationId, CredentialId};
use hookyard_core::model::{Credential, Quota, QuotaWindow};
use hookyard_store::LimitStore;

mod bucket;
mod desk;
mod failures;
mod report;
#[cfg(test)]
mod tests;

use bucket::{Bucket, Draw};
use desk::Desk;
pub use failures::Failures;
pub use report::{Reports, Standing};

/// The number of maps for callers, each with a separate lock: with two dozen threads, two rarely
/// meet.
const SHARDS: usize = 16;

/// The most callers in a map: 65,536 in all, some ten megabytes.
const CALLERS_PER_SHARD_MAX: usize = 4_096;

/// How many requests a caller may make in each window; `None` is any number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rates {
    /// In an hour.
    pub hour: Option<u32>,
    /// In a day.
    pub day: Option<u32>,
}

impl Rates {
    fn quotas(self) -> impl Iterator<Item = Quota> {
        let quota =
            |(window, turns): (QuotaWindow, Option<u32>)| Some(Quota { turns: turns?, window });
        [(QuotaWindow::Hour, self.hour), (QuotaWindow::Day, self.day)].into_iter().filter_map(quota)
    }

    fn is_off(self) -> bool {
        self.hour.is_none() && self.day.is_none()
    }
}

/// The limits set by the operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits {
    /// Each credential; all credentials of an application together.
    pub credential: Rates,
    /// Each address, whatever its credentials.
    pub address: Rates,
}

/// A caller whose requests are counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Caller {
    Credential(CredentialId),
    /// An application, however often its token changes.
    Application(ApplicationId),
    /// Callers without a known address share a single bucket.
    Address(Option<IpAddr>),
}

impl Caller {
    fn subject(self) -> Subject {
        match self {
            Self::Credential(_) | Self::Application(_) => Subject::Credential,
            Self::Address(_) => Subject::Address,
        }
    }

    /// The name of the caller's bucket in the store.
    fn key(self, window: QuotaWindow) -> String {
        let window = window.as_str();
        match self {
            Self::Credential(id) => format!("credential/{id}/{window}"),
            Self::Application(id) => format!("application/{id}/{window}"),
            Self::Address(Some(address)) => format!("address/{address}/{window}"),
            Self::Address(None) => format!("address/unknown/{window}"),
        }
    }
}

/// The subject of the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// A credential, or all of an application's.
    Credential,
    /// An address.
    Address,
}

impl Subject {
    /// A word for the subject.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Credential => "credential",
            Self::Address => "address",
        }
    }
}

/// A caller came more often than the quota allows. The text is UltraCart's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("rate of {quota} exceeded.")]
pub struct Exceeded {
    /// What the limit is on.
    pub subject: Subject,
    /// The quota that has run out.
    pub quota: Quota,
    /// When the caller may come again.
    pub wait: Duration,
}

impl Exceeded {
    /// Whole seconds until the caller may come again, at least 1.
    pub fn wait_seconds(&self) -> u64 {
        (self.wait.as_secs() + u64::from(self.wait.subsec_nanos() > 0)).max(1)
    }
}

/// The network that counts as a single caller. For IPv6 the first half of the address, the usual
/// network of a customer.
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let network = u128::from(address) & !u128::from(u64::MAX);
            IpAddr::V6(Ipv6Addr::from(network))
        }
        address => address,
    }
}

type Buckets = HashMap<Caller, [Bucket; QuotaWindow::ALL.len()]>;

/// The callers of this node.
#[derive(Debug)]
struct Callers {
    shards: [Mutex<Buckets>; SHARDS],
    spread: RandomState,
}

impl Callers {
    /// The buckets of a caller, made when missing. The lock is held for a few lines.
    fn with<T>(
        &self,
        caller: Caller,
        now: i64,
        work: impl FnOnce(&mut [Bucket; QuotaWindow::ALL.len()]) -> T,
    ) -> T {
        let mut shard = self.shard(caller);
        if shard.len() >= CALLERS_PER_SHARD_MAX && !shard.contains_key(&caller) {
            make_room(&mut shard, now);
        }
        work(shard.entry(caller).or_default())
    }

    #[expect(clippy::cast_possible_truncation, reason = "the remainder is below 16")]
    fn shard(&self, caller: Caller) -> MutexGuard<'_, Buckets> {
        let place = self.spread.hash_one(caller) % SHARDS as u64;
        // A panic leaves at worst a bucket with a turn more or less.
        self.shards[place as usize].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Forgets callers without anything left to remember; if still too many, also the half of the
/// callers farthest from their limits.
fn make_room(callers: &mut Buckets, now: i64) {
    let weight = |buckets: &[Bucket; 2]| buckets.iter().map(|bucket| bucket.weight(now)).max();
    callers.retain(|_, buckets| weight(buckets) > Some(0));
    if callers.len() < CALLERS_PER_SHARD_MAX / 2 {
        return;
    }
    let mut weights: Vec<_> = callers.values().map(weight).collect();
    let half = weights.len() / 2;
    let (_, median, _) = weights.select_nth_unstable(half);
    let median = *median;
    callers.retain(|_, buckets| weight(buckets) > median);
}

/// Counts requests against the callers' quotas.
pub struct Limiter {
    limits: Limits,
    clock: Arc<dyn Clock>,
    callers: Arc<Callers>,
    desk: Arc<Desk>,
}

impl Limiter {
    /// A limiter of a node; the other nodes share the store.
    pub fn new(limits: Limits, store: Arc<dyn LimitStore>, clock: Arc<dyn Clock>) -> Self {
        let callers = Callers { shards: Default::default(), spread: RandomState::new() };
        let callers = Arc::new(callers);
        let desk = Desk::new(store, Arc::clone(&clock), Arc::clone(&callers));
        Self { limits, clock, callers, desk: Arc::new(desk) }
    }

    /// Whether anything is limited.
    pub fn is_on(&self) -> bool {
        let Limits { credential, address } = self.limits;
        !credential.is_off() || !address.is_off()
    }

    /// Counts a request of a credential.
    pub async fn count_credential(&self, credential: &Credential) -> Result<(), Exceeded> {
        let caller = match credential.application {
            Some(application) => Caller::Application(application),
            None => Caller::Credential(credential.id),
        };
        self.count(caller, self.limits.credential).await
    }

    /// Counts a request from an address; `None` is an unknown address.
    pub async fn count_address(&self, address: Option<IpAddr>) -> Result<(), Exceeded> {
        self.count(Caller::Address(address.map(network)), self.limits.address).await
    }

    /// Takes a turn of each quota, or none of any.
    async fn count(&self, caller: Caller, rates: Rates) -> Result<(), Exceeded> {
        if rates.is_off() {
            return Ok(());
        }
        let now = self.clock.now().as_microsecond();
        let nodes = self.desk.nodes();
        let draws: Vec<_> = self.callers.with(caller, now, |buckets| {
            rates
                .quotas()
                .map(|quota| (quota, buckets[quota.window as usize].draw(quota, nodes, now)))
                .collect()
        });
        let mut outcome = Vec::with_capacity(draws.len());
        let mut refused = draws.iter().any(|(_, draw)| *draw == Draw::None);
        for (quota, draw) in draws {
            let draw = match draw {
                // Whoever is refused already need not ask.
                Draw::Ask if !refused => match self.desk.ask(caller, quota).await {
                    true => Draw::Hand,
                    false => Draw::None,
                },
                draw => draw,
            };
            refused |= draw == Draw::None;
            outcome.push((quota, draw));
        }
        self.conclude(caller, &outcome)
    }

    /// Gives back the drawn turns when a quota gave none, and reports the standing.
    fn conclude(&self, caller: Caller, outcome: &[(Quota, Draw)]) -> Result<(), Exceeded> {
        let now = self.clock.now().as_microsecond();
        let (nodes, subject) = (self.desk.nodes(), caller.subject());
        let refused = outcome.iter().any(|(_, draw)| *draw == Draw::None);
        let mut exceeded: Option<Exceeded> = None;
        self.callers.with(caller, now, |buckets| {
            let standings = outcome.iter().map(|(quota, draw)| {
                let bucket = &mut buckets[quota.window as usize];
                if refused {
                    bucket.give_back(*quota, nodes, *draw);
                }
                let mut standing = bucket.standing(subject, *quota, nodes, now);
                if *draw == Draw::None {
                    standing.remaining = 0;
                    let wait = bucket.wait(*quota, nodes, now);
                    if exceeded.is_none_or(|exceeded| exceeded.wait < wait) {
                        exceeded = Some(Exceeded { subject, quota: *quota, wait });
                    }
                }
                standing
            });
            report::note(standings.collect());
        });
        exceeded.map_or(Ok(()), Err)
    }
}
