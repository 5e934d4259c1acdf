//! The dispatcher, on the machine's clock.

use std::sync::Arc;
use std::time::Duration;

use hookyard_core::clock::SystemClock;
use hookyard_engine::deliver::Dispatcher;
use hookyard_testkit::SimClock;

use crate::faulty::{Op, When};
use crate::scripted::{Reaction, status};
use crate::sim::Sim;

/// Far longer than anything here takes; a case that reaches it has failed.
const PATIENCE: Duration = Duration::from_secs(20);

async fn start() -> (Sim, Dispatcher) {
    let sim = Sim::start_on(Arc::new(SimClock::default()), Arc::new(SystemClock::new())).await;
    let dispatcher = Dispatcher::start(Arc::clone(&sim.deliverer));
    (sim, dispatcher)
}

/// Waits until the condition holds.
async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let held = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, held).await.is_ok(), "{what}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_published_is_delivered_in_order() {
    let (sim, dispatcher) = start().await;
    let endpoint = sim.endpoint("/a", |settings| settings.maximum_events = 7).await.id;
    for _ in 0..20 {
        sim.publish(10, &[endpoint]).await;
    }
    eventually("queue empty", async || sim.state(endpoint).await.pending == 0).await;
    assert!(dispatcher.shutdown(PATIENCE).await);
    assert_eq!(sim.delivered().concat(), (0..200).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn receivers_that_never_answer_hold_up_nobody() {
    let (sim, dispatcher) = start().await;
    let mut stuck = Vec::new();
    for index in 0..1_000 {
        let path = format!("/stuck/{index}");
        sim.receivers.always(&path, Reaction::Hang);
        stuck.push(sim.endpoint(&path, |_| {}).await.id);
    }
    sim.publish(1, &stuck).await;
    eventually("all are stuck", async || sim.delivered().len() == 1_000).await;
    let well = sim.endpoint("/well", |settings| settings.maximum_events = 1).await.id;
    sim.publish(50, &[well]).await;
    eventually("delivered", async || sim.state(well).await.pending == 0).await;
    assert_eq!(sim.receivers.count("/well"), 50);
    assert!(!dispatcher.shutdown(Duration::from_millis(50)).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_enabled_endpoint_is_tried_at_once() {
    let (sim, dispatcher) = start().await;
    let endpoint = sim.endpoint("/a", |_| {}).await.id;
    sim.receivers.script("/a", [status(500)]);
    sim.publish(1, &[endpoint]).await;
    eventually("failed", async || sim.state(endpoint).await.failures == 1).await;
    // Further events do not bring the next try forward.
    sim.publish(5, &[endpoint]).await;
    sim.update(endpoint, |settings| settings.disabled = true).await;
    assert_eq!(sim.receivers.count("/a"), 1);
    sim.update(endpoint, |settings| settings.disabled = false).await;
    eventually("delivered", async || sim.state(endpoint).await.pending == 0).await;
    assert!(dispatcher.shutdown(PATIENCE).await);
    assert_eq!(sim.delivered(), [vec![0], vec![0], vec![1, 2, 3, 4, 5]]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failing_store_is_waited_for() {
    let (sim, dispatcher) = start().await;
    let endpoint = sim.endpoint("/a", |_| {}).await.id;
    for op in [Op::Claim, Op::Head] {
        sim.store.fail(op, 1, When::BeforeCommit);
    }
    sim.publish(3, &[endpoint]).await;
    eventually("delivered", async || sim.state(endpoint).await.pending == 0).await;
    assert!(dispatcher.shutdown(PATIENCE).await);
    let delivered = sim.delivered().concat();
    assert_eq!(delivered, [0, 1, 2]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shutdown_starts_nothing_new_and_gives_leases_back() {
    let (sim, dispatcher) = start().await;
    let endpoint = sim.endpoint("/a", |_| {}).await.id;
    sim.receivers.script("/a", [status(500)]);
    sim.publish(1, &[endpoint]).await;
    eventually("failed", async || sim.state(endpoint).await.failures == 1).await;
    assert!(dispatcher.shutdown(PATIENCE).await);
    sim.publish(1, &[endpoint]).await;
    assert_eq!((sim.receivers.count("/a"), sim.state(endpoint).await.pending), (1, 2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_is_noticed() {
    let (sim, mut dispatcher) = start().await;
    let endpoint = sim.endpoint("/a", |_| {}).await.id;
    sim.receivers.script("/a", [Reaction::Panic]);
    let quiet = tokio::time::timeout(Duration::from_millis(50), dispatcher.failed()).await;
    assert!(quiet.is_err());
    sim.publish(1, &[endpoint]).await;
    assert!(tokio::time::timeout(PATIENCE, dispatcher.failed()).await.is_ok());
    assert_eq!(sim.state(endpoint).await.pending, 1);
}
