//! Several bundles in flight to one endpoint, and the order of each key.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use hookyard_core::clock::{Clock, SystemClock};
use hookyard_core::id::EndpointId;
use hookyard_core::model::{
    Concurrency, EndpointSettings, RateLimit, RateUnit, RetryAction, RetryRule,
};
use hookyard_engine::deliver::{Dispatcher, Outgoing, Step, Worker};
use hookyard_engine::replays::{ReplaySpec, Replayer};
use hookyard_store::DeadLetters;
use hookyard_testkit::{SeededEntropy, SimClock};

use crate::faulty::{Op, When};
use crate::frozen::signed;
use crate::scripted::{Reaction, status};
use crate::sim::{Sim, WORKSPACE, orders, type_id};

/// So many keys, taken in turns by the order number.
const KEYS: u64 = 5;

pub(crate) fn key(order: u64) -> u64 {
    order % KEYS
}

fn object(order: u64) -> String {
    format!(r#"{{"order_id":"{order}","customer":{{"id":{}}}}}"#, key(order))
}

pub(crate) fn lanes(bundles: u32, maximum_events: i32) -> impl FnOnce(&mut EndpointSettings) {
    move |settings| {
        signed(settings);
        settings.maximum_events = maximum_events;
        settings.options.concurrency = Concurrency::new(bundles, Some("customer.id")).unwrap();
    }
}

pub(crate) async fn publish(sim: &Sim, numbers: std::ops::Range<u64>, endpoint: EndpointId) {
    sim.publish_objects(numbers.map(object), &[endpoint]).await;
}

/// An endpoint with this many orders queued.
async fn queued(sim: &Sim, bundles: u32, maximum_events: i32, orders: u64) -> EndpointId {
    let endpoint = sim.endpoint("/a", lanes(bundles, maximum_events)).await.id;
    publish(sim, 0..orders, endpoint).await;
    endpoint
}

fn of_key(wanted: u64) -> impl Fn(&Outgoing) -> bool + Send + Sync {
    move |request| orders(&request.body).into_iter().any(|order| key(order) == wanted)
}

pub(crate) fn has(wanted: u64) -> impl Fn(&Outgoing) -> bool + Send + Sync {
    move |request| orders(&request.body).contains(&wanted)
}

/// Steps until nothing more can be done before some time has passed.
async fn until_waiting(sim: &Sim, worker: &mut Worker) -> Step {
    for _ in 0..1_000 {
        match sim.deliverer.step(worker).await {
            Ok(step @ (Step::Idle | Step::Wait(_) | Step::Disabled | Step::Gone)) => return step,
            Ok(_) => {}
            Err(planned) => panic!("{planned}"),
        }
    }
    panic!("no end");
}

/// Checks that each key kept its order, that no two requests in flight had the same key, and that
/// there were no more of them than allowed. `parked` were given up.
pub(crate) fn check(sim: &Sim, published: u64, parked: &BTreeSet<u64>, most: usize, case: &str) {
    let requests = sim.receivers.answered();
    let taken: Vec<bool> =
        sim.receivers.requests_to("/a").into_iter().map(|(_, taken)| taken).collect();
    let mut next: HashMap<u64, u64> = (0..KEYS).map(|key| (key, key)).collect();
    for (number, (request, answered)) in requests.iter().enumerate() {
        let its = orders(&request.body);
        let keys: HashSet<u64> = its.iter().copied().map(key).collect();
        let end = (*answered).min(requests.len());
        for (other, _) in &requests[number + 1..end.max(number + 1)] {
            let shared = orders(&other.body).into_iter().any(|order| keys.contains(&key(order)));
            assert!(!shared, "{case}: {its:?} and {:?} in flight", orders(&other.body));
        }
        let flying = requests[..number].iter().filter(|(_, answered)| *answered > number).count();
        assert!(flying < most, "{case}: {} in flight", flying + 1);
        let mut at: BTreeMap<u64, u64> = BTreeMap::new();
        for order in its {
            let expected = *at.entry(key(order)).or_insert(order);
            // What was parked is passed over.
            let gap = (expected..order).step_by(5).all(|order| parked.contains(&order));
            assert!(gap, "{case}: order {order} came after {expected}");
            let due = next[&key(order)].max(expected);
            let behind = (due..order).step_by(5).all(|order| parked.contains(&order));
            assert!(order <= due || behind, "{case}: order {order} overtook {due}");
            at.insert(key(order), order + KEYS);
        }
        if taken[number] {
            for (key, end) in at {
                next.entry(key).and_modify(|next| *next = end.max(*next));
            }
        }
    }
    let got: BTreeSet<u64> = requests
        .iter()
        .zip(&taken)
        .filter(|(_, taken)| **taken)
        .flat_map(|((request, _), _)| orders(&request.body))
        .collect();
    let expected: BTreeSet<u64> = (0..published).filter(|order| !parked.contains(order)).collect();
    assert_eq!(got, expected, "{case}");
}

#[tokio::test]
async fn a_receiver_that_is_stuck_on_one_key_gets_the_others() {
    let sim = Sim::start().await;
    let endpoint = queued(&sim, 3, 1, 12).await;
    sim.receivers.script("/a", [Reaction::Hang]);
    let mut worker = sim.worker(endpoint).await;
    let all = async {
        while sim.state(endpoint).await.pending > 3 {
            assert!(matches!(sim.step(&mut worker).await, Step::Sent { events: 1, .. }));
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(20), all).await.is_ok());
    // Orders 0, 5 and 10 have the key that nothing gets through for.
    let delivered: BTreeSet<u64> = sim.delivered().concat().into_iter().collect();
    assert_eq!(delivered, (0..12).filter(|order| ![5, 10].contains(order)).collect());
    let waits = async {
        loop {
            // What was recorded and not yet taken in.
            sim.step(&mut worker).await;
        }
    };
    let more: Result<(), _> = tokio::time::timeout(Duration::from_millis(20), waits).await;
    assert!(more.is_err() && sim.receivers.count("/a") == 10, "nothing more is started");
    // After a crash that one is sent again, and nothing else.
    drop(worker);
    sim.receivers.cut_off();
    let sim = sim.crash();
    sim.run_until_idle(&mut sim.worker(endpoint).await).await;
    assert_eq!(sim.delivered().concat()[10..], [0, 5, 10]);
}

#[tokio::test]
async fn bundles_take_the_first_free_keys() {
    let sim = Sim::start().await;
    let endpoint = queued(&sim, 2, 3, 10).await;
    sim.receivers.dawdle(1);
    sim.run_until_idle(&mut sim.worker(endpoint).await).await;
    let delivered = sim.delivered();
    assert_eq!(delivered[..2], [vec![0, 1, 2], vec![3, 4, 8]]);
    check(&sim, 10, &BTreeSet::new(), 2, "");
    let sorted: BTreeSet<u64> = delivered.concat().into_iter().collect();
    assert_eq!((delivered.concat().len(), sorted.len()), (10, 10), "{delivered:?}");
}

#[tokio::test]
async fn events_without_a_key_keep_one_order() {
    let sim = Sim::start().await;
    let endpoint = sim.endpoint("/a", lanes(8, 1)).await.id;
    sim.publish(20, &[endpoint]).await;
    sim.receivers.dawdle(3);
    sim.run_until_idle(&mut sim.worker(endpoint).await).await;
    assert_eq!(sim.delivered().concat(), (0..20).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_failed_bundle_waits_and_the_others_pass_it() {
    let sim = Sim::start().await;
    let endpoint = queued(&sim, 3, 1, 10).await;
    sim.receivers.refuse("/a", 500, of_key(1));
    let mut worker = sim.worker(endpoint).await;
    let mut waits = Vec::new();
    for failures in 0..4 {
        let Step::Wait(until) = until_waiting(&sim, &mut worker).await else { panic!("no wait") };
        let state = sim.state(endpoint).await;
        assert_eq!((state.pending, state.failures), (2, failures));
        // A success of another bundle closes the circuit; this one waits all the same.
        assert_eq!(state.retry_at, (failures > 0).then_some(until));
        waits.push(Duration::try_from(until.duration_since(sim.clock.now())).unwrap().as_secs());
        sim.clock.advance_to(until);
    }
    // By its own schedule, whatever the others do.
    let expected = [4..=5, 8..=10, 16..=20, 32..=40];
    assert!(waits.iter().zip(expected).all(|(wait, range)| range.contains(wait)), "{waits:?}");
    // What comes meanwhile does not wait for it.
    publish(&sim, 10..13, endpoint).await;
    let before = sim.delivered().len();
    until_waiting(&sim, &mut worker).await;
    let after: BTreeSet<u64> = sim.delivered()[before..].concat().into_iter().collect();
    assert!(after.contains(&10) && after.contains(&12) && !after.contains(&11), "{after:?}");
    assert_eq!(sim.state(endpoint).await.failures, 0, "a success in between");
    sim.receivers.forgive("/a");
    sim.run_until_idle(&mut worker).await;
    check(&sim, 13, &BTreeSet::new(), 3, "");
    // The same bundle at every try.
    let tries = sim.receivers.requests().into_iter().filter(has(1));
    let ids: HashSet<_> = tries.map(|request| request.headers["webhook-id"].clone()).collect();
    assert_eq!(ids.len(), 1);
}

#[tokio::test]
async fn a_receiver_that_is_down_is_tried_one_bundle_at_a_time() {
    let sim = Sim::start().await;
    let endpoint = queued(&sim, 4, 1, 40).await;
    sim.receivers.always("/a", status(503));
    let mut worker = sim.worker(endpoint).await;
    let Step::Wait(first) = until_waiting(&sim, &mut worker).await else { panic!("no wait") };
    assert_eq!(sim.receivers.count("/a"), 4, "each lane has tried, and no more is started");
    sim.receivers.dawdle(5);
    sim.clock.advance_to(first);
    sim.clock.advance(Duration::from_secs(5));
    until_waiting(&sim, &mut worker).await;
    let requests = sim.receivers.answered();
    assert_eq!(requests.len(), 8);
    let alone = requests.iter().enumerate().skip(4).all(|(at, (_, end))| *end == at + 1);
    assert!(alone, "half-open: one decides");
    sim.receivers.always("/a", status(200));
    sim.run_until_idle(&mut worker).await;
    check(&sim, 40, &BTreeSet::new(), 4, "");
}

#[tokio::test]
async fn an_event_that_is_refused_holds_up_its_key_only() {
    let sim = Sim::start().await;
    let endpoint = queued(&sim, 3, 8, 30).await;
    sim.receivers.refuse("/a", 422, has(7));
    let mut worker = sim.worker(endpoint).await;
    until_waiting(&sim, &mut worker).await;
    // 7, 12, 17, 22 and 27 have its key.
    assert_eq!(sim.state(endpoint).await.pending, 5);
    let sim = sim.crash();
    sim.run_until_idle(&mut sim.worker(endpoint).await).await;
    assert_eq!(sim.dead(endpoint).await, [7]);
    check(&sim, 30, &BTreeSet::from([7]), 3, "");
    let lone = sim.attempts(endpoint).await.into_iter().filter(|attempt| {
        attempt.record.events.len() == 1 && attempt.record.outcome.status == Some(422)
    });
    assert_eq!(lone.count(), 10);
    sim.receivers.forgive("/a");
    assert_eq!(
        sim.engine.redeliver_dead_letters(WORKSPACE, endpoint, DeadLetters::All).await.unwrap(),
        1
    );
    sim.run_until_idle(&mut sim.worker(endpoint).await).await;
    assert_eq!(sim.delivered().last(), Some(&vec![7]));
}

#[tokio::test]
async fn an_event_that_can_never_be_sent_is_parked() {
    let sim = Sim::start().await;
    let endpoint = queued(&sim, 2, 4, 0).await;
    let text = "x".repeat(950_000);
    let large = format!(r#"{{"order_id":"0","customer":{{"id":0}},"text":"{text}"}}"#);
    sim.publish_object(large, &[endpoint]).await;
    publish(&sim, 1..9, endpoint).await;
    sim.run_until_idle(&mut sim.worker(endpoint).await).await;
    assert_eq!(sim.dead(endpoint).await, [0]);
    check(&sim, 9, &BTreeSet::from([0]), 2, "");
}

#[tokio::test]
async fn events_gone_from_the_journal_are_passed_over() {
    let sim = Sim::start().await;
    let endpoint = queued(&sim, 2, 4, 9).await;
    sim.store.forget(2);
    let mut worker = sim.worker(endpoint).await;
    // The head, which says how many bundles there are, is read first.
    sim.store.forget(0);
    sim.step(&mut worker).await;
    sim.run_until_idle(&mut worker).await;
    check(&sim, 9, &BTreeSet::new(), 2, "");
    publish(&sim, 9..12, endpoint).await;
    let mut worker = sim.worker(endpoint).await;
    assert!(matches!(sim.step(&mut worker).await, Step::Sent { .. }));
    publish(&sim, 12..15, endpoint).await;
    sim.store.forget(2);
    let mut dropped = 0;
    loop {
        match sim.step(&mut worker).await {
            Step::Dropped { entries, .. } => dropped += entries,
            Step::Idle => break,
            _ => {}
        }
    }
    assert_eq!((dropped, sim.state(endpoint).await.pending), (2, 0));
    assert_eq!(sim.receivers.requests().iter().filter(|request| has(14)(request)).count(), 1);
}

#[tokio::test]
async fn a_key_that_waits_is_overtaken_within_the_window_only() {
    let sim = Sim::start().await;
    let endpoint = sim.endpoint("/a", lanes(2, 100)).await.id;
    let own_key = |order: u64| format!(r#"{{"order_id":"{order}","customer":{{"id":{order}}}}}"#);
    sim.publish_objects((0..1_200).map(own_key), &[endpoint]).await;
    sim.receivers.refuse("/a", 500, has(0));
    let mut worker = sim.worker(endpoint).await;
    for _ in 0..3 {
        let Step::Wait(until) = until_waiting(&sim, &mut worker).await else { panic!("no wait") };
        sim.clock.advance_to(until);
    }
    // A hundred wait, and the others of the first 1,024 have passed them.
    assert_eq!(sim.state(endpoint).await.pending, 1_200 - 924);
    let sim = sim.crash();
    sim.receivers.forgive("/a");
    sim.run_until_idle(&mut sim.worker(endpoint).await).await;
    let requests = sim.receivers.requests_to("/a").into_iter().filter(|(_, taken)| *taken);
    let mut taken: Vec<u64> = requests.flat_map(|(request, _)| orders(&request.body)).collect();
    taken.sort_unstable();
    assert_eq!(taken, (0..1_200).collect::<Vec<_>>());
}

#[tokio::test]
async fn live_reflowed_and_replayed_events_keep_the_order_of_their_key() {
    let sim = Sim::start().await;
    let endpoint = queued(&sim, 4, 3, 50).await;
    sim.receivers.dawdle(4);
    let mut worker = sim.worker(endpoint).await;
    for _ in 0..5 {
        sim.step(&mut worker).await;
    }
    let now = sim.clock.now();
    sim.shared().reflow(WORKSPACE, endpoint, type_id("order_create"), None, now).await.unwrap();
    publish(&sim, 50..60, endpoint).await;
    sim.engine.start_replay(WORKSPACE, endpoint, ReplaySpec::default()).await.unwrap();
    let replayer = Replayer::new(Arc::clone(&sim.engine));
    while replayer.step(endpoint).await.unwrap() || sim.step(&mut worker).await != Step::Idle {}
    let delivered = sim.delivered().concat();
    for wanted in 0..KEYS {
        let its: Vec<u64> =
            delivered.iter().copied().filter(|order| key(*order) == wanted).collect();
        let of = |orders: std::ops::Range<u64>| orders.filter(|order| key(*order) == wanted);
        let expected: Vec<u64> =
            of(0..50).chain(of(0..50)).chain(of(50..60)).chain(of(0..60)).collect();
        assert_eq!(its, expected, "key {wanted}");
    }
}

#[tokio::test]
async fn one_rate_limit_is_for_all_lanes() {
    let sim = Sim::start().await;
    let endpoint = queued(&sim, 4, 3, 30).await;
    let limit = RateLimit { unit: RateUnit::Events, count: 6, seconds: 1, burst: Some(6) };
    sim.update(endpoint, |settings| settings.options.rate_limit = Some(limit)).await;
    let mut worker = sim.worker(endpoint).await;
    let mut sent = Vec::new();
    loop {
        match until_waiting(&sim, &mut worker).await {
            Step::Wait(until) => sim.clock.advance_to(until),
            _ => break,
        }
        sent.push(sim.delivered().concat().len());
    }
    assert_eq!(sent[0], 6, "the burst: {sent:?}");
    assert!(sim.clock.monotonic() >= Duration::from_secs(3), "{:?}", sim.clock.monotonic());
    check(&sim, 30, &BTreeSet::new(), 4, "");
}

#[tokio::test]
async fn disabling_lets_requests_in_flight_end() {
    let sim = Sim::start().await;
    let endpoint = queued(&sim, 3, 1, 9).await;
    sim.receivers.dawdle(6);
    sim.receivers.script("/a", [status(410)]);
    let mut worker = sim.worker(endpoint).await;
    assert_eq!(until_waiting(&sim, &mut worker).await, Step::Disabled);
    let attempts = sim.attempts(endpoint).await;
    let statuses: Vec<_> = attempts.iter().map(|attempt| attempt.record.outcome.status).collect();
    assert_eq!(statuses.iter().filter(|status| **status == Some(410)).count(), 1);
    assert_eq!(sim.receivers.count("/a"), attempts.len(), "nothing was cut off");
    assert_eq!(sim.state(endpoint).await.pending, 9 + 1 - attempts.len() as u64);
    sim.update(endpoint, |settings| settings.disabled = false).await;
    sim.run_until_idle(&mut sim.worker(endpoint).await).await;
    check(&sim, 9, &BTreeSet::new(), 3, "");
}

#[tokio::test]
async fn rules_count_the_failures_of_the_bundle_and_of_the_endpoint() {
    let sim = Sim::start().await;
    let endpoint = queued(&sim, 2, 1, 10).await;
    let rule = |status: &str, action, after| RetryRule {
        status: status.parse().unwrap(),
        action,
        after: Some(after),
    };
    let rules = vec![rule("404", RetryAction::Drop, 3), rule("500", RetryAction::Disable, 6)];
    sim.update(endpoint, |settings| settings.options.retry = rules).await;
    // Others get through meanwhile, and yet the third failure of this one is its third.
    sim.receivers.refuse("/a", 404, has(0));
    sim.run_until_idle(&mut sim.worker(endpoint).await).await;
    let tries = sim.receivers.requests().into_iter().filter(has(0)).count();
    assert_eq!((tries, sim.dead(endpoint).await.len()), (3, 0));
    sim.receivers.always("/a", status(500));
    publish(&sim, 10..20, endpoint).await;
    let mut worker = sim.worker(endpoint).await;
    let before = sim.receivers.count("/a");
    while let Step::Wait(until) = until_waiting(&sim, &mut worker).await {
        sim.clock.advance_to(until);
    }
    assert_eq!(sim.receivers.count("/a") - before, 6, "two lanes, one circuit");
}

#[tokio::test]
async fn concurrency_changes_between_bundles() {
    let mut sim = Sim::start().await;
    let endpoint = queued(&sim, 4, 2, 60).await;
    sim.receivers.dawdle(5);
    sim.receivers.script("/a", [200, 500, 200, 200, 500].map(status));
    let mut worker = sim.worker(endpoint).await;
    for (round, change) in [1_u32, 3, 1, 2].into_iter().enumerate() {
        for _ in 0..6 {
            if let Step::Wait(until) | Step::Failed(until) = sim.step(&mut worker).await {
                sim.clock.advance_to(until);
            }
        }
        let key = (change > 1).then_some("customer.id");
        let concurrency = Concurrency::new(change, key).unwrap();
        sim.update(endpoint, |settings| settings.options.concurrency = concurrency).await;
        // What is in flight ends first.
        if let Step::Wait(until) | Step::Failed(until) = sim.step(&mut worker).await {
            sim.clock.advance_to(until);
        }
        if round % 2 == 0 {
            drop(worker);
            sim.shared().health().await.unwrap();
            sim.receivers.cut_off();
            sim = sim.crash();
            worker = sim.worker(endpoint).await;
        }
    }
    sim.run_until_idle(&mut worker).await;
    check(&sim, 60, &BTreeSet::new(), 4, "");
}

#[tokio::test]
async fn any_single_failure_of_the_store_loses_nothing_and_keeps_each_order() {
    const BUNDLES: usize = 3;
    for op in [Op::Head, Op::Window, Op::Read, Op::Settle] {
        for when in [When::BeforeCommit, When::AfterCommit] {
            for nth in [1, 2, 5, 9] {
                let sim = Sim::start().await;
                sim.receivers.script("/a", [status(200), status(503)]);
                sim.receivers.refuse("/a", 422, has(6));
                sim.receivers.dawdle(3);
                let endpoint = queued(&sim, 3, 2, 17).await;
                sim.store.fail(op, nth, when);
                sim.run_until_idle(&mut sim.worker(endpoint).await).await;
                let case = format!("{op:?} {nth} {when:?}");
                assert_eq!(sim.dead(endpoint).await, [6], "{case}");
                check(&sim, 17, &BTreeSet::from([6]), BUNDLES, &case);
                let recorded = sim.attempts(endpoint).await.len();
                let unknown = sim.receivers.count("/a") - recorded;
                assert!(unknown <= 1, "{case}: {unknown} more than is recorded");
                assert_eq!(sim.state(endpoint).await.pending, 0, "{case}");
            }
        }
    }
}

/// Claim, window, read, settle: a crash after each, however far the others are.
#[tokio::test]
async fn a_crash_after_any_step_repeats_what_was_in_flight_and_nothing_else() {
    const BUNDLES: usize = 3;
    for crash_after in 0..12 {
        let sim = Sim::start().await;
        let endpoint = queued(&sim, 3, 2, 19).await;
        sim.receivers.dawdle(4);
        let mut worker = sim.worker(endpoint).await;
        for _ in 0..crash_after {
            sim.step(&mut worker).await;
        }
        drop(worker);
        sim.shared().health().await.unwrap();
        sim.receivers.cut_off();
        let sim = sim.crash();
        sim.run_until_idle(&mut sim.worker(endpoint).await).await;
        let case = format!("crash after {crash_after}");
        check(&sim, 19, &BTreeSet::new(), BUNDLES, &case);
        let repeated = sim.delivered().len() - sim.attempts(endpoint).await.len();
        assert!(repeated <= BUNDLES, "{case}: {repeated} bundles were in flight");
    }
}

/// Random faults of receiver and store, crashes and changes, each from a seed.
struct Run {
    sim: Sim,
    chance: SeededEntropy,
    endpoint: EndpointId,
    worker: Worker,
    published: u64,
    /// How many bundles the crashes and the store may have repeated.
    repeats: usize,
    faults: usize,
}

const MOST: u32 = 5;

fn is_refused(order: u64) -> bool {
    order % 11 == 3
}

impl Run {
    async fn start(seed: u64) -> Self {
        let (sim, chance) = (Sim::start().await, SeededEntropy::new(seed));
        let bundles = 2 + u32::try_from(seed % u64::from(MOST - 1)).unwrap();
        let most = 1 + i32::try_from(seed % 4).unwrap();
        let endpoint = sim.endpoint("/a", lanes(bundles, most)).await.id;
        let offence = |request: &Outgoing| orders(&request.body).into_iter().any(is_refused);
        sim.receivers.refuse("/a", 422, offence);
        sim.receivers.dawdle(usize::try_from(seed % 7).unwrap());
        let worker = sim.worker(endpoint).await;
        Self { sim, chance, endpoint, worker, published: 0, repeats: 0, faults: 0 }
    }

    fn below(&self, bound: u64) -> usize {
        usize::try_from(self.chance.number() % bound).unwrap()
    }

    async fn round(&mut self) {
        match self.below(14) {
            0..=3 => {
                let count = self.chance.number() % 6;
                publish(&self.sim, self.published..self.published + count, self.endpoint).await;
                self.published += count;
            }
            4 => {
                let op = [Op::Head, Op::Window, Op::Read, Op::Settle][self.below(4)];
                let when = [When::BeforeCommit, When::AfterCommit][self.below(2)];
                self.sim.store.fail(op, 1 + self.below(4), when);
                self.repeats += 1;
            }
            5 => {
                let reaction = [Reaction::Refuse, status(500), status(302)][self.below(3)].clone();
                let times = 1 + self.below(4);
                self.faults += times;
                self.sim.receivers.script("/a", std::iter::repeat_n(reaction, times));
            }
            6 => self.sim.clock.advance(Duration::from_secs(self.chance.number() % 60)),
            7 if self.below(4) == 0 => self.change().await,
            8 if self.below(3) == 0 => self.crash().await,
            _ => {
                // A failure was planned.
                let _ = self.sim.deliverer.step(&mut self.worker).await;
            }
        }
    }

    async fn change(&mut self) {
        let bundles = 1 + u32::try_from(self.below(MOST.into())).unwrap();
        let key = (bundles > 1).then_some("customer.id");
        let concurrency = Concurrency::new(bundles, key).unwrap();
        let most = 1 + i32::try_from(self.below(4)).unwrap();
        let change = |settings: &mut EndpointSettings| {
            settings.options.concurrency = concurrency;
            settings.maximum_events = most;
        };
        self.sim.update(self.endpoint, change).await;
    }

    async fn crash(&mut self) {
        let gone = Sim::start().await;
        let idle = gone.worker(gone.endpoint("/x", |_| {}).await.id).await;
        drop(std::mem::replace(&mut self.worker, idle));
        self.sim.shared().health().await.unwrap();
        self.sim.receivers.cut_off();
        self.sim = std::mem::replace(&mut self.sim, gone).crash();
        self.worker = self.sim.worker(self.endpoint).await;
        self.repeats += usize::try_from(MOST).unwrap();
    }

    async fn check(&mut self, seed: u64) {
        self.sim.run_until_idle(&mut self.worker).await;
        let mut dead = self.sim.dead(self.endpoint).await;
        dead.sort_unstable();
        let parked: BTreeSet<u64> =
            (0..self.published).filter(|order| is_refused(*order)).collect();
        assert_eq!(dead, parked.iter().copied().collect::<Vec<_>>(), "seed {seed}");
        let most = usize::try_from(MOST).unwrap();
        check(&self.sim, self.published, &parked, most, &format!("seed {seed}"));
        let mut bundles: HashMap<String, Vec<u64>> = HashMap::new();
        for request in self.sim.receivers.requests() {
            let id = request.headers["webhook-id"].to_str().unwrap().to_owned();
            let its = orders(&request.body);
            assert_eq!(bundles.entry(id).or_insert_with(|| its.clone()), &its, "seed {seed}");
        }
        let attempts = self.sim.attempts(self.endpoint).await;
        let settled: u32 = attempts.iter().map(|attempt| attempt.record.advance).sum();
        assert_eq!(u64::from(settled), self.published, "seed {seed}");
        let unknown = self.sim.receivers.count("/a") - attempts.len();
        assert!(unknown <= self.repeats, "seed {seed}: {unknown} more than is recorded");
    }
}

#[tokio::test]
async fn any_run_of_faults_keeps_the_order_of_each_key() {
    for seed in 0..12 {
        let mut run = Run::start(seed).await;
        for _ in 0..150 {
            run.round().await;
        }
        run.check(seed).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_dispatcher_starts_what_is_published_while_others_are_in_flight() {
    const PATIENCE: Duration = Duration::from_secs(20);
    let sim = Sim::start_on(Arc::new(SimClock::default()), Arc::new(SystemClock::new())).await;
    let dispatcher = Dispatcher::start(Arc::clone(&sim.deliverer));
    let endpoint = sim.endpoint("/a", lanes(4, 1)).await.id;
    sim.receivers.script("/a", [Reaction::Hang]);
    publish(&sim, 0..1, endpoint).await;
    let wait = async |wanted: usize| {
        while sim.receivers.count("/a") < wanted {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, wait(1)).await.is_ok());
    for order in 1..40 {
        publish(&sim, order..order + 1, endpoint).await;
    }
    // Eight orders have the key that hangs.
    assert!(tokio::time::timeout(PATIENCE, wait(33)).await.is_ok());
    let delivered = sim.delivered().concat();
    for wanted in 1..KEYS {
        let its: Vec<u64> =
            delivered.iter().copied().filter(|order| key(*order) == wanted).collect();
        assert!(its.is_sorted() && its.len() == 8, "{its:?}");
    }
    assert!(!dispatcher.shutdown(Duration::from_millis(50)).await, "one is cut off");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_dispatcher_outlives_a_failing_store() {
    const PATIENCE: Duration = Duration::from_secs(20);
    let sim = Sim::start_on(Arc::new(SimClock::default()), Arc::new(SystemClock::new())).await;
    for op in [Op::Claim, Op::Settle] {
        sim.store.fail(op, 1, When::BeforeCommit);
    }
    let dispatcher = Dispatcher::start(Arc::clone(&sim.deliverer));
    let endpoint = sim.endpoint("/a", lanes(4, 1)).await.id;
    publish(&sim, 0..30, endpoint).await;
    let delivered = async {
        while sim.state(endpoint).await.pending > 0 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, delivered).await.is_ok());
    assert!(dispatcher.shutdown(PATIENCE).await);
    let all: BTreeSet<u64> = sim.delivered().concat().into_iter().collect();
    assert_eq!(all.len(), 30);
}
