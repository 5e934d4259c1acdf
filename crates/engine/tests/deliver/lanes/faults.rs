//! Failures of the store, and crashes, at any moment.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use hookyard_core::id::EndpointId;
use hookyard_core::model::{Concurrency, EndpointSettings};
use hookyard_engine::deliver::{Outgoing, Worker};
use hookyard_testkit::SeededEntropy;

use super::{check, has, lanes, publish, queued};
use crate::faulty::{Op, When};
use crate::scripted::{Reaction, status};
use crate::sim::{Sim, orders};

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
