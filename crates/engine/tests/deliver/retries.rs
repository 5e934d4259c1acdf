//! Waiting, giving way, and what the log says of it.

use std::time::Duration;

use hookyard_core::clock::Clock;
use hookyard_core::model::{AuthKind, Secret};
use hookyard_core::retry::{LONGEST_RETRY_AFTER, LONGEST_WAIT};
use hookyard_engine::deliver::Step;
use jiff::SignedDuration;

use crate::scripted::{Reaction, status, status_with};
use crate::sim::Sim;

/// The wait that a step asks for.
async fn failed(sim: &Sim, worker: &mut hookyard_engine::deliver::Worker) -> Duration {
    match sim.step(worker).await {
        Step::Failed(until) => until.duration_since(sim.clock.now()).try_into().unwrap(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn failures_are_counted_and_forgotten() {
    let sim = Sim::start().await;
    let endpoint = sim.endpoint("/a", |_| {}).await.id;
    sim.publish(1, &[endpoint]).await;
    sim.receivers.script("/a", [status(500), status(500)]);
    let mut worker = sim.worker(endpoint).await;
    for failures in 1..=2 {
        let wait = failed(&sim, &mut worker).await;
        let state = sim.state(endpoint).await;
        assert_eq!((state.failures, state.pending), (failures, 1));
        let until = state.retry_at.unwrap();
        assert_eq!(until, sim.clock.now() + SignedDuration::try_from(wait).unwrap());
        assert_eq!(state.failing_since.unwrap().to_string(), "2026-01-01T00:00:00Z");
        // Up to the last millisecond nothing is sent.
        sim.clock.advance(wait - Duration::from_millis(1));
        assert_eq!(sim.step(&mut worker).await, Step::Wait(until));
        sim.clock.advance(Duration::from_millis(1));
    }
    assert_eq!(sim.step(&mut worker).await, Step::Sent { events: 1, pending: 0 });
    let state = sim.state(endpoint).await;
    assert_eq!((state.failures, state.retry_at, state.failing_since), (0, None, None));
    assert_eq!(sim.delivered(), [[0], [0], [0]]);
}

#[tokio::test]
async fn backoff_doubles_up_to_an_hour() {
    let sim = Sim::start().await;
    let endpoint = sim.endpoint("/a", |_| {}).await.id;
    sim.publish(1, &[endpoint]).await;
    sim.receivers.always("/a", Reaction::Refuse);
    let mut worker = sim.worker(endpoint).await;
    for failure in 0..13 {
        let full = Duration::from_secs(5).saturating_mul(1 << failure).min(LONGEST_WAIT);
        let wait = failed(&sim, &mut worker).await;
        assert!(wait <= full && wait >= full.mul_f64(0.79), "{failure}: {wait:?}");
        sim.clock.advance(wait);
    }
}

#[tokio::test]
async fn retry_after_is_obeyed_when_it_is_later() {
    let sim = Sim::start().await;
    let endpoint = sim.endpoint("/a", |_| {}).await.id;
    sim.publish(1, &[endpoint]).await;
    let mut worker = sim.worker(endpoint).await;
    let later = "Thu, 01 Jan 2026 01:00:00 GMT";
    let script = [
        status_with(429, "retry-after", "120"),
        status_with(503, "retry-after", later),
        status_with(503, "retry-after", "1"),
        status_with(500, "retry-after", "86400"),
        status_with(429, "retry-after", "999999999"),
        status_with(429, "retry-after", "soon"),
    ];
    sim.receivers.script("/a", script);
    let wait = failed(&sim, &mut worker).await;
    assert_eq!(wait, Duration::from_secs(120));
    sim.clock.advance(wait);
    let wait = failed(&sim, &mut worker).await;
    assert_eq!(wait, Duration::from_secs(3_600 - 120));
    sim.clock.advance(wait);
    for (failure, full) in [(3, 20), (4, 40)] {
        let wait = failed(&sim, &mut worker).await;
        assert!(wait > Duration::from_secs(15) && wait.as_secs() <= full, "{failure}: {wait:?}");
        sim.clock.advance(wait);
    }
    let wait = failed(&sim, &mut worker).await;
    assert_eq!(wait, LONGEST_RETRY_AFTER);
    sim.clock.advance(wait);
    assert!(failed(&sim, &mut worker).await <= Duration::from_secs(160));
}

#[tokio::test]
async fn every_attempt_is_in_the_log() {
    let sim = Sim::start().await;
    let endpoint = sim
        .endpoint("/a?x=1", |settings| {
            settings.auth = AuthKind::Basic;
            settings.basic_username = Some("user".into());
            settings.basic_password = Some(Secret::new("hunter2"));
        })
        .await
        .id;
    sim.publish(2, &[endpoint]).await;
    sim.clock.advance(Duration::from_millis(1_500));
    sim.receivers.script("/a", [Reaction::Refuse, status_with(302, "location", "/b")]);
    sim.run_until_idle(&mut sim.worker(endpoint).await).await;

    let attempts = sim.attempts(endpoint).await;
    let requests = sim.receivers.requests();
    assert_eq!((attempts.len(), requests.len()), (3, 3));
    let statuses: Vec<_> = attempts.iter().map(|attempt| attempt.record.outcome.status).collect();
    assert_eq!(statuses, [None, Some(302), Some(200)]);
    let success: Vec<_> = attempts.iter().map(|attempt| attempt.success).collect();
    assert_eq!(success, [false, false, true]);
    assert_eq!(attempts[0].record.queue_delay, Duration::from_millis(1_500));
    assert_eq!(attempts[0].record.outcome.error.as_deref(), Some("connection refused"));
    assert_eq!(attempts[1].record.outcome.response_headers[0].name, "location");
    assert_eq!(attempts[2].record.outcome.response.as_deref(), Some("text"));
    for (attempt, request) in attempts.iter().zip(&requests) {
        assert_eq!(request.headers["x-ultracart-request-id"], attempt.record.request_id.as_str());
        assert_eq!(request.headers["authorization"], "Basic dXNlcjpodW50ZXIy");
        assert_eq!(request.uri.query(), Some("x=1"));
        assert_eq!(attempt.record.url, "https://receiver.test/a?x=1");
        assert_eq!(attempt.record.order_ids, ["0", "1"]);
        assert!(!format!("{attempt:?}").contains("dXNlcjpodW50ZXIy"));
    }
    let ids: std::collections::HashSet<_> =
        attempts.iter().map(|attempt| attempt.record.request_id.clone()).collect();
    assert_eq!(ids.len(), 3);
}

#[tokio::test]
async fn what_cannot_be_sent_to_is_logged_and_tried_again() {
    let sim = Sim::start().await;
    let endpoint = sim.endpoint("/a", |settings| settings.auth = AuthKind::AwsIam).await.id;
    sim.publish(1, &[endpoint]).await;
    let mut worker = sim.worker(endpoint).await;
    let wait = failed(&sim, &mut worker).await;
    assert!(sim.attempts(endpoint).await[0].record.outcome.error.as_ref().unwrap().contains("sqs"));
    assert!(sim.receivers.requests().is_empty());
    sim.update(endpoint, |settings| settings.auth = AuthKind::None).await;
    sim.clock.advance(wait);
    assert_eq!(sim.step(&mut worker).await, Step::Sent { events: 1, pending: 0 });
}
