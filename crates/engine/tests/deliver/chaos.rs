//! Runs of random faults, each from a seed.

use std::time::Duration;

use hookyard_core::id::EndpointId;
use hookyard_engine::deliver::{Outgoing, Worker};
use hookyard_testkit::SeededEntropy;

use crate::faulty::{Op, When};
use crate::scripted::{Reaction, status, status_with};
use crate::sim::{Sim, orders};

const SEEDS: u64 = 12;
const ROUNDS: usize = 120;

/// One endpoint and what was published to it.
struct Target {
    path: String,
    id: EndpointId,
    worker: Worker,
    published: Vec<u64>,
    faults: usize,
}

struct Run {
    sim: Sim,
    chance: SeededEntropy,
    targets: Vec<Target>,
    published: u64,
    store_faults: usize,
}

/// The last of the three receivers refuses one order in seven for good.
const PICKY: usize = 2;

fn is_refused(order: u64) -> bool {
    order % 7 == 3
}

impl Run {
    async fn start(seed: u64) -> Self {
        let (sim, chance) = (Sim::start().await, SeededEntropy::new(seed));
        let mut targets = Vec::new();
        for index in 0..3 {
            let path = format!("/{index}");
            let most = 1 + index * 2;
            let id = sim.endpoint(&path, |settings| settings.maximum_events = most).await.id;
            let worker = sim.worker(id).await;
            if targets.len() == PICKY {
                let offence =
                    |request: &Outgoing| orders(&request.body).into_iter().any(is_refused);
                sim.receivers.refuse(&path, 422, offence);
            }
            targets.push(Target { path, id, worker, published: Vec::new(), faults: 0 });
        }
        Self { sim, chance, targets, published: 0, store_faults: 0 }
    }

    /// A number below `bound`.
    fn below(&self, bound: u64) -> usize {
        usize::try_from(self.chance.number() % bound).unwrap()
    }

    async fn publish(&mut self) {
        let chosen = self.chance.number();
        let mut matched = Vec::new();
        for (index, target) in self.targets.iter_mut().enumerate() {
            if chosen >> index & 1 == 1 {
                target.published.push(self.published);
                matched.push(target.id);
            }
        }
        self.published += 1;
        self.sim.publish(1, &matched).await;
    }

    fn fail_store(&mut self) {
        let op = [Op::Head, Op::Settle][self.below(2)];
        let when = [When::BeforeCommit, When::AfterCommit][self.below(2)];
        self.sim.store.fail(op, 1 + self.below(3), when);
        self.store_faults += 1;
    }

    fn fail_receiver(&mut self) {
        let reaction = match self.below(4) {
            0 => Reaction::Refuse,
            1 => status(500),
            2 => status(302),
            _ => status_with(429, "retry-after", "30"),
        };
        let (index, times) = (self.below(3), 1 + self.below(4));
        self.targets[index].faults += times;
        let path = &self.targets[index].path;
        self.sim.receivers.script(path, std::iter::repeat_n(reaction, times));
    }

    async fn round(&mut self) {
        match self.below(10) {
            0..=3 => self.publish().await,
            4 => self.fail_store(),
            5 => self.fail_receiver(),
            6 => self.sim.clock.advance(Duration::from_secs(self.chance.number() % 60)),
            _ => {
                let index = self.below(3);
                let worker = &mut self.targets[index].worker;
                // A failure was planned.
                let _ = self.sim.deliverer.step(worker).await;
            }
        }
    }

    /// Nothing was lost, nothing overtook, and each fault repeated one bundle at most.
    async fn check(&mut self, seed: u64) {
        for (index, target) in self.targets.iter_mut().enumerate() {
            self.sim.run_until_idle(&mut target.worker).await;
            let mut dead = self.sim.dead(target.id).await;
            dead.sort_unstable();
            let refused = |order: &&u64| index == PICKY && is_refused(**order);
            let parked: Vec<_> = target.published.iter().filter(refused).copied().collect();
            assert_eq!(dead, parked, "seed {seed}");
            let expected = &target.published;
            let requests = self.sim.receivers.requests_to(&target.path);
            let mut next = 0;
            for (request, taken) in &requests {
                let request = orders(&request.body);
                let place = expected.iter().position(|order| order == &request[0]).unwrap();
                // What was parked is passed over, one at a time.
                while next < place && parked.contains(&expected[next]) {
                    next += 1;
                }
                assert!(place <= next, "seed {seed}: {request:?} overtook {}", expected[next]);
                assert_eq!(expected[place..place + request.len()], request[..], "seed {seed}");
                if *taken {
                    next = next.max(place + request.len());
                }
            }
            let rest = expected[next..].iter();
            assert!(rest.clone().all(|order| parked.contains(order)), "seed {seed}: {rest:?}");
            let settled: u32 = {
                let attempts = self.sim.attempts(target.id).await;
                attempts.iter().map(|attempt| attempt.record.advance).sum()
            };
            assert_eq!(usize::try_from(settled).unwrap(), expected.len(), "seed {seed}");
            // Ten refusals alone, and at most two halvings of five events to get there.
            let most = expected.len() + target.faults + self.store_faults + parked.len() * 12;
            assert!(requests.len() <= most, "seed {seed}: {} requests", requests.len());
        }
    }
}

#[tokio::test]
async fn any_run_of_faults_keeps_the_promise() {
    for seed in 0..SEEDS {
        let mut run = Run::start(seed).await;
        for _ in 0..ROUNDS {
            run.round().await;
        }
        run.check(seed).await;
    }
}
