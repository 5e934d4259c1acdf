//! Bundles that this server could not send for want of something of its own.

use std::sync::Arc;
use std::time::Duration;

use hookyard_core::clock::{Clock, SystemClock};
use hookyard_core::model::{RateLimit, RateUnit};
use hookyard_engine::deliver::{Dispatcher, Step};
use hookyard_testkit::SimClock;

use crate::lanes::{lanes, publish};
use crate::scripted::{Reaction, status};
use crate::sim::Sim;

/// The longest first wait, and the longest of all.
const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(16);

/// Far longer than anything here takes; a case that reaches it has failed.
const PATIENCE: Duration = Duration::from_secs(20);

#[tokio::test]
async fn a_shortage_counts_against_nobody_and_is_tried_again_shortly() {
    for bundles in [1, 4] {
        let sim = Sim::start().await;
        let endpoint = match bundles {
            1 => sim.endpoint("/a", |_| {}).await.id,
            more => sim.endpoint("/a", lanes(more, 1)).await.id,
        };
        publish(&sim, 0..1, endpoint).await;
        sim.receivers.script("/a", [status(500)]);
        sim.receivers.script("/a", (0..8).map(|_| Reaction::Unable));
        let mut worker = sim.worker(endpoint).await;
        let Step::Failed(retry_at) = sim.step(&mut worker).await else { panic!("{bundles}") };
        let before = sim.state(endpoint).await;
        assert_eq!(before.failures, 1);
        sim.clock.advance_to(retry_at);
        for nth in 0..8 {
            let now = sim.clock.now();
            let Step::Wait(until) = sim.step(&mut worker).await else { panic!("{bundles} {nth}") };
            let wait = Duration::try_from(until.duration_since(now)).unwrap();
            let most = FIRST.saturating_mul(1 << nth).min(LONGEST);
            assert!(wait > most / 3 && wait <= most, "{bundles} {nth}: {wait:?}");
            assert_eq!(sim.state(endpoint).await, before, "{bundles} {nth}: nothing was counted");
            // Before that moment nothing more goes out.
            let sent = sim.receivers.count("/a");
            if bundles > 1 {
                assert_eq!(sim.step(&mut worker).await, Step::Wait(until));
            }
            assert_eq!(sim.receivers.count("/a"), sent);
            sim.clock.advance_to(until);
        }
        sim.run_until_idle(&mut worker).await;
        assert_eq!(sim.delivered().last().unwrap(), &[0]);
        let attempts = sim.attempts(endpoint).await;
        let statuses: Vec<_> =
            attempts.iter().map(|attempt| attempt.record.outcome.status).collect();
        assert_eq!(statuses, [Some(500), Some(200)], "{bundles}: what was not sent is no attempt");
        assert_eq!(sim.state(endpoint).await.failures, 0);
    }
}

#[tokio::test]
async fn what_was_not_sent_takes_nothing_of_a_rate_limit() {
    for bundles in [1, 2] {
        let sim = Sim::start().await;
        let limit = RateLimit { unit: RateUnit::Requests, count: 1, seconds: 3600, burst: Some(1) };
        let endpoint = match bundles {
            1 => sim.endpoint("/a", |_| {}).await.id,
            more => sim.endpoint("/a", lanes(more, 5)).await.id,
        };
        sim.update(endpoint, |settings| settings.options.rate_limit = Some(limit)).await;
        publish(&sim, 0..1, endpoint).await;
        sim.receivers.script("/a", [Reaction::Unable]);
        let mut worker = sim.worker(endpoint).await;
        let Step::Wait(until) = sim.step(&mut worker).await else { panic!("{bundles}") };
        assert!(until <= sim.clock.now() + FIRST, "{bundles}: {until}");
        sim.clock.advance_to(until);
        assert!(matches!(sim.step(&mut worker).await, Step::Sent { .. }), "{bundles}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn new_events_do_not_cut_the_wait_short() {
    let shown = Arc::new(SystemClock::new());
    let sim = Sim::start_on(Arc::new(SimClock::default()), Arc::clone(&shown) as _).await;
    let dispatcher = Dispatcher::start(Arc::clone(&sim.deliverer));
    let endpoint = sim.endpoint("/a", |_| {}).await.id;
    sim.receivers.script("/a", [Reaction::Unable]);
    sim.publish(1, &[endpoint]).await;
    let delivered = async {
        while sim.receivers.count("/a") < 1 {
            tokio::task::yield_now().await;
        }
        let refused = shown.monotonic();
        while sim.state(endpoint).await.pending > 0 {
            sim.publish(1, &[endpoint]).await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        shown.monotonic() - refused
    };
    let waited = tokio::time::timeout(PATIENCE, delivered).await.unwrap();
    assert!(waited >= FIRST / 2 - Duration::from_millis(50), "{waited:?}");
    assert!(dispatcher.shutdown(PATIENCE).await);
    assert!(sim.attempts(endpoint).await.iter().all(|attempt| attempt.success));
}
