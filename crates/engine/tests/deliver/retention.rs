//! Deleting what is old while endpoints still wait for some of it.

use std::sync::Arc;
use std::time::Duration;

use hookyard_core::clock::Clock;
use hookyard_core::id::ProjectId;
use hookyard_core::model::VersionsKept;
use hookyard_engine::replays::{ReplaySpec, Replayer};
use hookyard_engine::retention::{Sweeper, Swept};
use hookyard_store::{ActorKind, AuditEntry, AuditQuery, Keep, NewDataset, Retention};
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

#[tokio::test]
async fn the_trash_is_emptied_after_thirty_days_and_not_before() {
    let sim = Sim::start().await;
    let store = sim.shared();
    let new = |name: &str| NewDataset {
        workspace: WORKSPACE,
        project: ProjectId(1),
        name: name.to_owned(),
        folder: None,
        keep: VersionsKept::default(),
    };
    let mut ids = Vec::new();
    for n in 0..25 {
        ids.push(store.create_dataset(new(&n.to_string()), sim.clock.now()).await.unwrap().id);
    }
    let (restored, kept) = (ids[23], ids.pop().unwrap());
    sim.engine.trash_datasets(WORKSPACE, ProjectId(1), ids.clone()).await.unwrap();
    sim.clock.advance(DAY);
    sim.engine.trash_datasets(WORKSPACE, ProjectId(1), vec![kept]).await.unwrap();
    sim.engine.restore_datasets(WORKSPACE, ProjectId(1), vec![restored]).await.unwrap();
    sim.clock.advance(DAY * 29 - Duration::from_millis(1));
    assert_eq!(sweep(&sim, Retention::default()).await.datasets, 0);
    sim.clock.advance(Duration::from_millis(1));
    assert_eq!(sweep(&sim, Retention::default()).await.datasets, 23);
    for id in ids {
        let there = store.find_dataset(WORKSPACE, id).await.unwrap().is_some();
        assert_eq!(there, id == restored, "{id}");
    }
    assert!(store.find_dataset(WORKSPACE, kept).await.unwrap().is_some());
    let query = AuditQuery { limit: 100, ..AuditQuery::default() };
    let noted = store.audit(WORKSPACE, query).await.unwrap().entries;
    assert_eq!(noted.len(), 23);
    let by_itself = |entry: &AuditEntry| {
        (entry.action.as_str(), entry.actor) == ("dataset.delete", ActorKind::System)
    };
    assert!(noted.iter().all(by_itself), "{noted:?}");
    sim.clock.advance(DAY);
    assert_eq!(sweep(&sim, Retention::default()).await.datasets, 1);
}
