//! What only the native API can ask of a source.

use axum::body::Body;
use hookyard_core::model::Cause;
use hookyard_engine::hops;
use http::Request;

use super::*;
use crate::mammoth::tests::json_of;
use crate::peer::Peer;
use crate::test_server::{Answer, SIMPLE_KEY, TestServer};

/// A source of the native API.
struct Source {
    server: TestServer,
    id: String,
    path: String,
}

impl Source {
    async fn with(settings: Value) -> Self {
        let server = TestServer::start().await;
        let made = native(&server, "POST", "/v1/sources", Some(settings)).await;
        let (id, path) = (made["id"].to_string(), made["path"].as_str().unwrap().to_owned());
        Self { server, id, path }
    }

    async fn post(&self, headers: &[(&str, &str)], body: impl Into<Body>) -> Answer {
        self.post_from([192, 0, 2, 7], headers, body).await
    }

    async fn post_from(
        &self,
        address: [u8; 4],
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Answer {
        let mut request = Request::post(&self.path).extension(Peer(address.into()));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.server.send(request.body(body.into()).unwrap()).await
    }

    async fn get(&self, rest: &str) -> Value {
        native(&self.server, "GET", &format!("/v1/sources/{}/{rest}", self.id), None).await
    }

    async fn patch(&self, patch: Value) {
        native(&self.server, "PATCH", &format!("/v1/sources/{}", self.id), Some(patch)).await;
    }

    async fn rejections(&self) -> Vec<(String, u64)> {
        let page = self.get("rejections").await;
        let line = |line: &Value| {
            (line["cause"].as_str().unwrap().to_owned(), line["count"].as_u64().unwrap())
        };
        page["rejections"].as_array().unwrap().iter().map(line).collect()
    }

    async fn rows(&self) -> u64 {
        let source = self.server.store.source_by_key(self.key()).await.unwrap().unwrap();
        let (workspace, project) = (source.spec.workspace, source.spec.project);
        let store = &self.server.store;
        store.dataset(workspace, project, source.dataset).await.unwrap().unwrap().stats.rows
    }

    fn key(&self) -> &str {
        self.path.rsplit('/').next().unwrap()
    }
}

async fn native(server: &TestServer, method: &str, path: &str, body: Option<Value>) -> Value {
    let request = Request::builder().method(method).uri(path);
    let request = request.header("x-ultracart-simple-key", SIMPLE_KEY);
    let request = request.header("content-type", "application/json");
    let body = body.map_or(Body::empty(), |body| Body::from(body.to_string()));
    let answer = server.send(request.body(body).unwrap()).await;
    assert!(answer.status.is_success(), "{method} {path}: {}", answer.body);
    serde_json::from_str(&answer.body).unwrap_or_default()
}

#[tokio::test]
async fn a_repeat_is_a_success_that_stores_nothing() {
    let source = Source::with(json!({"mode": "combine"})).await;
    let named = [("webhook-id", "msg_1")];
    let first = source.post(&named, "1").await;
    assert_eq!((first.status.as_u16(), json_of(&first)), (201, json!({"status": "ok", "rows": 1})));
    let again = source.post(&named, "1").await;
    assert_eq!((again.status.as_u16(), json_of(&again)), (201, json!({"status": "ok", "rows": 0})));
    assert_eq!(source.post(&[("webhook-id", "msg_2")], "1").await.status, 201);
    assert_eq!(source.post(&[], "1").await.status, 201);
    assert_eq!(source.rows().await, 3);
    assert_eq!(source.rejections().await, [("repeat".to_owned(), 1)]);
    source.patch(json!({"keep_repeats": true})).await;
    source.post(&named, "1").await;
    assert_eq!(source.rows().await, 4);
}

#[tokio::test]
async fn a_refused_delivery_is_not_known_again() {
    let source = Source::with(json!({"mode": "combine"})).await;
    let named = [("webhook-id", "msg_1"), ("content-type", "application/json")];
    assert_eq!(source.post(&named, "{bad").await.status, 400);
    assert_eq!(source.post(&named, "{}").await.status, 201);
    assert_eq!(source.rows().await, 1);
}

#[tokio::test]
async fn addresses_that_are_not_listed_are_refused() {
    let source = Source::with(json!({"allowed_ips": ["192.0.2.0/28", "198.51.100.1"]})).await;
    for (address, status) in [
        ([192, 0, 2, 7], 201),
        ([192, 0, 2, 16], 403),
        ([198, 51, 100, 1], 201),
        ([198, 51, 100, 2], 403),
    ] {
        assert_eq!(source.post_from(address, &[], "1").await.status.as_u16(), status);
    }
    let page = source.get("rejections").await;
    let last = &page["rejections"][0];
    assert_eq!((&last["cause"], &last["address"]), (&json!("address"), &json!("198.51.100.2")));
    source.patch(json!({"allowed_ips": null})).await;
    assert_eq!(source.post_from([203, 0, 113, 1], &[], "1").await.status, 201);
}

#[tokio::test]
async fn what_comes_too_fast_is_told_when_to_come_again() {
    let limit = json!({"count": 2, "seconds": 10});
    let source = Source::with(json!({"mode": "combine", "rate_limit": limit})).await;
    assert_eq!(source.post(&[], "1").await.status, 201);
    // What is refused does not count.
    let json = [("content-type", "application/json")];
    assert_eq!(source.post(&json, "{bad").await.status, 400);
    assert_eq!(source.post(&[], "1").await.status, 201);
    let refused = source.post(&[], "1").await;
    assert_refused(&refused, 429, "Too Many Requests");
    assert_eq!(refused.headers["retry-after"], "5");
    source.server.clock.advance(std::time::Duration::from_secs(5));
    assert_eq!(source.post(&[], "1").await.status, 201);
    assert_eq!(source.rows().await, 3);
    let expected = [("rate_limited".to_owned(), 1), ("malformed".to_owned(), 1)];
    assert_eq!(source.rejections().await, expected);
}

#[tokio::test]
async fn every_refusal_says_its_cause() {
    let settings = json!({"secret": "s3cret", "origins": "https://a.example"});
    let source = Source::with(settings).await;
    let proof = ("x-webhook-secret", "s3cret");
    let json = ("content-type", "application/json");
    for (headers, body, status, cause) in [
        (vec![("origin", "https://b.example")], "1".into(), 403, Cause::Origin),
        (vec![], "1".into(), 401, Cause::Proof),
        (vec![("x-hub-signature-256", "sha256=00")], "1".into(), 401, Cause::Proof),
        (vec![proof, ("content-length", "99999999")], "1".into(), 413, Cause::TooLarge),
        (vec![proof, json], "{bad".into(), 400, Cause::Malformed),
        (vec![proof, ("content-encoding", "br")], "1".into(), 415, Cause::ContentCoding),
        (vec![proof], vec![0xff], 415, Cause::NotText),
    ] {
        let body: Vec<u8> = body;
        assert_eq!(source.post(&headers, body).await.status.as_u16(), status, "{cause:?}");
        let page = source.get("rejections?limit=1").await;
        let line = &page["rejections"][0];
        assert_eq!(line["cause"], cause.as_str(), "{page}");
        assert_eq!((&line["method"], &line["address"]), (&json!("POST"), &json!("192.0.2.7")));
        assert!(!line["detail"].as_str().unwrap().is_empty());
    }
    assert_eq!(source.rows().await, 0);
    // Pages follow each other.
    let mut next = Some("rejections?limit=3".to_owned());
    let mut seen = 0;
    while let Some(path) = next {
        let page = source.get(&path).await;
        seen += page["rejections"].as_array().unwrap().len();
        let start = format!("/v1/sources/{}/", source.id);
        next = page["next"].as_str().map(|next| next.strip_prefix(&start).unwrap().to_owned());
    }
    assert_eq!(seen, 7);
}

#[tokio::test]
async fn many_rejections_are_a_few_lines() {
    let source = Source::with(json!({"secret": "s3cret"})).await;
    for _ in 0..200 {
        assert_eq!(source.post(&[], "1").await.status, 401);
    }
    let lines = source.rejections().await;
    assert_eq!(lines.len(), 10);
    assert_eq!(lines.iter().map(|(_, count)| count).sum::<u64>(), 200);
}

#[tokio::test]
async fn deliveries_are_kept_to_the_byte() {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    let source = Source::with(json!({"mode": "combine", "secret": "s3cret"})).await;
    let proof = ("x-webhook-secret", "s3cret");
    let form = ("content-type", "application/x-www-form-urlencoded");
    for (headers, body) in [(vec![proof], "{\"a\": 1}"), (vec![proof, form], "a=1&b=%41")] {
        assert_eq!(source.post(&headers, body).await.status, 201);
        let page = source.get("deliveries?limit=1").await;
        let listed = &page["deliveries"][0];
        assert_eq!((&listed["method"], &listed["bytes"]), (&json!("POST"), &json!(body.len())));
        assert_eq!(listed["address"], "192.0.2.7");
        assert!(listed["batch"].is_u64() && listed["event"].is_null());
        assert!(!page.to_string().contains("s3cret"), "{page}");
        let one = source.get(&format!("deliveries/{}", listed["id"])).await;
        let kept = STANDARD.decode(one["body_base64"].as_str().unwrap()).unwrap();
        assert_eq!(kept, body.as_bytes());
        assert_eq!(one["headers"], listed["headers"]);
    }
    let missing = format!("/v1/sources/{}/deliveries/99", source.id);
    let request = Request::get(missing).header("x-ultracart-simple-key", SIMPLE_KEY);
    let answer = source.server.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!(answer.status, 404);
    source.patch(json!({"inspection_seconds": 0})).await;
    source.post(&[proof], "1").await;
    assert_eq!(source.get("deliveries").await["deliveries"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_delivery_is_published_as_an_event() {
    let republish = json!({
        "type_header": "x-topic",
        "type_pointer": "/meta/type",
        "event_type": "order_create",
    });
    let source = Source::with(json!({"mode": "combine", "republish": republish})).await;
    let by_pointer = r#"{"meta":{"type":"order_update"}, "n": 1.0}"#;
    for (headers, body, event_type, object) in [
        (vec![("x-topic", "item_update")], by_pointer, "item_update", by_pointer),
        (vec![], by_pointer, "order_update", by_pointer),
        (vec![], "[1]", "order_create", r#"{"value":[1]}"#),
    ] {
        assert_eq!(source.post(&headers, body).await.status, 201);
        let events = native(&source.server, "GET", "/v1/events?limit=1", None).await;
        let event = &events["events"][0];
        let expected: Value = serde_json::from_str(object).unwrap();
        assert_eq!(
            (&event["event"]["type"], &event["event"]["data"]),
            (&json!(event_type), &expected)
        );
        assert_eq!(event["event"]["hookyardhops"], "1");
        let listed = source.get("deliveries?limit=1").await;
        assert_eq!(listed["deliveries"][0]["event"], event["seq"]);
    }
    assert_eq!(source.rows().await, 3);
}

#[tokio::test]
async fn an_unknown_type_is_stored_or_refused() {
    let republish = json!({"type_pointer": "/type"});
    let source = Source::with(json!({"mode": "combine", "republish": republish})).await;
    for body in [r#"{"type":"nope"}"#, "{}"] {
        assert_eq!(source.post(&[], body).await.status, 201);
    }
    assert_eq!(source.rows().await, 2);
    let republish = json!({"type_pointer": "/type", "unknown_type": "refuse"});
    source.patch(json!({"republish": republish})).await;
    let refused = source.post(&[], r#"{"type":"nope"}"#).await;
    assert_refused(&refused, 400, "the workspace has no event type `nope`");
    assert_eq!(source.rows().await, 2);
    let lines = source.rejections().await;
    assert!(lines.len() == 3 && lines.iter().all(|(cause, _)| cause == "event_type"));
    let events = native(&source.server, "GET", "/v1/events", None).await;
    assert_eq!(events["events"], json!([]));
}

#[tokio::test]
async fn what_goes_round_is_stopped() {
    let republish = json!({"event_type": "order_create"});
    let source = Source::with(json!({"mode": "combine", "republish": republish})).await;
    for hops in 0..=hops::HOPS_MAX {
        let hops = hops.to_string();
        assert_eq!(source.post(&[("hookyard-hops", &hops)], "{}").await.status, 201);
    }
    let events = native(&source.server, "GET", "/v1/events", None).await;
    assert_eq!(events["events"].as_array().unwrap().len(), usize::from(hops::HOPS_MAX));
    assert_eq!(source.rows().await, u64::from(hops::HOPS_MAX) + 1, "what is stopped is stored");
    assert_eq!(source.rejections().await, [("loop".to_owned(), 1)]);
}
