//! What an owner changes while bundles are in flight.

use std::collections::BTreeSet;
use std::time::Duration;

use hookyard_core::clock::Clock;
use hookyard_core::model::{Concurrency, RateLimit, RateUnit};
use hookyard_engine::deliver::Step;

use super::{check, queued, until_waiting};
use crate::scripted::status;
use crate::sim::Sim;

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
