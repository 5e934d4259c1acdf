//! Rate limits.

use std::sync::Arc;
use std::time::Duration;

use hookyard_core::clock::{Clock, SystemClock};
use hookyard_core::id::EndpointId;
use hookyard_core::model::{RateLimit, RateUnit};
use hookyard_engine::deliver::{Dispatcher, Step};
use hookyard_testkit::SimClock;

use crate::scripted::status;
use crate::sim::Sim;

fn limit(unit: RateUnit, count: u32, burst: u32) -> Option<RateLimit> {
    Some(RateLimit { unit, count, seconds: 1, burst: Some(burst) })
}

async fn limited(sim: &Sim, rate_limit: Option<RateLimit>) -> EndpointId {
    let change = |settings: &mut hookyard_core::model::EndpointSettings| {
        settings.maximum_events = 3;
        settings.options.rate_limit = rate_limit;
    };
    sim.endpoint("/a", change).await.id
}

/// Steps until the queue is empty; the milliseconds at which each request was sent.
async fn sent_at(sim: &Sim, endpoint: EndpointId) -> Vec<u128> {
    let (started, mut sent) = (sim.clock.monotonic(), Vec::new());
    loop {
        // Each step is the first one of a new owner: buckets outlive the work on an endpoint.
        let step = sim.step(&mut sim.worker(endpoint).await).await;
        match step {
            Step::Sent { pending, .. } => {
                sent.push((sim.clock.monotonic() - started).as_millis());
                if pending == 0 {
                    return sent;
                }
            }
            Step::Wait(until) => sim.clock.advance_to(until),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn requests_keep_their_rate() {
    let sim = Sim::start().await;
    let endpoint = limited(&sim, limit(RateUnit::Requests, 4, 2)).await;
    sim.publish(15, &[endpoint]).await;
    assert_eq!(sent_at(&sim, endpoint).await, [0, 0, 250, 500, 750]);
    // The wait for the rest of the burst goes on over an empty queue.
    sim.publish(1, &[endpoint]).await;
    assert_eq!(sent_at(&sim, endpoint).await, [250]);
    assert_eq!(sim.delivered().concat(), (0..16).collect::<Vec<_>>());
}

#[tokio::test]
async fn events_keep_their_rate() {
    let sim = Sim::start().await;
    let endpoint = limited(&sim, limit(RateUnit::Events, 10, 2)).await;
    sim.publish(7, &[endpoint]).await;
    // No bundle is larger than the burst.
    assert_eq!(sent_at(&sim, endpoint).await, [0, 200, 400, 500]);
    let sizes: Vec<_> = sim.delivered().iter().map(Vec::len).collect();
    assert_eq!(sizes, [2, 2, 2, 1]);
}

#[tokio::test]
async fn failed_requests_count_too() {
    let sim = Sim::start().await;
    let endpoint = limited(&sim, limit(RateUnit::Requests, 1, 1)).await;
    sim.receivers.script("/a", [422, 422].map(status));
    sim.publish(3, &[endpoint]).await;
    let mut worker = sim.worker(endpoint).await;
    assert_eq!(sim.step(&mut worker).await, Step::Halved);
    let Step::Wait(until) = sim.step(&mut worker).await else { panic!("not throttled") };
    assert_eq!(until, sim.clock.now() + Duration::from_secs(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_throttled_endpoint_sleeps_and_a_raised_limit_wakes_it() {
    let clock = Arc::new(SystemClock::new());
    let sim = Sim::start_on(Arc::new(SimClock::default()), clock).await;
    let slow = Some(RateLimit { unit: RateUnit::Requests, count: 1, seconds: 3_600, burst: None });
    let endpoint = limited(&sim, slow).await;
    let dispatcher = Dispatcher::start(Arc::clone(&sim.deliverer));
    let until = async |requests| {
        while sim.receivers.count("/a") < requests {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    let patience = Duration::from_secs(20);
    sim.publish(1, &[endpoint]).await;
    tokio::time::timeout(patience, until(1)).await.unwrap();
    sim.publish(3, &[endpoint]).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(sim.receivers.count("/a"), 1, "further events do not bring the next one forward");
    sim.update(endpoint, |settings| settings.options.rate_limit = None).await;
    tokio::time::timeout(patience, until(2)).await.unwrap();
    assert!(dispatcher.shutdown(patience).await);
    assert_eq!(sim.delivered().concat(), (0..4).collect::<Vec<_>>());
}
