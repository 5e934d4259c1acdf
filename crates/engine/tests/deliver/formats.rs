//! What a receiver gets beside the events.

use std::io::Read;

use flate2::read::GzDecoder;
use hookyard_core::clock::Clock;
use hookyard_core::model::{ContentEncoding, EndpointSettings, Secret, SigningKey};
use hookyard_core::signature::standard_webhooks;
use hookyard_engine::deliver::{Outgoing, Step};

use crate::scripted::status;
use crate::sim::{Sim, WORKSPACE, orders, type_id};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn sign(settings: &mut EndpointSettings) {
    let key = SigningKey { secret: Secret::new(SECRET), expires_at: None };
    settings.options.signing.keys = vec![key];
}

fn header<'a>(request: &'a Outgoing, name: &str) -> &'a str {
    request.headers[name].to_str().unwrap()
}

#[tokio::test]
async fn a_bundle_keeps_its_id_and_a_reflow_makes_another() {
    let sim = Sim::start().await;
    let endpoint = sim.endpoint("/h", sign).await;
    sim.receivers.script("/h", [status(500), status(500)]);
    sim.publish(2, &[endpoint.id]).await;
    let mut worker = sim.worker(endpoint.id).await;
    sim.run_until_idle(&mut worker).await;
    sim.clock.advance(std::time::Duration::from_secs(1));
    let now = sim.clock.now();
    sim.shared().reflow(WORKSPACE, endpoint.id, type_id("order_create"), None, now).await.unwrap();
    sim.run_until_idle(&mut worker).await;

    let requests = sim.receivers.requests();
    assert_eq!(requests.len(), 4);
    let ids: Vec<_> = requests.iter().map(|request| header(request, "webhook-id")).collect();
    assert!(ids[0] == ids[1] && ids[1] == ids[2] && ids[2] != ids[3], "{ids:?}");
    assert!(!ids[0].contains('.'));
    let times: Vec<_> =
        requests.iter().map(|request| header(request, "webhook-timestamp")).collect();
    assert!(times[0] < times[1] && times[1] < times[2], "{times:?}");
    for request in &requests[..3] {
        let at = header(request, "webhook-timestamp").parse().unwrap();
        let at = jiff::Timestamp::from_second(at).unwrap();
        assert!(standard_webhooks::verify(&request.headers, &request.body, SECRET, at));
    }
}

#[tokio::test]
async fn gzip_is_signed_as_it_is_sent_and_logged_as_it_was_meant() {
    let sim = Sim::start().await;
    let gzip = |settings: &mut EndpointSettings| {
        sign(settings);
        settings.options.encoding = ContentEncoding::Gzip;
    };
    let endpoint = sim.endpoint("/h", gzip).await;
    sim.publish(3, &[endpoint.id]).await;
    let mut worker = sim.worker(endpoint.id).await;
    sim.run_until_idle(&mut worker).await;

    let requests = sim.receivers.requests();
    let request = &requests[0];
    assert_eq!(header(request, "content-encoding"), "gzip");
    assert_eq!(header(request, "content-type"), "application/json; charset=UTF-8");
    let mut text = Vec::new();
    GzDecoder::new(&request.body[..]).read_to_end(&mut text).unwrap();
    assert_eq!(orders(&text), [0, 1, 2]);
    let now = sim.clock.now();
    assert!(standard_webhooks::verify(&request.headers, &request.body, SECRET, now));

    let attempts = sim.attempts(endpoint.id).await;
    let id = attempts[0].record.request_id.as_str();
    let detail = sim.engine.attempt_detail(WORKSPACE, endpoint.id, id).await.unwrap().unwrap();
    let shown = detail.request.unwrap();
    assert_eq!(orders(shown.text.as_bytes()), [0, 1, 2]);
    assert_eq!((shown.encoding, shown.bytes), (ContentEncoding::Gzip, request.body.len()));
    // What a reflow would send is shown in the same way.
    let reflow = sim.engine.reflow_endpoint(WORKSPACE, endpoint.id, "eventName", "order_create");
    let sample = sim.engine.reflow_sample(&reflow.await.unwrap()).await.unwrap();
    assert_eq!(orders(sample.as_bytes()), [0, 1, 2]);
}

#[tokio::test]
async fn a_target_that_cannot_be_sent_to_fails_and_waits() {
    let sim = Sim::start().await;
    let endpoint = sim.endpoint("/h", |settings| settings.url = "ftp://a.test/".to_owned()).await;
    sim.publish(1, &[endpoint.id]).await;
    let mut worker = sim.worker(endpoint.id).await;
    assert!(matches!(sim.step(&mut worker).await, Step::Failed(_)));
    let attempts = sim.attempts(endpoint.id).await;
    assert!(attempts[0].record.outcome.error.as_deref().unwrap().contains("ftp"));
}
