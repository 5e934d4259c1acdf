//! Deleting what is old while endpoints still wait for some of it.

use std::sync::Arc;
use std::time::Duration;

use hookyard_engine::replays::{ReplaySpec, Replayer};
use hookyard_engine::retention::{Sweeper, Swept};
use hookyard_store::{Keep, Retention};
use jiff::SignedDuration;

use crate::scripted::Reaction;
use crate::sim::{Sim, WORKSPACE};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn days(journal: i64, attempts: i64) -> Retention {
    let keep = |days| Keep { age: Some(SignedDuration::from_hours(24 * days)), bytes: None };
    Retention { journal: keep(journal), attempts: keep(attempts), ..Retention::default() }
}

async fn sweep(sim: &Sim, keep: Retention) -> Swept {
    Sweeper::new(Arc::clone(&sim.engine), keep).sweep().await.unwrap()
}

#[tokio::test]
async fn the_log_outlives_the_events_and_says_so() {
    let sim = Sim::start().await;
    let endpoint = sim.endpoint("/a", |_| {}).await.id;
    sim.publish(3, &[endpoint]).await;
    sim.run_until_idle(&mut sim.worker(endpoint).await).await;
    let id = sim.attempts(endpoint).await[0].record.request_id.clone();
    let detail = async |sim: &Sim| {
        sim.engine.attempt_detail(WORKSPACE, endpoint, id.as_str()).await.unwrap()
    };
    assert!(detail(&sim).await.unwrap().request.is_some());
    sim.clock.advance(DAY * 3);
    let swept = sweep(&sim, days(2, 30)).await;
    assert_eq!((swept.events, swept.attempts), (3, 0));
    let sim = sim.crash();
    let shown = detail(&sim).await.unwrap();
    assert_eq!((shown.attempt.success, shown.request), (true, None));
    sim.clock.advance(DAY * 30);
    assert_eq!(sweep(&sim, days(2, 30)).await.attempts, 1);
    assert!(detail(&sim).await.is_none());
}

#[tokio::test]
async fn what_is_queued_is_delivered_however_old_it_is() {
    let mut sim = Sim::start().await;
    let endpoint = sim.endpoint("/a", |settings| settings.maximum_events = 5).await.id;
    sim.publish(20, &[endpoint]).await;
    sim.publish(20, &[]).await;
    sim.receivers.always("/a", Reaction::Refuse);
    let mut worker = sim.worker(endpoint).await;
    for _ in 0..4 {
        sim.step(&mut worker).await;
        // Old enough to go, and not yet so long that the endpoint is disabled.
        sim.clock.advance(DAY + DAY / 12);
        sweep(&sim, days(1, 1)).await;
        sim = sim.crash();
        worker = sim.worker(endpoint).await;
    }
    sim.receivers.forget();
    sim.receivers.always("/a", crate::scripted::status(200));
    sim.run_until_idle(&mut worker).await;
    assert_eq!(sim.delivered().concat(), (0..20).collect::<Vec<_>>());
    sim.clock.advance(DAY * 10);
    assert_eq!(sweep(&sim, days(1, 1)).await.events, 20);
}

#[tokio::test]
async fn a_paused_replay_passes_over_what_is_gone() {
    let sim = Sim::start().await;
    let endpoint = sim.endpoint("/a", |_| {}).await.id;
    sim.publish(10, &[]).await;
    sim.clock.advance(DAY * 5);
    sim.publish(5, &[]).await;
    let engine = Arc::clone(&sim.engine);
    let spec = ReplaySpec::default();
    let replay = engine.start_replay(WORKSPACE, endpoint, spec).await.unwrap().id;
    assert_eq!(sweep(&sim, days(2, 2)).await.events, 0, "a running replay holds on to them");
    engine.pause_replay(WORKSPACE, endpoint, replay).await.unwrap();
    assert_eq!(sweep(&sim, days(2, 2)).await.events, 10);
    engine.resume_replay(WORKSPACE, endpoint, replay).await.unwrap();
    assert!(Replayer::new(Arc::clone(&engine)).step(endpoint).await.unwrap());
    sim.run_until_idle(&mut sim.worker(endpoint).await).await;
    assert_eq!(sim.delivered().concat(), (10..15).collect::<Vec<_>>());
    let done = engine.replay(WORKSPACE, endpoint, replay).await.unwrap();
    assert_eq!((done.progress.examined, done.progress.delivered), (5, 5));
}
