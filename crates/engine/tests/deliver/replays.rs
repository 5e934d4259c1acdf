//! Replays: slices, live events, failures and crashes at every step.

use std::sync::Arc;
use std::time::Duration;

use hookyard_core::clock::Clock;
use hookyard_core::id::EndpointId;
use hookyard_core::model::{Replay, ReplayProgress, ReplayState};
use hookyard_engine::Error;
use hookyard_engine::deliver::Step;
use hookyard_engine::replays::{Preview, ReplaySpec, Replayer, SLICE_EVENTS};

use crate::faulty::{Op, When};
use crate::sim::{Sim, WORKSPACE, orders};

/// More turns than any case needs.
const TURNS_MAX: usize = 1_000;

/// An endpoint to which `count` orders were delivered.
async fn served(sim: &Sim, count: u64) -> EndpointId {
    let endpoint = sim.endpoint("/a", |settings| settings.maximum_events = 500).await.id;
    let objects = (0..count).map(|number| format!(r#"{{"order_id":"{number}"}}"#));
    sim.publish_objects(objects, &[endpoint]).await;
    sim.run_until_idle(&mut sim.worker(endpoint).await).await;
    sim.receivers.forget();
    endpoint
}

async fn start(sim: &Sim, endpoint: EndpointId, spec: ReplaySpec) -> Result<Replay, Error> {
    sim.engine.start_replay(WORKSPACE, endpoint, spec).await
}

/// Queues slices that are due and delivers, until there is nothing to do.
async fn run(sim: &Sim, endpoint: EndpointId) {
    let replayer = Replayer::new(Arc::clone(&sim.engine));
    let mut worker = sim.worker(endpoint).await;
    for _ in 0..TURNS_MAX {
        let queued = replayer.step(endpoint).await;
        let step = sim.deliverer.step(&mut worker).await;
        match (queued, step) {
            (Ok(false), Ok(Step::Idle)) => return,
            (_, Ok(Step::Wait(until) | Step::Failed(until))) => sim.clock.advance_to(until),
            _ => {}
        }
    }
    panic!("not done after {TURNS_MAX} turns");
}

fn delivered(sim: &Sim) -> Vec<u64> {
    sim.delivered().concat()
}

async fn only(sim: &Sim, endpoint: EndpointId) -> Replay {
    let mut all = sim.engine.list_replays(WORKSPACE, endpoint).await.unwrap();
    assert_eq!(all.len(), 1);
    all.remove(0)
}

#[tokio::test]
async fn a_replay_leaves_room_for_live_events_and_keeps_its_order() {
    let sim = Sim::start().await;
    let slice = SLICE_EVENTS as u64;
    let total = slice * 2 + 500;
    let endpoint = served(&sim, total).await;
    start(&sim, endpoint, ReplaySpec::default()).await.unwrap();
    let replayer = Replayer::new(Arc::clone(&sim.engine));
    assert!(replayer.step(endpoint).await.unwrap());
    assert!(!replayer.step(endpoint).await.unwrap());
    assert_eq!(sim.state(endpoint).await.pending, slice);
    sim.publish_object(r#"{"order_id":"777777"}"#, &[endpoint]).await;
    run(&sim, endpoint).await;
    let all = delivered(&sim);
    let live = all.iter().position(|order| *order == 777_777).unwrap() as u64;
    assert_eq!(live, slice, "behind the slice that was queued before it");
    let again: Vec<u64> = all.into_iter().filter(|order| *order != 777_777).collect();
    assert_eq!(again, (0..total).collect::<Vec<_>>());
    let done = only(&sim, endpoint).await;
    let whole = ReplayProgress { total, examined: total, queued: total, delivered: total };
    assert_eq!((done.state, done.progress), (ReplayState::Done, whole));
}

#[tokio::test]
async fn a_crash_after_any_step_loses_nothing_and_repeats_nothing() {
    let total = SLICE_EVENTS as u64 + 700;
    // Steps: queue, four bundles and so on; one more than there are.
    for crash_after in 0..8 {
        let mut sim = Sim::start().await;
        let endpoint = served(&sim, total).await;
        start(&sim, endpoint, ReplaySpec::default()).await.unwrap();
        {
            let replayer = Replayer::new(Arc::clone(&sim.engine));
            let mut worker = sim.worker(endpoint).await;
            for step in 0..crash_after {
                if step == 0 || !replayer.step(endpoint).await.unwrap() {
                    sim.step(&mut worker).await;
                }
            }
        }
        sim = sim.crash();
        assert!(only(&sim, endpoint).await.progress.delivered <= total);
        run(&sim, endpoint).await;
        assert_eq!(delivered(&sim), (0..total).collect::<Vec<_>>(), "crash after {crash_after}");
        assert_eq!(only(&sim, endpoint).await.state, ReplayState::Done);
    }
}

#[tokio::test]
async fn any_single_failure_of_the_store_is_harmless() {
    let total = SLICE_EVENTS as u64 + 10;
    for op in [Op::DueReplay, Op::Examine, Op::QueueSlice] {
        for when in [When::BeforeCommit, When::AfterCommit] {
            for nth in 1..=3 {
                let sim = Sim::start().await;
                let endpoint = served(&sim, total).await;
                start(&sim, endpoint, ReplaySpec::default()).await.unwrap();
                sim.store.fail(op, nth, when);
                run(&sim, endpoint).await;
                let expected: Vec<u64> = (0..total).collect();
                assert_eq!(delivered(&sim), expected, "{op:?} {nth} {when:?}");
            }
        }
    }
}

#[tokio::test]
async fn the_running_replayer_hears_of_everything_itself() {
    let sim = Sim::start().await;
    let total = SLICE_EVENTS as u64 * 2 + 1;
    let endpoint = served(&sim, total).await;
    let replayer = tokio::spawn(Replayer::new(Arc::clone(&sim.engine)).run());
    start(&sim, endpoint, ReplaySpec::default()).await.unwrap();
    let mut worker = sim.worker(endpoint).await;
    while only(&sim, endpoint).await.state != ReplayState::Done {
        if sim.step(&mut worker).await == Step::Idle {
            tokio::task::yield_now().await;
        }
    }
    replayer.abort();
    assert_eq!(delivered(&sim), (0..total).collect::<Vec<_>>());
}

#[tokio::test]
async fn pause_resume_and_cancel_take_effect_within_a_slice() {
    let sim = Sim::start().await;
    let slice = SLICE_EVENTS as u64;
    let endpoint = served(&sim, slice * 3).await;
    let id = start(&sim, endpoint, ReplaySpec::default()).await.unwrap().id;
    assert!(Replayer::new(Arc::clone(&sim.engine)).step(endpoint).await.unwrap());
    let engine = Arc::clone(&sim.engine);
    let paused = engine.pause_replay(WORKSPACE, endpoint, id).await.unwrap();
    assert_eq!((paused.state, paused.progress.delivered), (ReplayState::Paused, 0));
    run(&sim, endpoint).await;
    assert_eq!(delivered(&sim).len() as u64, slice);
    let sim = sim.crash();
    run(&sim, endpoint).await;
    assert_eq!(delivered(&sim).len() as u64, slice, "paused it stays");
    sim.engine.resume_replay(WORKSPACE, endpoint, id).await.unwrap();
    assert!(Replayer::new(Arc::clone(&sim.engine)).step(endpoint).await.unwrap());
    let cancelled = sim.engine.cancel_replay(WORKSPACE, endpoint, id).await.unwrap();
    assert_eq!(cancelled.state, ReplayState::Cancelled);
    run(&sim, endpoint).await;
    assert_eq!(delivered(&sim), (0..slice * 2).collect::<Vec<_>>());
    let again = sim.engine.resume_replay(WORKSPACE, endpoint, id).await;
    assert!(matches!(again, Err(Error::Conflict(_))));
}

#[tokio::test]
async fn a_dry_run_says_what_a_replay_sends() {
    let sim = Sim::start().await;
    let endpoint = served(&sim, 100).await;
    sim.clock.advance(Duration::from_secs(600));
    let from = sim.clock.now();
    let objects =
        (100..140).map(|number| format!(r#"{{"order_id":"{number}","even":{}}}"#, number % 2 == 0));
    sim.publish_objects(objects, &[]).await;
    let rule = Some(r#"{"even":[true]}"#.to_owned());
    for (spec, total, matched) in [
        (ReplaySpec::default(), 140, 140),
        (ReplaySpec { from: Some(from), ..ReplaySpec::default() }, 40, 40),
        (ReplaySpec { until: Some(from), ..ReplaySpec::default() }, 100, 100),
        (ReplaySpec { rule: rule.clone(), ..ReplaySpec::default() }, 140, 20),
    ] {
        let preview = sim.engine.preview_replay(WORKSPACE, endpoint, spec.clone()).await.unwrap();
        let Preview { sample, .. } = &preview;
        assert_eq!(sample.len(), 10);
        let expected = Preview { total, examined: total, matched, sample: sample.clone() };
        assert_eq!(preview, expected);
        sim.receivers.forget();
        start(&sim, endpoint, spec).await.unwrap();
        run(&sim, endpoint).await;
        let sent = delivered(&sim);
        assert_eq!(sent.len() as u64, matched);
        assert!(sent.is_sorted());
        let first: Vec<String> = sent.iter().take(10).map(|order| format!("e{order}")).collect();
        assert_eq!(*sample, first);
    }
}

#[tokio::test]
async fn a_spec_that_cannot_be_used_is_refused_with_its_field() {
    let sim = Sim::start().await;
    let endpoint = served(&sim, 1).await;
    let now = Some(sim.clock.now());
    let names = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
    for (spec, field) in [
        (ReplaySpec { from: now, until: now, ..ReplaySpec::default() }, "from"),
        (ReplaySpec { rule: Some("{".into()), ..ReplaySpec::default() }, "rule"),
        (
            ReplaySpec { event_types: names(&["order_create", "x"]), ..ReplaySpec::default() },
            "event_types[1]",
        ),
        (
            ReplaySpec { event_types: names(&["item_update"]), ..ReplaySpec::default() },
            "event_types[0]",
        ),
    ] {
        match start(&sim, endpoint, spec).await {
            Err(
                Error::Invalid { field: named, .. } | Error::UnknownEventType { field: named, .. },
            ) => assert_eq!(named, field),
            other => panic!("{other:?}"),
        }
    }
    sim.update(endpoint, |settings| settings.disabled = true).await;
    let disabled = start(&sim, endpoint, ReplaySpec::default()).await;
    assert!(matches!(disabled, Err(Error::Conflict(_))));
    let disabled = sim.engine.recover(WORKSPACE, endpoint).await;
    assert!(matches!(disabled, Err(Error::Conflict(_))));
}

#[tokio::test]
async fn what_was_missed_while_disabled_is_recovered_by_the_rules_of_now() {
    let sim = Sim::start().await;
    let endpoint = served(&sim, 5).await;
    sim.update(endpoint, |settings| settings.disabled = true).await;
    let object = |number: u64| format!(r#"{{"order_id":"{number}","total":{number}}}"#);
    sim.publish_objects((5..10).map(object), &[]).await;
    let sim = sim.crash();
    sim.update(endpoint, |settings| settings.disabled = false).await;
    sim.publish_objects((10..12).map(object), &[endpoint]).await;
    sim.subscribe(endpoint, Some(r#"{"total":[{"numeric":[">",6]}]}"#)).await;
    let replays = sim.engine.recover(WORKSPACE, endpoint).await.unwrap();
    assert_eq!(replays.len(), 1);
    let sim = sim.crash();
    assert_eq!(sim.engine.recover(WORKSPACE, endpoint).await.unwrap(), []);
    run(&sim, endpoint).await;
    assert_eq!(delivered(&sim), [10, 11, 7, 8, 9]);
    let progress = ReplayProgress { total: 5, examined: 5, queued: 3, delivered: 3 };
    assert_eq!(only(&sim, endpoint).await.progress, progress);
    assert!(sim.receivers.requests().iter().all(|request| !orders(&request.body).is_empty()));
}

#[tokio::test]
async fn what_was_missed_while_hookyard_had_disabled_it_is_recovered_too() {
    let sim = Sim::start().await;
    let endpoint = served(&sim, 1).await;
    sim.receivers.script("/a", [crate::scripted::status(410)]);
    sim.publish(1, &[endpoint]).await;
    sim.step(&mut sim.worker(endpoint).await).await;
    let found = sim.shared().endpoint(WORKSPACE, endpoint).await.unwrap().unwrap();
    assert!(found.settings.disabled);
    sim.publish(3, &[]).await;
    sim.update(endpoint, |settings| settings.disabled = false).await;
    assert_eq!(sim.engine.recover(WORKSPACE, endpoint).await.unwrap().len(), 1);
    sim.receivers.forget();
    run(&sim, endpoint).await;
    assert_eq!(delivered(&sim), [1, 2, 3, 4]);
}
