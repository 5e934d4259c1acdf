//! Bundles that fail while others get through.

use std::collections::{BTreeSet, HashSet};
use std::time::Duration;

use hookyard_core::clock::Clock;
use hookyard_core::model::{RetryAction, RetryRule};
use hookyard_engine::deliver::Step;
use hookyard_store::DeadLetters;

use super::{check, has, of_key, publish, queued, until_waiting};
use crate::scripted::status;
use crate::sim::{Sim, WORKSPACE};

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
