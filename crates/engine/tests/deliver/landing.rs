//! Endpoints whose events land in a dataset.

use std::sync::Arc;

use hookyard_core::clock::Clock;
use hookyard_core::id::{DatasetId, ProjectId};
use hookyard_core::model::{DisabledKind, Endpoint, Mode, NewSource, Previous, SourceOptions};
use hookyard_engine::deliver::Step;
use hookyard_engine::endpoints::EndpointChange;
use hookyard_store::{RowLimit, RowQuery};

use crate::faulty::{Op, When};
use crate::sim::{Sim, WORKSPACE, type_id};

const PROJECT: ProjectId = ProjectId(1);

async fn dataset(sim: &Sim) -> DatasetId {
    let source = NewSource {
        workspace: WORKSPACE,
        project: PROJECT,
        name: "landed".to_owned(),
        mode: Mode::Replace,
        origins: "*".to_owned(),
        secret: None,
        key: "key".to_owned(),
        folder: None,
        options: SourceOptions::default(),
        previous: Previous::default(),
    };
    sim.shared().create_source(source, sim.clock.now()).await.unwrap().dataset
}

async fn landing(sim: &Sim, dataset: DatasetId) -> Arc<Endpoint> {
    // What is said of requests does not matter to rows.
    let to = |settings: &mut hookyard_core::model::EndpointSettings| {
        settings.url = format!("dataset:{dataset}");
        settings.compress_events = true;
    };
    sim.endpoint("/", to).await
}

async fn rows(sim: &Sim, dataset: DatasetId) -> Vec<String> {
    let (query, limit) = (RowQuery::default(), RowLimit::NONE);
    let page = sim.shared().rows_after(WORKSPACE, PROJECT, dataset, query, limit).await.unwrap();
    page.rows.iter().map(|row| String::from_utf8(row.cell.to_vec()).unwrap()).collect()
}

#[tokio::test]
async fn each_event_is_a_row() {
    let sim = Sim::start().await;
    let dataset = dataset(&sim).await;
    let endpoint = landing(&sim, dataset).await;
    sim.publish_object(r#"{"order_id":"DEMO-1", "total": 1.0}"#, &[endpoint.id]).await;
    sim.publish_object(r#"{"order_id":"DEMO-2"}"#, &[endpoint.id]).await;
    let mut worker = sim.worker(endpoint.id).await;
    sim.run_until_idle(&mut worker).await;
    let expected = [
        r#"{"order_create":{"order_id":"DEMO-1", "total": 1.0}}"#,
        r#"{"order_create":{"order_id":"DEMO-2"}}"#,
    ];
    assert_eq!(rows(&sim, dataset).await, expected);
    assert!(sim.receivers.requests().is_empty());
    let attempts = sim.attempts(endpoint.id).await;
    assert_eq!(attempts.len(), 1, "a bundle lands in one transaction");
    assert_eq!(attempts[0].record.outcome.status, Some(200));
}

#[tokio::test]
async fn a_store_that_cannot_write_is_not_the_endpoints_failure() {
    for when in [When::BeforeCommit, When::AfterCommit] {
        let sim = Sim::start().await;
        let dataset = dataset(&sim).await;
        let endpoint = landing(&sim, dataset).await;
        sim.publish(2, &[endpoint.id]).await;
        sim.store.fail(Op::Land, 1, when);
        let mut worker = sim.worker(endpoint.id).await;
        let Step::Wait(until) = sim.step(&mut worker).await else { panic!("{when:?}") };
        assert_eq!(sim.state(endpoint.id).await.failures, 0, "{when:?}");
        sim.clock.advance_to(until);
        sim.run_until_idle(&mut worker).await;
        assert_eq!(rows(&sim, dataset).await.len(), 2, "{when:?}");
        assert!(sim.attempts(endpoint.id).await.iter().all(|attempt| attempt.success), "{when:?}");
    }
}

#[tokio::test]
async fn an_event_that_is_sent_again_lands_once() {
    let sim = Sim::start().await;
    let dataset = dataset(&sim).await;
    let endpoint = landing(&sim, dataset).await;
    sim.publish(5, &[endpoint.id]).await;
    // It landed, and nobody heard: the bundle is sent again after the crash.
    sim.store.fail(Op::Settle, 1, When::BeforeCommit);
    let mut worker = sim.worker(endpoint.id).await;
    assert!(sim.deliverer.step(&mut worker).await.is_err());
    let sim = sim.crash();
    let mut worker = sim.worker(endpoint.id).await;
    sim.run_until_idle(&mut worker).await;
    assert_eq!(rows(&sim, dataset).await.len(), 5);
    // A reflow adds what is not there, and all of it is.
    let now = sim.clock.now();
    let kind = type_id("order_create");
    sim.shared().reflow(WORKSPACE, endpoint.id, kind, None, now).await.unwrap();
    sim.run_until_idle(&mut worker).await;
    assert_eq!(rows(&sim, dataset).await.len(), 5);
    assert_eq!(sim.state(endpoint.id).await.pending, 0);
}

#[tokio::test]
async fn a_dataset_that_is_gone_disables_the_endpoint() {
    let sim = Sim::start().await;
    let dataset = dataset(&sim).await;
    let endpoint = landing(&sim, dataset).await;
    sim.publish(1, &[endpoint.id]).await;
    assert!(sim.shared().delete_dataset(WORKSPACE, PROJECT, dataset).await.unwrap());
    let mut worker = sim.worker(endpoint.id).await;
    sim.step(&mut worker).await;
    let endpoint = sim.shared().endpoint(WORKSPACE, endpoint.id).await.unwrap().unwrap();
    let reason = endpoint.disabled_reason.as_ref().unwrap();
    assert_eq!((reason.kind, reason.status), (DisabledKind::Gone, Some(410)));
    assert_eq!(sim.state(endpoint.id).await.pending, 1, "its queue stays");
}

#[tokio::test]
async fn only_a_dataset_of_the_workspace_is_a_target() {
    static NAMES: hookyard_engine::endpoints::FieldNames = hookyard_engine::endpoints::FieldNames {
        url: "url",
        name: "name",
        comments: "comments",
        basic_username: "auth.username",
        hidden_password: None,
        iam_secret_key: "iam_secret_key",
        maximum_events: "maximum_events",
        maximum_size: "maximum_size",
        event_type: "event_type",
        rule: "rule",
    };
    let sim = Sim::start().await;
    let dataset = dataset(&sim).await;
    let to = |url: String| EndpointChange { url: Some(url), ..EndpointChange::none(&NAMES) };
    for wrong in ["dataset:", "dataset:99", "dataset:x", "dataset:-1", "dataset:1/2"] {
        let refused = sim.engine.create_endpoint(WORKSPACE, to(wrong.to_owned())).await;
        let refused = refused.unwrap_err().to_string();
        assert!(refused.starts_with("url: must name a dataset"), "{wrong}: {refused}");
    }
    sim.engine.create_endpoint(WORKSPACE, to(format!("dataset:{dataset}"))).await.unwrap();
}
