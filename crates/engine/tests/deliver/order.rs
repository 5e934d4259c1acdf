//! Order, bundles, and what a lost answer of the store costs.

use std::time::Duration;

use hookyard_core::clock::Clock;
use hookyard_engine::deliver::Step;

use crate::faulty::{Op, When};
use crate::scripted::{Reaction, status};
use crate::sim::Sim;

const SENT_ALL: Step = Step::Sent { events: 1, pending: 0 };

#[tokio::test]
async fn bundles_take_the_head_in_order() {
    let sim = Sim::start().await;
    let endpoint = sim.endpoint("/a", |settings| settings.maximum_events = 10).await.id;
    sim.publish(25, &[endpoint]).await;
    let mut worker = sim.worker(endpoint).await;
    assert_eq!(sim.step(&mut worker).await, Step::Sent { events: 10, pending: 15 });
    assert_eq!(sim.step(&mut worker).await, Step::Sent { events: 10, pending: 5 });
    assert_eq!(sim.step(&mut worker).await, Step::Sent { events: 5, pending: 0 });
    assert_eq!(sim.step(&mut worker).await, Step::Idle);
    let expected: Vec<Vec<u64>> = vec![(0..10).collect(), (10..20).collect(), (20..25).collect()];
    assert_eq!(sim.delivered(), expected);
}

#[tokio::test]
async fn more_than_the_usual_number_fits_when_the_endpoint_says_so() {
    let sim = Sim::start().await;
    let endpoint = sim.endpoint("/a", |settings| settings.maximum_events = 150).await.id;
    sim.publish(160, &[endpoint]).await;
    let mut worker = sim.worker(endpoint).await;
    assert_eq!(sim.step(&mut worker).await, Step::Sent { events: 150, pending: 10 });
    sim.update(endpoint, |settings| settings.maximum_events = 3).await;
    assert_eq!(sim.step(&mut worker).await, Step::Sent { events: 3, pending: 7 });
}

#[tokio::test]
async fn failures_do_not_change_the_order() {
    let sim = Sim::start().await;
    let endpoint = sim.endpoint("/a", |settings| settings.maximum_events = 1).await.id;
    sim.publish(5, &[endpoint]).await;
    let script = [status(500), status(200), Reaction::Refuse, status(302), status(200)];
    sim.receivers.script("/a", script);
    sim.run_until_idle(&mut sim.worker(endpoint).await).await;
    let delivered: Vec<u64> = sim.delivered().concat();
    assert_eq!(delivered, [0, 0, 1, 1, 1, 2, 3, 4]);
}

#[tokio::test]
async fn a_lost_settle_repeats_nothing() {
    let sim = Sim::start().await;
    let endpoint = sim.endpoint("/a", |settings| settings.maximum_events = 2).await.id;
    sim.publish(6, &[endpoint]).await;
    sim.store.fail(Op::Settle, 2, When::BeforeCommit);
    sim.run_until_idle(&mut sim.worker(endpoint).await).await;
    assert_eq!(sim.delivered(), [[0, 1], [2, 3], [4, 5]]);
    assert_eq!(sim.attempts(endpoint).await.len(), 3);
    assert_eq!(sim.state(endpoint).await.pending, 0);
}

#[tokio::test]
async fn a_settle_whose_answer_is_lost_repeats_nothing() {
    let sim = Sim::start().await;
    let endpoint = sim.endpoint("/a", |settings| settings.maximum_events = 2).await.id;
    sim.publish(6, &[endpoint]).await;
    sim.store.fail(Op::Settle, 2, When::AfterCommit);
    sim.run_until_idle(&mut sim.worker(endpoint).await).await;
    assert_eq!(sim.delivered(), [[0, 1], [2, 3], [4, 5]]);
    assert_eq!(sim.attempts(endpoint).await.len(), 3);
}

#[tokio::test]
async fn any_single_failure_of_the_store_loses_nothing() {
    for op in [Op::Head, Op::Settle] {
        for when in [When::BeforeCommit, When::AfterCommit] {
            for nth in 1..=5 {
                let sim = Sim::start().await;
                let endpoint = sim.endpoint("/a", |settings| settings.maximum_events = 2).await.id;
                sim.receivers.script("/a", [status(200), status(503)]);
                sim.publish(7, &[endpoint]).await;
                sim.store.fail(op, nth, when);
                sim.run_until_idle(&mut sim.worker(endpoint).await).await;
                let mut delivered: Vec<u64> = sim.delivered().concat();
                delivered.dedup();
                delivered.sort_unstable();
                delivered.dedup();
                let requests = sim.delivered().len();
                assert_eq!(delivered, (0..7).collect::<Vec<_>>(), "{op:?} {nth} {when:?}");
                assert!(requests <= 6, "{op:?} {nth} {when:?}: {requests} requests");
            }
        }
    }
}

#[tokio::test]
async fn a_disabled_endpoint_keeps_its_queue() {
    let sim = Sim::start().await;
    let endpoint = sim.endpoint("/a", |_| {}).await.id;
    sim.publish(3, &[endpoint]).await;
    sim.update(endpoint, |settings| settings.disabled = true).await;
    let mut worker = sim.worker(endpoint).await;
    assert_eq!(sim.step(&mut worker).await, Step::Disabled);
    assert_eq!(sim.state(endpoint).await.pending, 3);
    sim.update(endpoint, |settings| settings.disabled = false).await;
    assert_eq!(sim.step(&mut worker).await, Step::Sent { events: 3, pending: 0 });
    assert_eq!(sim.delivered(), [[0, 1, 2]]);
}

#[tokio::test]
async fn changed_settings_count_from_the_next_attempt() {
    let sim = Sim::start().await;
    let endpoint = sim.endpoint("/old", |settings| settings.maximum_events = 1).await.id;
    sim.publish(2, &[endpoint]).await;
    let mut worker = sim.worker(endpoint).await;
    sim.step(&mut worker).await;
    sim.update(endpoint, |settings| settings.url = "https://receiver.test/new".into()).await;
    assert_eq!(sim.step(&mut worker).await, SENT_ALL);
    assert_eq!((sim.receivers.count("/old"), sim.receivers.count("/new")), (1, 1));
    let revisions: Vec<u32> =
        sim.attempts(endpoint).await.iter().map(|attempt| attempt.record.revision).collect();
    assert_eq!(revisions, [1, 2]);
}

#[tokio::test]
async fn an_endpoint_deleted_in_flight_is_gone() {
    let sim = Sim::start().await;
    let endpoint = sim.endpoint("/a", |_| {}).await.id;
    sim.publish(1, &[endpoint]).await;
    let mut worker = sim.worker(endpoint).await;
    sim.receivers.always("/a", Reaction::Hang);
    let shared = sim.shared();
    let deleted = async {
        while sim.receivers.count("/a") == 0 {
            tokio::task::yield_now().await;
        }
        shared.delete_endpoint(crate::sim::WORKSPACE, endpoint, None).await.unwrap();
    };
    tokio::select! {
        biased;
        step = sim.step(&mut worker) => panic!("{step:?}"),
        () = deleted => {}
    }
    assert_eq!(sim.step(&mut worker).await, Step::Gone);
}

#[tokio::test]
async fn a_late_owner_is_fenced_off() {
    let sim = Sim::start().await;
    let endpoint = sim.endpoint("/a", |_| {}).await.id;
    sim.publish(1, &[endpoint]).await;
    let mut late = sim.worker(endpoint).await;
    let mut owner = sim.worker(endpoint).await;
    assert_eq!(sim.step(&mut late).await, Step::Gone);
    assert_eq!(sim.step(&mut owner).await, SENT_ALL);
}

#[tokio::test]
async fn oversized_events_are_cut_down_or_dropped_with_a_record() {
    let sim = Sim::start().await;
    let endpoint = sim.endpoint("/a", |_| {}).await.id;
    let order = |id: u32, note: usize, summary: usize| {
        let (note, summary) = ("n".repeat(note), "s".repeat(summary));
        format!(r#"{{"order_id":"{id}","note":"{note}","summary":"{summary}"}}"#)
    };
    for (id, note, summary) in [(0, 1, 1), (1, 1, 950_000), (2, 950_000, 1), (3, 1, 1)] {
        sim.publish_object(order(id, note, summary), &[endpoint]).await;
    }
    let mut worker = sim.worker(endpoint).await;
    sim.receivers.script("/a", [status(200), status(200), status(500)]);
    assert_eq!(sim.step(&mut worker).await, Step::Sent { events: 1, pending: 3 });
    assert_eq!(sim.step(&mut worker).await, Step::Sent { events: 1, pending: 2 });
    assert_eq!(sim.step(&mut worker).await, Step::Dropped { entries: 1, pending: 1 });
    assert!(matches!(sim.step(&mut worker).await, Step::Failed(_)));
    sim.run_until_idle(&mut worker).await;
    assert_eq!(sim.delivered(), [[0], [1], [3], [3]]);
    let attempts = sim.attempts(endpoint).await;
    let dropped = &attempts[2];
    assert!(!dropped.success && dropped.record.outcome.status.is_none());
    assert_eq!(dropped.record.order_ids, ["2"]);
    assert!(dropped.record.outcome.error.as_ref().unwrap().contains("900000"));
    assert_eq!(sim.state(endpoint).await.failures, 0);
}

#[tokio::test]
async fn events_gone_from_the_journal_are_passed_over() {
    let sim = Sim::start().await;
    let endpoint = sim.endpoint("/a", |settings| settings.maximum_events = 3).await.id;
    sim.publish(9, &[endpoint]).await;
    let mut worker = sim.worker(endpoint).await;
    sim.store.forget(2);
    assert_eq!(sim.step(&mut worker).await, Step::Dropped { entries: 2, pending: 7 });
    assert_eq!(sim.step(&mut worker).await, Step::Sent { events: 3, pending: 4 });
    sim.store.forget(3);
    assert_eq!(sim.step(&mut worker).await, Step::Dropped { entries: 3, pending: 1 });
    assert_eq!(sim.step(&mut worker).await, SENT_ALL);
    assert_eq!(sim.delivered(), [vec![2, 3, 4], vec![8]]);
    let attempts = sim.attempts(endpoint).await;
    let success: Vec<_> = attempts.iter().map(|attempt| attempt.success).collect();
    assert_eq!(success, [false, true, false, true]);
}

#[tokio::test]
async fn reflowed_events_come_after_what_is_queued() {
    let sim = Sim::start().await;
    let endpoint = sim.endpoint("/a", |settings| settings.maximum_events = 2).await.id;
    sim.publish(3, &[endpoint]).await;
    let order_create = crate::sim::type_id("order_create");
    let now = sim.clock.now();
    let reflow =
        sim.shared().reflow(crate::sim::WORKSPACE, endpoint, order_create, None, now).await;
    assert_eq!(reflow.unwrap().queued, 3);
    sim.publish(1, &[endpoint]).await;
    sim.clock.advance(Duration::from_secs(9));
    sim.run_until_idle(&mut sim.worker(endpoint).await).await;
    assert_eq!(sim.delivered(), [vec![0, 1], vec![2, 0], vec![1, 2], vec![3]]);
}
