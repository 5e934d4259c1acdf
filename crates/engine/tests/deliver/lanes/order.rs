//! What goes out, and the order of each key.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use hookyard_core::clock::Clock;
use hookyard_engine::deliver::Step;
use hookyard_engine::replays::{ReplaySpec, Replayer};

use super::{KEYS, check, has, key, lanes, publish, queued, until_waiting};
use crate::scripted::Reaction;
use crate::sim::{Sim, WORKSPACE, orders, type_id};

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
