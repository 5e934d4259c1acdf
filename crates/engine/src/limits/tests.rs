use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use async_trait::async_trait;
use futures_util::future::join_all;
use hookyard_core::model::{CredentialKind, Level, Scopes};
use hookyard_store::{StoreError, Take, Taken, Turns};
use hookyard_testkit::SimClock;
use jiff::Timestamp;
use proptest::prelude::*;

use super::*;

/// The store shared by nodes, with the contract's arithmetic.
#[derive(Default)]
struct Shared {
    levels: Mutex<HashMap<String, Level>>,
    nodes: AtomicUsize,
    away: AtomicBool,
    /// Gives no answer at all.
    silent: AtomicBool,
    asked: AtomicUsize,
}

#[async_trait]
impl LimitStore for Shared {
    async fn take_turns(&self, takes: Vec<Take>, now: Timestamp) -> Result<Turns, StoreError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        // As long as a round trip takes: others come meanwhile.
        tokio::task::yield_now().await;
        if self.silent.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
        if self.away.load(Ordering::Relaxed) {
            return Err(StoreError::Unavailable("away".to_owned()));
        }
        let now = now.as_microsecond();
        let mut levels = self.levels.lock().unwrap();
        let taken = takes.into_iter().map(|Take { key, quota, owed, wanted }| {
            let level = levels.entry(key).or_default();
            let granted;
            (granted, *level) = quota.grant(*level, owed, wanted, now);
            Taken { granted, level: *level }
        });
        let taken = taken.collect();
        Ok(Turns { taken, nodes: u32::try_from(self.nodes.load(Ordering::Relaxed)).unwrap() })
    }

    async fn forget_buckets(&self, _: Timestamp, _: usize) -> Result<u64, StoreError> {
        Ok(0)
    }
}

/// Some nodes with a limit on each credential.
struct Nodes {
    shared: Arc<Shared>,
    clock: Arc<SimClock>,
    nodes: Vec<Limiter>,
}

impl Nodes {
    fn new(count: usize, hour: impl Into<Option<u32>>, day: impl Into<Option<u32>>) -> Self {
        let rates = Rates { hour: hour.into(), day: day.into() };
        let limits = Limits { credential: rates, address: rates };
        let shared = Arc::new(Shared::default());
        shared.nodes.store(count, Ordering::Relaxed);
        let clock = Arc::new(SimClock::default());
        let node = |_| Limiter::new(limits, Arc::clone(&shared) as _, Arc::clone(&clock) as _);
        Self { nodes: (0..count).map(node).collect(), shared, clock }
    }

    /// A request at a node; returns whether the request goes through.
    async fn request(&self, node: usize) -> bool {
        self.nodes[node].count_credential(&credential(1)).await.is_ok()
    }

    /// So many requests at each node, in turns; how many go through.
    async fn burst(&self, requests: u32) -> u32 {
        let mut through = 0;
        for _ in 0..requests {
            for node in 0..self.nodes.len() {
                through += u32::from(self.request(node).await);
            }
        }
        through
    }

    fn asked(&self) -> usize {
        self.shared.asked.swap(0, Ordering::Relaxed)
    }
}

fn credential(id: i32) -> Credential {
    Credential {
        id: CredentialId(id),
        workspace: hookyard_core::id::WorkspaceId(1),
        kind: CredentialKind::Simple,
        scopes: Scopes::all(),
        name: String::new(),
        created_at: None,
        expires_at: None,
        allowed_ips: Vec::new(),
        last_used_at: None,
        revoked_at: None,
        disabled: false,
        application: None,
        project: None,
    }
}

const HOUR: Duration = Duration::from_secs(3_600);

#[tokio::test]
async fn a_burst_at_all_nodes_gets_exactly_the_limit() {
    for count in [1, 2, 3, 10] {
        for limit in [1, 2, 7, 19, 20, 59, 60, 1_000] {
            let nodes = Nodes::new(count, limit, None);
            assert_eq!(nodes.burst(limit + 5).await, limit, "{count} nodes, {limit}");
            nodes.clock.advance(HOUR + Duration::from_secs(1));
            assert_eq!(nodes.burst(limit + 5).await, limit, "{count} nodes, {limit}, again");
        }
    }
}

#[tokio::test]
async fn requests_at_the_same_moment_share_a_question() {
    let nodes = Nodes::new(2, 1_000, None);
    let requests = (0..4_000).map(|n| nodes.request(n % 2));
    let through = join_all(requests).await.into_iter().filter(|through| *through).count();
    assert_eq!(through, 1_000);
    assert!(nodes.asked() < 50);
}

#[tokio::test]
async fn what_idle_nodes_hold_is_below_a_tenth() {
    for limit in [5, 40, 100, 1_000, 10_000] {
        let nodes = Nodes::new(4, limit, None);
        let mut through = 0;
        for node in 1..4 {
            // Until the node has asked the store and holds the turns taken ahead.
            nodes.asked();
            while nodes.asked() == 0 || through == 0 {
                if !nodes.request(node).await {
                    break;
                }
                through += 1;
            }
        }
        while nodes.request(0).await {
            through += 1;
        }
        assert!(through <= limit && through * 10 >= limit * 9, "{through} of {limit}");
    }
}

#[tokio::test]
async fn far_from_its_limit_a_caller_costs_no_question() {
    let nodes = Nodes::new(2, 1_000, 10_000);
    nodes.request(0).await;
    nodes.asked();
    for id in 2..1_000 {
        assert!(nodes.nodes[0].count_credential(&credential(id)).await.is_ok());
    }
    assert_eq!(nodes.asked(), 0);
}

#[tokio::test]
async fn the_rate_is_kept_over_days() {
    for (count, limit) in [(1, 100), (3, 100), (3, 7), (2, 3_600)] {
        let nodes = Nodes::new(count, limit, None);
        let (hours, step) = (24, Duration::from_millis(997));
        let mut through = 0;
        for second in 0..hours * 3_600_usize {
            through += u32::from(nodes.request(second % count).await);
            nodes.clock.advance(step);
        }
        let ideal = f64::from(limit) * (1.0 + 24.0 * 0.997);
        // No more can come through than comes.
        let ideal = ideal.min(24.0 * 3_600.0);
        let part = f64::from(through) / ideal;
        assert!((0.9..=1.05).contains(&part), "{through} of {ideal}");
    }
}

#[tokio::test]
async fn overload_does_not_ask_more_than_twenty_times_a_second() {
    let nodes = Nodes::new(1, 36_000_000, None);
    while nodes.nodes[0].callers.shards.iter().all(|shard| {
        // Empty the bucket as others would.
        shard.lock().unwrap().is_empty()
    }) {
        nodes.request(0).await;
    }
    let now = nodes.clock.now().as_microsecond();
    let brim = Level(now + QuotaWindow::Hour.micros());
    nodes.shared.levels.lock().unwrap().insert("credential/1/hour".to_owned(), brim);
    while nodes.request(0).await {}
    nodes.asked();
    for _ in 0..10_000 {
        nodes.clock.advance(Duration::from_micros(100));
        nodes.request(0).await;
    }
    assert!((15..=21).contains(&nodes.asked()));
}

#[tokio::test]
async fn both_windows_count_or_neither() {
    let nodes = Nodes::new(1, 10, 25);
    let mut through = 0;
    for _ in 0..2 {
        through += nodes.burst(30).await;
        nodes.clock.advance(HOUR);
    }
    through += nodes.burst(30).await;
    // 10 + 10 in the first two hours; of the day 5 were left, and 2 came back.
    assert_eq!(through, 27);
    let reports = Reports::default();
    let refused = reports.scope(nodes.nodes[0].count_credential(&credential(1))).await;
    assert_eq!(refused.unwrap_err().quota.window, QuotaWindow::Day);
    let left: Vec<_> = reports.take().iter().map(|standing| standing.remaining).collect();
    assert_eq!(left, [3, 0], "what the day refuses does not count in the hour");
}

#[tokio::test]
async fn who_is_refused_hears_when_to_come_again() {
    let nodes = Nodes::new(2, 4, None);
    nodes.burst(4).await;
    let reports = Reports::default();
    let exceeded = reports.scope(nodes.nodes[0].count_credential(&credential(1))).await;
    let exceeded = exceeded.unwrap_err();
    assert_eq!(exceeded.to_string(), "rate of 4 per 3600 second(s) exceeded.");
    assert_eq!(exceeded.wait_seconds(), 900);
    let [standing] = reports.take()[..] else { panic!() };
    assert_eq!((standing.remaining, standing.reset.as_secs()), (0, 3_600));
    nodes.clock.advance(Duration::from_secs(900));
    assert!(nodes.request(0).await);
    assert!(!nodes.request(0).await);
}

#[tokio::test]
async fn what_is_left_is_reported() {
    let nodes = Nodes::new(1, 100, 1_000);
    nodes.request(0).await;
    for left in (0..99).rev() {
        let reports = Reports::default();
        reports.scope(nodes.nodes[0].count_credential(&credential(1))).await.unwrap();
        let found: Vec<_> = reports.take().iter().map(|standing| standing.remaining).collect();
        assert_eq!(found, [left, left + 900]);
    }
}

#[tokio::test(start_paused = true)]
async fn without_the_store_each_node_lets_its_part_through() {
    let nodes = Nodes::new(2, 1_000, None);
    assert_eq!(nodes.burst(200).await, 400);
    nodes.shared.away.store(true, Ordering::Relaxed);
    nodes.asked();
    let through = nodes.burst(1_000).await;
    assert!((540..=625).contains(&through), "{through}");
    assert!(nodes.asked() <= 2, "nobody asks for a second");
    // Requests let through are counted when the store is back.
    nodes.shared.away.store(false, Ordering::Relaxed);
    nodes.clock.advance(Duration::from_secs(36));
    let through = nodes.burst(1_000).await;
    assert!(through <= 60, "{through}");
    nodes.clock.advance(HOUR);
    assert!(nodes.burst(1_000).await >= 900);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_silent_keeps_nobody_waiting_for_long() {
    let nodes = Nodes::new(2, 1_000, None);
    nodes.shared.silent.store(true, Ordering::Relaxed);
    let burst = tokio::time::timeout(Duration::from_secs(5), nodes.burst(1_000)).await;
    // The number of nodes is unknown: each node counts as the only node.
    assert!((1_000..=2_000).contains(&burst.unwrap()));
    assert_eq!(nodes.asked(), 2);
}

#[tokio::test]
async fn an_application_is_one_caller_whatever_its_tokens() {
    let nodes = Nodes::new(1, 5, None);
    let mut through = 0;
    for id in 0..10 {
        let application = Some(ApplicationId(7));
        let token = Credential { application, ..credential(id) };
        through += u32::from(nodes.nodes[0].count_credential(&token).await.is_ok());
    }
    assert_eq!(through, 5);
    let other = Credential { application: Some(ApplicationId(8)), ..credential(1) };
    assert!(nodes.nodes[0].count_credential(&other).await.is_ok());
}

#[tokio::test]
async fn a_network_of_ipv6_is_one_address() {
    let nodes = Nodes::new(1, 2, None);
    let mut answers = Vec::new();
    for address in [
        "2001:db8::1",
        "2001:db8::2",
        "2001:db8::3",
        "2001:db8:0:1::1",
        "::ffff:1.2.3.4",
        "1.2.3.4",
        "1.2.3.4",
        "1.2.3.5",
    ] {
        let counted = nodes.nodes[0].count_address(Some(address.parse().unwrap())).await;
        answers.push(counted.is_ok());
    }
    assert_eq!(answers, [true, true, false, true, true, true, false, true]);
}

#[tokio::test]
async fn callers_are_bounded_and_those_near_their_limit_stay() {
    let nodes = Nodes::new(1, 1_000, None);
    let limiter = &nodes.nodes[0];
    nodes.burst(2_000).await;
    for id in 0..100_000_u32 {
        let _ = limiter.count_address(Some(IpAddr::V4((0x0a00_0000 + id).into()))).await;
    }
    let kept: usize = limiter.callers.shards.iter().map(|shard| shard.lock().unwrap().len()).sum();
    assert!(kept <= SHARDS * CALLERS_PER_SHARD_MAX, "{kept}");
    assert!(kept > CALLERS_PER_SHARD_MAX, "{kept}");
    nodes.asked();
    assert!(!nodes.request(0).await);
    assert_eq!(nodes.asked(), 0, "it is remembered");
    nodes.clock.advance(2 * HOUR);
    for id in 0..100_000_u32 {
        let _ = limiter.count_address(Some(IpAddr::V4((0x0b00_0000 + id).into()))).await;
    }
    assert!(nodes.request(0).await);
}

#[tokio::test]
async fn nothing_is_counted_when_nothing_is_limited() {
    let nodes = Nodes::new(1, None, None);
    assert!(!nodes.nodes[0].is_on());
    let reports = Reports::default();
    reports.scope(nodes.nodes[0].count_credential(&credential(1))).await.unwrap();
    assert_eq!((reports.take(), nodes.asked()), (Vec::new(), 0));
}

/// Requests at moments and nodes of chance, and the requests that go through.
async fn run(count: usize, limit: u32, steps: &[(u64, usize)]) -> Vec<(u64, bool)> {
    let nodes = Nodes::new(count, limit, None);
    let (mut at, mut all) = (0, Vec::new());
    for (pause, node) in steps {
        at += pause;
        nodes.clock.advance(Duration::from_millis(*pause));
        all.push((at, nodes.request(node % count).await));
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// In any stretch of time at most 105 % of the requests that a single bucket could let through,
    /// and altogether at least 90 %.
    #[test]
    fn whatever_comes_where_the_limit_holds(
        count in 1_usize..6,
        limit in 1_u32..400,
        steps in prop::collection::vec((0_u64..20_000, 0_usize..6), 50..600),
        squeeze in 1_u64..400,
    ) {
        let steps: Vec<_> = steps.into_iter().map(|(pause, node)| (pause / squeeze, node)).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let all = runtime.block_on(run(count, limit, &steps));
        let quota = Quota { turns: limit, window: QuotaWindow::Hour };
        let (mut level, mut ideal, mut through) = (Level::default(), 0_u32, 0_u32);
        for (at, is_through) in &all {
            let now = i64::try_from(*at).unwrap() * 1_000 + 1;
            let granted;
            (granted, level) = quota.grant(level, 0, 1, now);
            ideal += granted;
            through += u32::from(*is_through);
            let least = f64::from(ideal) * 0.9 - 1.0;
            prop_assert!(f64::from(through) >= least, "{through} of {ideal}");
        }
        for (first, (since, _)) in all.iter().enumerate() {
            let mut sum = 0.0;
            for (at, is_through) in &all[first..] {
                sum += f64::from(u8::from(*is_through));
                let leaked = (at - since) as f64 / 3_600_000.0;
                let most = f64::from(limit) * (1.05 + leaked) + 1.0;
                prop_assert!(sum <= most, "{sum} of {most}");
            }
        }
    }
}
