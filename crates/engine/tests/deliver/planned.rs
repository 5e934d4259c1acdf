//! Claim, read, send, settle, park, redeliver, replay: with a failure of the store planned at each, before
//! and after its commit, for one bundle at a time and for several.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use hookyard_core::id::EndpointId;
use hookyard_core::model::ReplayState;
use hookyard_engine::deliver::{Step, Worker};
use hookyard_engine::replays::{ReplaySpec, Replayer};
use hookyard_store::DeadLetters;

use crate::faulty::{Op, When};
use crate::lanes::{check, has, key, lanes, publish};
use crate::sim::{Sim, WORKSPACE, orders};

const BOTH: [When; 2] = [When::BeforeCommit, When::AfterCommit];

/// One bundle at a time, and four.
const BUNDLES: [u32; 2] = [1, 4];

/// More turns than any case needs.
const TURNS_MAX: usize = 2_000;

async fn endpoint(sim: &Sim, bundles: u32, maximum_events: i32) -> EndpointId {
    sim.receivers.dawdle(3);
    match bundles {
        1 => sim.endpoint("/a", |settings| settings.maximum_events = maximum_events).await.id,
        more => sim.endpoint("/a", lanes(more, maximum_events)).await.id,
    }
}

/// A worker, however often claiming one fails first.
async fn claim(sim: &Sim, endpoint: EndpointId) -> Worker {
    for _ in 0..3 {
        if let Ok(Some(lease)) = sim.shared().claim(endpoint).await {
            return Worker::new(lease);
        }
    }
    panic!("more failures than were planned");
}

/// Gives up the worker as a crash of its task would: what is in flight is cut off.
async fn cut_off(sim: &Sim, worker: Worker) {
    drop(worker);
    sim.shared().health().await.unwrap();
    sim.receivers.cut_off();
}

/// Steps until nothing is queued, with another owner every few steps.
async fn run(sim: &Sim, endpoint: EndpointId) {
    let mut worker = claim(sim, endpoint).await;
    for turn in 1..TURNS_MAX {
        match sim.deliverer.step(&mut worker).await {
            Ok(Step::Idle) => return,
            Ok(Step::Wait(until) | Step::Failed(until)) => sim.clock.advance_to(until),
            Ok(_) => {}
            Err(_planned) => sim.clock.advance(std::time::Duration::from_secs(1)),
        }
        if turn % 4 == 0 {
            cut_off(sim, worker).await;
            worker = claim(sim, endpoint).await;
        }
    }
    panic!("not idle after {TURNS_MAX} steps");
}

/// Checks that all orders but the parked ones came, each key in order.
fn check_all(sim: &Sim, published: u64, parked: &[u64], bundles: u32, case: &str) {
    let parked: BTreeSet<u64> = parked.iter().copied().collect();
    check(sim, published, &parked, usize::try_from(bundles).unwrap(), case);
}

#[tokio::test]
async fn a_failure_at_any_step_of_any_owner_loses_nothing() {
    for bundles in BUNDLES {
        for op in [Op::Claim, Op::Head, Op::Window, Op::Read, Op::Settle] {
            for (when, nth) in BOTH.into_iter().flat_map(|when| [1, 4].map(|n| (when, n))) {
                let sim = Sim::start().await;
                let endpoint = endpoint(&sim, bundles, 3).await;
                sim.receivers.refuse("/a", 422, has(8));
                publish(&sim, 0..20, endpoint).await;
                sim.store.fail(op, nth, when);
                run(&sim, endpoint).await;
                let case = format!("{bundles} {op:?} {nth} {when:?}");
                assert_eq!(sim.dead(endpoint).await, [8], "{case}");
                check_all(&sim, 20, &[8], bundles, &case);
                assert_eq!(sim.state(endpoint).await.pending, 0, "{case}");
            }
        }
    }
}

#[tokio::test]
async fn a_redelivery_happens_once_or_not_at_all() {
    for bundles in BUNDLES {
        for when in BOTH {
            let sim = Sim::start().await;
            let endpoint = endpoint(&sim, bundles, 4).await;
            sim.receivers.refuse("/a", 422, has(2));
            sim.receivers.refuse("/a", 422, has(7));
            publish(&sim, 0..10, endpoint).await;
            run(&sim, endpoint).await;
            let mut dead = sim.dead(endpoint).await;
            dead.sort_unstable();
            assert_eq!(dead, [2, 7]);
            sim.receivers.forgive("/a");
            let before = sim.delivered().len();
            sim.store.fail(Op::Redeliver, 1, when);
            let all = DeadLetters::All;
            assert!(sim.engine.redeliver_dead_letters(WORKSPACE, endpoint, all).await.is_err());
            let done = when == When::AfterCommit;
            assert_eq!(sim.state(endpoint).await.pending, if done { 2 } else { 0 });
            // After a crash, too.
            let sim = sim.crash();
            let again = sim.engine.redeliver_dead_letters(WORKSPACE, endpoint, all).await.unwrap();
            assert_eq!(again, if done { 0 } else { 2 });
            sim.store.fail(Op::Settle, 1, when);
            run(&sim, endpoint).await;
            let delivered = &sim.delivered()[before..];
            // Both have one key, and come in the order of the journal.
            let mut last = delivered.concat();
            last.dedup();
            assert!(last == [2, 7] || last == [2, 7, 2, 7], "{bundles} {when:?}: {last:?}");
            assert!(sim.dead(endpoint).await.is_empty());
        }
    }
}

#[tokio::test]
async fn a_replay_survives_a_failure_at_any_of_its_steps() {
    const EVENTS: u64 = 30;
    let ops = [Op::DueReplay, Op::Examine, Op::QueueSlice, Op::Claim, Op::Window, Op::Settle];
    for (op, when) in ops.into_iter().flat_map(|op| BOTH.map(|when| (op, when))) {
        for nth in [1, 3] {
            let sim = Sim::start().await;
            let endpoint = endpoint(&sim, 4, 3).await;
            publish(&sim, 0..EVENTS, endpoint).await;
            run(&sim, endpoint).await;
            sim.receivers.forget();
            sim.engine.start_replay(WORKSPACE, endpoint, ReplaySpec::default()).await.unwrap();
            sim.store.fail(op, nth, when);
            let replayer = Replayer::new(Arc::clone(&sim.engine));
            let case = format!("{op:?} {nth} {when:?}");
            let mut turns = 0;
            loop {
                turns += 1;
                assert!(turns < TURNS_MAX, "{case}: no end");
                let queued = replayer.step(endpoint).await;
                run(&sim, endpoint).await;
                let replay = sim.engine.list_replays(WORKSPACE, endpoint).await.unwrap().remove(0);
                if queued.is_ok() && replay.state == ReplayState::Done {
                    assert_eq!(replay.progress.delivered, EVENTS, "{case}");
                    break;
                }
            }
            let mut of_key: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
            for request in sim.receivers.requests() {
                for order in orders(&request.body) {
                    let its = of_key.entry(key(order)).or_default();
                    // A bundle whose attempt was not recorded comes again.
                    its.retain(|known| *known < order);
                    its.push(order);
                }
            }
            let came: BTreeSet<u64> = of_key.into_values().flatten().collect();
            assert_eq!(came, (0..EVENTS).collect(), "{case}");
        }
    }
}
