//! Bundles that stay what they were until they are taken.

use hookyard_core::clock::Clock;
use hookyard_core::id::EndpointId;
use hookyard_core::model::{EndpointSettings, Secret, SigningKey};
use hookyard_engine::deliver::{Step, Worker};

use crate::scripted::{Reaction, status};
use crate::sim::{Sim, WORKSPACE, orders, type_id};

pub(crate) fn signed(settings: &mut EndpointSettings) {
    let secret = Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    settings.options.signing.keys = vec![SigningKey { secret, expires_at: None }];
}

async fn endpoint(sim: &Sim) -> EndpointId {
    sim.endpoint("/a", signed).await.id
}

/// The id of each request so far, with its orders.
fn sent(sim: &Sim) -> Vec<(String, Vec<u64>)> {
    let requests = sim.receivers.requests();
    let one = |request: &hookyard_engine::deliver::Outgoing| {
        (request.headers["webhook-id"].to_str().unwrap().to_owned(), orders(&request.body))
    };
    requests.iter().map(one).collect()
}

/// Fails the next attempt and lets the wait pass.
async fn fail(sim: &Sim, worker: &mut Worker) {
    match sim.step(worker).await {
        Step::Failed(until) => sim.clock.advance_to(until),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_retry_is_the_same_bundle_whatever_is_queued_meanwhile() {
    let mut sim = Sim::start().await;
    let endpoint = endpoint(&sim).await;
    sim.receivers.script("/a", [status(500), Reaction::Refuse, status(429)]);
    sim.publish(3, &[endpoint]).await;
    let mut worker = sim.worker(endpoint).await;
    fail(&sim, &mut worker).await;
    sim.publish(2, &[endpoint]).await;
    fail(&sim, &mut worker).await;
    // After a stop and a start, too.
    sim.shared().close().await.unwrap();
    sim = sim.crash();
    sim.publish(1, &[endpoint]).await;
    let mut worker = sim.worker(endpoint).await;
    fail(&sim, &mut worker).await;
    // And after a crash.
    sim = sim.crash();
    sim.publish(1, &[endpoint]).await;
    let mut worker = sim.worker(endpoint).await;
    assert_eq!(sim.step(&mut worker).await, Step::Sent { events: 3, pending: 4 });
    assert_eq!(sim.step(&mut worker).await, Step::Sent { events: 4, pending: 0 });
    let sent = sent(&sim);
    assert_eq!(sent[..4], vec![sent[0].clone(); 4]);
    assert_eq!(sent[0].1, [0, 1, 2]);
    assert_eq!(sent[4].1, [3, 4, 5, 6]);
    assert_ne!(sent[4].0, sent[0].0);
}

#[tokio::test]
async fn a_half_is_a_bundle_of_its_own_and_stays_that() {
    let mut sim = Sim::start().await;
    let endpoint = endpoint(&sim).await;
    sim.receivers.script("/a", [status(422), status(500), status(500)]);
    sim.publish(4, &[endpoint]).await;
    let mut worker = sim.worker(endpoint).await;
    assert_eq!(sim.step(&mut worker).await, Step::Halved);
    sim.publish(1, &[endpoint]).await;
    fail(&sim, &mut worker).await;
    sim.publish(1, &[endpoint]).await;
    sim = sim.crash();
    let mut worker = sim.worker(endpoint).await;
    fail(&sim, &mut worker).await;
    assert_eq!(sim.step(&mut worker).await, Step::Sent { events: 2, pending: 4 });
    let sent = sent(&sim);
    assert_eq!((&sent[0].1[..], &sent[1].1[..]), (&[0, 1, 2, 3][..], &[0, 1][..]));
    assert_ne!(sent[0].0, sent[1].0);
    assert!(sent[2] == sent[1] && sent[3] == sent[1], "{sent:?}");
}

#[tokio::test]
async fn a_change_of_settings_makes_another_bundle_only_where_it_must() {
    let sim = Sim::start().await;
    let endpoint = endpoint(&sim).await;
    sim.receivers.script("/a", [500, 500, 500, 500].map(status));
    sim.publish(4, &[endpoint]).await;
    let mut worker = sim.worker(endpoint).await;
    fail(&sim, &mut worker).await;
    sim.publish(1, &[endpoint]).await;
    sim.update(endpoint, |settings| settings.maximum_events = 50).await;
    fail(&sim, &mut worker).await;
    for disabled in [true, false] {
        sim.update(endpoint, |settings| settings.disabled = disabled).await;
    }
    assert_eq!(sim.state(endpoint).await.failures, 0);
    fail(&sim, &mut worker).await;
    sim.update(endpoint, |settings| settings.maximum_events = 2).await;
    fail(&sim, &mut worker).await;
    sim.update(endpoint, |settings| settings.maximum_events = 50).await;
    assert_eq!(sim.step(&mut worker).await, Step::Sent { events: 2, pending: 3 });
    let sent = sent(&sim);
    assert!(sent[1] == sent[0] && sent[2] == sent[0], "{sent:?}");
    assert_eq!((&sent[3].1[..], &sent[4]), (&[0, 1][..], &sent[3]));
    assert_ne!(sent[3].0, sent[0].0);
}

#[tokio::test]
async fn a_reflow_makes_other_bundles_of_the_same_events() {
    let sim = Sim::start().await;
    let endpoint = endpoint(&sim).await;
    sim.publish(2, &[endpoint]).await;
    let mut worker = sim.worker(endpoint).await;
    sim.run_until_idle(&mut worker).await;
    sim.clock.advance(std::time::Duration::from_millis(1));
    let now = sim.clock.now();
    let order_create = type_id("order_create");
    sim.shared().reflow(WORKSPACE, endpoint, order_create, None, now).await.unwrap();
    sim.run_until_idle(&mut worker).await;
    let sent = sent(&sim);
    assert!(sent[0].1 == sent[1].1 && sent[0].0 != sent[1].0, "{sent:?}");
}
