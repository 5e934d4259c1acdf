//! Receivers that hang, and one that answers.

use std::sync::Arc;
use std::time::Duration;

use hookyard_core::model::EndpointSettings;
use hookyard_engine::deliver::{Deliverer, Options, Step, Worker};
use tokio::task::JoinSet;

use crate::lanes::{lanes, publish};
use crate::scripted::{Reaction, status};
use crate::sim::Sim;

/// So few that hanging receivers take them all: 32 for those that are not known to hang, 8 for others.
const CONNECTIONS: usize = 64;

/// Within the share of one workspace, and far more than may hang at once after that.
const HANGING: usize = 20;

/// Far longer than anything here takes; a case that reaches it has failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// Steps all workers in tasks of their own.
fn step_all(sim: &Sim, workers: Vec<Worker>) -> JoinSet<(Worker, Step)> {
    let mut steps = JoinSet::new();
    for mut worker in workers {
        let deliverer = Arc::clone(&sim.deliverer);
        steps.spawn(async move {
            let step = deliverer.step(&mut worker).await.unwrap();
            (worker, step)
        });
    }
    steps
}

async fn until(mut holds: impl FnMut() -> bool) {
    let held = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(PATIENCE, held).await.unwrap();
}

/// However many hang, a receiver that answered with 500 is tried again when it is due.
#[tokio::test]
async fn a_receiver_that_answers_does_not_wait_for_those_that_hang() {
    for bundles in [1, 4] {
        let mut sim = Sim::start().await;
        let options = Options { connections_max: CONNECTIONS, ..Options::default() };
        let receivers = Arc::clone(&sim.receivers) as _;
        sim.deliverer = Arc::new(Deliverer::new(&sim.engine, receivers, options));
        let settings = |settings: &mut EndpointSettings| match bundles {
            1 => settings.maximum_events = 1,
            more => lanes(more, 1)(settings),
        };
        let mut workers = Vec::new();
        sim.receivers.always("/hung", Reaction::FailWhenTold);
        for _ in 0..HANGING {
            let endpoint = sim.endpoint("/hung", settings).await.id;
            publish(&sim, 0..1, endpoint).await;
            workers.push(sim.worker(endpoint).await);
        }
        let well = sim.endpoint("/well", settings).await.id;
        publish(&sim, 0..1, well).await;
        sim.receivers.script("/well", [status(500)]);

        // All hang for half a minute, once.
        let steps = step_all(&sim, workers);
        until(|| sim.receivers.count("/hung") == HANGING).await;
        sim.clock.advance(Duration::from_secs(30));
        sim.receivers.fail_now();
        let failed = steps.join_all().await;
        assert!(failed.iter().all(|(_, step)| matches!(step, Step::Failed(_))), "{bundles}");
        let mut worker = sim.worker(well).await;
        assert!(matches!(sim.step(&mut worker).await, Step::Failed(_)), "{bundles}");

        // All are due again; those that hang can not all be under way.
        sim.clock.advance(Duration::from_secs(10));
        let steps = step_all(&sim, failed.into_iter().map(|(worker, _)| worker).collect());
        until(|| sim.receivers.count("/hung") >= HANGING + 4).await;
        let tried = tokio::time::timeout(PATIENCE, sim.step(&mut worker)).await;
        assert!(matches!(tried, Ok(Step::Sent { .. })), "{bundles}: {tried:?}");
        assert!(sim.receivers.count("/hung") < HANGING + 8, "{bundles}: others still wait");
        drop(steps);
    }
}
