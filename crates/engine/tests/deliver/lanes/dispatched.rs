//! Lanes in a running dispatcher.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use hookyard_core::clock::SystemClock;
use hookyard_engine::deliver::Dispatcher;
use hookyard_testkit::SimClock;

use super::{KEYS, key, lanes, publish};
use crate::faulty::{Op, When};
use crate::scripted::Reaction;
use crate::sim::Sim;

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
