//! Clocks that are set: what waits goes on when it was to, and nothing else is concluded from it.

use std::sync::Arc;
use std::time::Duration;

use hookyard_core::clock::Clock;
use hookyard_core::id::EndpointId;
use hookyard_core::model::{EndpointSettings, RateLimit, RateUnit};
use hookyard_engine::deliver::{DISABLE_AFTER_DEFAULT, Step, Worker};
use hookyard_engine::retention::Sweeper;
use hookyard_store::{Keep, Retention};
use jiff::SignedDuration;

use crate::lanes::{lanes, publish};
use crate::scripted::{Reaction, status, status_with};
use crate::sim::{Sim, WORKSPACE};

const HOUR: SignedDuration = SignedDuration::from_hours(1);
const DAY: SignedDuration = SignedDuration::from_hours(24);
const SECOND: Duration = Duration::from_secs(1);

/// By how much a clock is set.
const STEPS: [SignedDuration; 4] =
    [SignedDuration::from_hours(-24), SignedDuration::from_hours(-1), HOUR, DAY];

/// Sets the wall clock on, or back.
fn set(sim: &Sim, by: SignedDuration) {
    sim.clock.set(sim.clock.now() + by);
}

async fn endpoint(sim: &Sim, bundles: u32) -> EndpointId {
    match bundles {
        1 => sim.endpoint("/a", |settings| settings.maximum_events = 1).await.id,
        more => sim.endpoint("/a", lanes(more, 1)).await.id,
    }
}

async fn is_disabled(sim: &Sim, endpoint: EndpointId) -> bool {
    sim.shared().endpoint(WORKSPACE, endpoint).await.unwrap().unwrap().settings.disabled
}

/// Steps until it has to wait; how long.
async fn wait(sim: &Sim, worker: &mut Worker) -> Duration {
    for _ in 0..100 {
        match sim.step(worker).await {
            Step::Wait(until) => return until.duration_since(sim.clock.now()).try_into().unwrap(),
            Step::Failed(_) | Step::Sent { .. } => {}
            other => panic!("{other:?}"),
        }
    }
    panic!("it never waits");
}

#[tokio::test]
async fn a_retry_comes_when_it_was_to_whatever_the_clock_shows() {
    for bundles in [1, 4] {
        for by in STEPS {
            let sim = Sim::start().await;
            let endpoint = endpoint(&sim, bundles).await;
            publish(&sim, 0..1, endpoint).await;
            sim.receivers.script("/a", [status(500)]);
            let mut worker = sim.worker(endpoint).await;
            let before = wait(&sim, &mut worker).await;
            assert!(before >= 4 * SECOND && before <= 5 * SECOND, "{before:?}");
            sim.clock.advance(SECOND);
            set(&sim, by);
            let after = wait(&sim, &mut worker).await;
            assert_eq!(after, before - SECOND, "{bundles} {by}");
            sim.clock.advance(after);
            assert!(matches!(sim.step(&mut worker).await, Step::Sent { .. }), "{bundles} {by}");
        }
    }
}

/// Another process, or another node whose clock was ahead, has stored the moment.
#[tokio::test]
async fn a_stored_moment_is_believed_as_far_as_it_can_be_meant() {
    for bundles in [1, 4] {
        for failures in [1, 3] {
            for by in [-HOUR, -DAY, -400 * DAY] {
                let case = format!("{bundles} {failures} {by}");
                let sim = Sim::start().await;
                let endpoint = endpoint(&sim, bundles).await;
                publish(&sim, 0..1, endpoint).await;
                sim.receivers.always("/a", status(500));
                let mut worker = sim.worker(endpoint).await;
                let mut before = wait(&sim, &mut worker).await;
                for _ in 1..failures {
                    sim.clock.advance(before);
                    before = wait(&sim, &mut worker).await;
                }
                set(&sim, by);
                // With another owner, and after a restart.
                let after = wait(&sim, &mut sim.worker(endpoint).await).await;
                // The log keeps milliseconds.
                assert!(after.abs_diff(before) < SECOND / 100, "{case}: {after:?} {before:?}");
                drop(worker);
                let sim = sim.crash();
                let mut worker = sim.worker(endpoint).await;
                let after = wait(&sim, &mut worker).await;
                assert!(after.abs_diff(before) < SECOND / 100, "{case}: {after:?} {before:?}");
                sim.receivers.always("/a", status(200));
                sim.clock.advance(after);
                assert!(matches!(sim.step(&mut worker).await, Step::Sent { .. }), "{case}");
            }
        }
    }
}

#[tokio::test]
async fn what_a_receiver_asked_for_survives_a_restart_and_no_more() {
    for bundles in [1, 4] {
        let sim = Sim::start().await;
        let endpoint = endpoint(&sim, bundles).await;
        publish(&sim, 0..1, endpoint).await;
        sim.receivers.script("/a", [status_with(429, "retry-after", "7200")]);
        wait(&sim, &mut sim.worker(endpoint).await).await;
        sim.clock.advance(600 * SECOND);
        let sim = sim.crash();
        let left = wait(&sim, &mut sim.worker(endpoint).await).await;
        assert!(left > 6_598 * SECOND && left <= 6_600 * SECOND, "{left:?}");
        set(&sim, -DAY);
        let sim = sim.crash();
        let left = wait(&sim, &mut sim.worker(endpoint).await).await;
        assert!(left > 7_198 * SECOND && left <= 7_200 * SECOND, "{left:?}");
    }
}

#[tokio::test]
async fn a_rate_limit_lets_through_when_it_was_to() {
    for by in STEPS {
        let sim = Sim::start().await;
        let limited = |settings: &mut EndpointSettings| {
            settings.maximum_events = 1;
            settings.options.rate_limit =
                Some(RateLimit { unit: RateUnit::Requests, count: 1, seconds: 60, burst: Some(1) });
        };
        let endpoint = sim.endpoint("/a", limited).await.id;
        sim.publish(2, &[endpoint]).await;
        let mut worker = sim.worker(endpoint).await;
        assert_eq!(wait(&sim, &mut worker).await, 60 * SECOND);
        set(&sim, by);
        assert_eq!(wait(&sim, &mut worker).await, 60 * SECOND, "{by}");
        sim.clock.advance(60 * SECOND);
        assert!(matches!(sim.step(&mut worker).await, Step::Sent { .. }), "{by}");
    }
}

#[tokio::test]
async fn a_jump_does_not_disable_what_failed_for_seconds() {
    for bundles in [1, 4] {
        // Between two attempts, and while one is under way.
        for between in [true, false] {
            let case = format!("{bundles} {between}");
            let sim = Sim::start().await;
            let endpoint = endpoint(&sim, bundles).await;
            publish(&sim, 0..1, endpoint).await;
            sim.receivers.always("/a", Reaction::Refuse);
            let mut worker = sim.worker(endpoint).await;
            let mut left = wait(&sim, &mut worker).await;
            sim.clock.advance(left);
            match between {
                true => set(&sim, 6 * DAY),
                false => {
                    sim.receivers.dawdle(20);
                    let jump = async { set(&sim, 6 * DAY) };
                    let (step, ()) = tokio::join!(sim.deliverer.step(&mut worker), jump);
                    assert!(matches!(step, Ok(Step::Failed(_))), "{case}: {step:?}");
                }
            }
            for _ in 0..3 {
                left = wait(&sim, &mut worker).await;
                sim.clock.advance(left);
            }
            assert!(!is_disabled(&sim, endpoint).await, "{case}");
            // Time that really passes counts.
            let end = sim.clock.monotonic() + DISABLE_AFTER_DEFAULT + 2 * SECOND * 3_600;
            while sim.clock.monotonic() < end && !is_disabled(&sim, endpoint).await {
                match sim.step(&mut worker).await {
                    Step::Wait(until) | Step::Failed(until) => sim.clock.advance_to(until),
                    _ => {}
                }
            }
            assert!(is_disabled(&sim, endpoint).await, "{case}");
        }
    }
}

/// What is kept for a week is not gone because a clock was wrong for a minute.
#[tokio::test]
async fn a_jump_deletes_nothing() {
    let sim = Sim::start().await;
    sim.publish(3, &[]).await;
    let week = Keep { age: Some(7 * DAY), bytes: None };
    let keep = Retention { journal: week, attempts: week, ..Retention::default() };
    let sweeper = Sweeper::new(Arc::clone(&sim.engine), keep);
    assert_eq!(sweeper.sweep().await.unwrap().events, 0);
    set(&sim, 30 * DAY);
    sim.clock.advance(60 * SECOND);
    assert_eq!(sweeper.sweep().await.unwrap().events, 0);
    set(&sim, -30 * DAY);
    for _ in 0..8 {
        assert_eq!(sweeper.sweep().await.unwrap().events, 0);
        sim.clock.advance(23 * 3_600 * SECOND);
    }
    assert_eq!(sweeper.sweep().await.unwrap().events, 3);
}
