//! The delivery log. Attempts are settled as a deliverer would, without a network.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hookyard_core::id::{EndpointId, RequestId};
use hookyard_core::model::{Header, NewAttempt, NewEvent, Outcome};
use hookyard_engine::deliver::render;
use hookyard_engine::endpoints::LogQuery;
use hookyard_store::{AttemptQuery, HeadLimit};
use serde_json::json;

use super::*;
use crate::test_server::WORKSPACE;

const BODY: &str = r#"{"webhook_url":"https://x.test/h","event_categories":[{"events":[
    {"event_name":"order_create"},{"event_name":"item_update"}]}]}"#;

fn new_id(server: &TestServer) -> RequestId {
    RequestId::new(server.engine.entropy().as_ref(), server.engine.clock().now())
}

/// Publishes an event to an endpoint.
pub(super) async fn publish(server: &TestServer, endpoint: EndpointId, name: &str, object: &str) {
    let store = &server.store;
    let catalogue = store.catalogue(WORKSPACE).await.unwrap();
    let (_, kind) = catalogue.by_name(name).unwrap();
    let event = NewEvent {
        event_type: kind.id,
        id: new_id(server).to_string(),
        source: "test".to_owned(),
        attributes: String::new(),
        object: Bytes::from(object.to_owned()),
        matched: vec![endpoint],
        matched_at: u64::MAX,
    };
    let now = server.engine.clock().now();
    store.append(WORKSPACE, vec![event], now).await.unwrap();
}

/// Settles one attempt to deliver the head of an endpoint's queue; `None` for no answer at all.
async fn attempt(server: &TestServer, endpoint: EndpointId, status: Option<u16>) -> RequestId {
    let store = &server.store;
    let lease = store.claim(endpoint).await.unwrap().unwrap();
    let limit = HeadLimit { events: 10, bytes: 1 << 20 };
    let head = store.head(&lease, limit).await.unwrap();
    let events: Vec<_> = head.entries.iter().map(|entry| Arc::clone(&entry.event)).collect();
    let catalogue = store.catalogue(WORKSPACE).await.unwrap();
    let bundle = render::bundle(&catalogue, &head.endpoint, &events).unwrap();
    let success = status.is_some_and(|status| (200..300).contains(&status));
    let now = server.engine.clock().now();
    let failures = if success { 0 } else { head.state.failures + 1 };
    let header =
        |name: &str, value: &str| Header { name: name.to_owned(), value: value.to_owned() };
    let outcome = Outcome {
        status,
        response_headers: status.map(|_| header("Server", "x")).into_iter().collect(),
        response: status.map(|_| "thanks".to_owned()),
        error: (!success).then(|| "no".to_owned()),
    };
    let record = NewAttempt {
        request_id: new_id(server),
        revision: head.endpoint.revision,
        started_at: now,
        duration: Duration::from_millis(u64::from(status.unwrap_or(30_000))),
        queue_delay: Duration::from_secs(2),
        events: events.iter().map(|event| event.seq).collect(),
        entries: Vec::new(),
        event_types: bundle.event_types,
        order_ids: bundle.order_ids,
        advance: if success { u32::try_from(bundle.events).unwrap() } else { 0 },
        park: false,
        refusals: 0,
        retry_at: (!success).then_some(now + Duration::from_secs(5)),
        failures,
        url: head.endpoint.settings.url.clone(),
        request_headers: vec![header("Content-Type", "application/json; charset=UTF-8")],
        outcome,
    };
    let request_id = record.request_id.clone();
    store.settle(&lease, record).await.unwrap();
    store.release(lease).await.unwrap();
    server.clock.advance(Duration::from_secs(60));
    request_id
}

pub(super) fn id_of(webhook: &Value) -> EndpointId {
    EndpointId(i32::try_from(webhook["webhook_oid"].as_i64().unwrap()).unwrap())
}

/// A webhook with five attempts, a minute apart from 2026-01-01T00:00:00Z: no answer, 500, 200 with
/// order D-1, 200 with an item, 404 with order D-2. Their request ids, in that order.
async fn history(server: &TestServer) -> (Value, Vec<RequestId>) {
    let sdk = Sdk::new(server, NEWEST);
    let webhook = sdk.insert(BODY).await;
    let endpoint = id_of(&webhook);
    let mut ids = Vec::new();
    publish(server, endpoint, "order_create", r#"{"order_id":"D-1","note":"blue é"}"#).await;
    for status in [None, Some(500), Some(200)] {
        ids.push(attempt(server, endpoint, status).await);
    }
    publish(server, endpoint, "item_update", r#"{"merchant_item_oid":7}"#).await;
    ids.push(attempt(server, endpoint, Some(200)).await);
    publish(server, endpoint, "order_create", r#"{"order_id":"D-2"}"#).await;
    ids.push(attempt(server, endpoint, Some(404)).await);
    (webhook, ids)
}

#[tokio::test]
async fn each_filter_selects_what_it_says() {
    let server = TestServer::start().await;
    let (webhook, ids) = history(&server).await;
    let sdk = Sdk::new(&server, NEWEST);
    let logs = format!("{}/logs", path(&webhook));
    let third = format!("requestId={}", ids[2]);
    let third_failed = format!("requestId={}&success=false", ids[2]);
    let third_blue = format!("requestId={}&request=blue", ids[2]);
    for (query, rows) in [
        ("", &[4, 3, 2, 1, 0][..]),
        (third.as_str(), &[2]),
        (third_failed.as_str(), &[]),
        (third_blue.as_str(), &[2]),
        ("requestId=r%2F1+x", &[]),
        ("success=False", &[4, 1, 0]),
        ("success=1", &[3, 2]),
        ("status=500", &[1]),
        ("status=201", &[]),
        ("duration=500", &[1, 0]),
        ("event=item_update", &[3]),
        ("event=nope", &[]),
        ("orderId=D-1", &[2, 1, 0]),
        ("orderId=null", &[4, 3, 2, 1, 0]),
        ("request=blue", &[2, 1, 0]),
        ("request=blue+%C3%A9", &[2, 1, 0]),
        ("request=D-2", &[4]),
        ("request=blue&_limit=1&_offset=1", &[1]),
        ("request=blue&status=200", &[2]),
        ("_since=2026-01-01T00%3A03%3A00%2B00%3A00", &[4, 3]),
        ("_since=2026-01-01T00:03:00+00:00", &[4, 3]),
        ("beginDate=2026-01-01T00:01:00Z&endDate=2026-01-01T00:02:00.000Z", &[2, 1]),
        ("endDate=2026-01-01", &[4, 3, 2, 1, 0]),
        ("endDate=2025-12-31", &[]),
        ("success=false&orderId=D-1&status=500", &[1]),
        ("_limit=2", &[4, 3]),
        ("_limit=2&_offset=4", &[0]),
    ] {
        let answer = sdk.get(&format!("{logs}?{query}")).await.ok();
        let seen: Vec<_> = answer["webhook_log_summaries"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["request_id"].as_str().unwrap())
            .collect();
        let wanted: Vec<_> = rows.iter().map(|row| ids[*row].as_str()).collect();
        assert_eq!(seen, wanted, "{query}");
        assert_eq!(answer["metadata"]["result_set"]["count"], rows.len());
    }
    for (query, more) in [("_limit=2", true), ("_limit=5", false), ("request=blue&_limit=2", true)]
    {
        let answer = sdk.get(&format!("{logs}?{query}")).await.ok();
        let result_set = &answer["metadata"]["result_set"];
        assert_eq!(result_set["more"], more, "{query}");
        assert_eq!(result_set.get("next_offset").is_some(), more, "{query}");
    }
    for query in ["status=ok", "success=x", "duration=x", "_since=x", "_limit=0"] {
        sdk.get(&format!("{logs}?{query}")).await.refused(400);
    }
}

#[tokio::test]
async fn summaries_are_shaped_by_who_reads_them() {
    let server = TestServer::start().await;
    let (webhook, ids) = history(&server).await;
    let logs = format!("{}/logs?_limit=1&_offset=2", path(&webhook));
    let old = format!(
        r#"{{"request_id":"{}","delivery_dts":"2026-01-01T00:02:00+00:00","success":true"#,
        ids[2]
    );
    let new =
        r#","status_code":200,"duration":200,"event_names":["order_create"],"order_ids":["D-1"]"#;
    let rest = r#"}],"success":true,"metadata":{"result_set":{"count":1,"offset":2,"limit":1,"more":true,"next_offset":3},"payload_name":"webhook_log_summaries"}}"#;
    for (agent, wanted) in [
        (NEWEST, format!(r#"{{"webhook_log_summaries":[{old}{new}{rest}"#)),
        (SEED, format!(r#"{{"webhook_log_summaries":[{old}{new}{rest}"#)),
        (JAVA, format!(r#"{{"webhook_log_summaries":[{old}{rest}"#)),
    ] {
        assert_eq!(Sdk::new(&server, agent).get(&logs).await.text, wanted, "{agent}");
    }
}

#[tokio::test]
async fn the_request_is_shown_as_it_was_sent() {
    let server = TestServer::start().await;
    let (webhook, ids) = history(&server).await;
    let sdk = Sdk::new(&server, NEWEST);
    let path = path(&webhook);
    // The log is of then, whatever the webhook is now.
    sdk.put(&path, r#"{"webhook_url":"https://new.test","compress_events":true}"#).await.ok();
    let reply = sdk.get(&format!("{path}/logs/{}", ids[2])).await;
    assert_eq!(
        reply.text,
        format!(
            r#"{{"webhook_log":{{"webhook_oid":{},"request_id":"{}","delivery_dts":"2026-01-01T00:02:00+00:00","success":true,"status_code":200,"duration":200,"queue_delay":2000,"uri":"https://x.test/h","request_headers":[{{"name":"Content-Type","value":"application/json; charset=UTF-8"}}],"request":"{{\"events\":[{{\"order_create\":{{\"order_id\":\"D-1\",\"note\":\"blue é\"}}}}]}}","response_headers":[{{"name":"Server","value":"x"}}],"response":"thanks","event_names":["order_create"],"order_ids":["D-1"]}},"success":true,"metadata":{{"payload_name":"webhook_log"}}}}"#,
            webhook["webhook_oid"], ids[2]
        )
    );
    let java = Sdk::new(&server, JAVA).get(&format!("{path}/logs/{}", ids[2])).await.ok();
    let keys: Vec<_> = java["webhook_log"].as_object().unwrap().keys().collect();
    assert!(!keys.iter().any(|key| *key == "event_names" || *key == "order_ids"), "{keys:?}");

    let unanswered = sdk.get(&format!("{path}/logs/{}", ids[0])).await.ok();
    for key in ["status_code", "response", "response_headers"] {
        assert_eq!(unanswered["webhook_log"].get(key), None, "{key}");
    }
    assert_eq!(unanswered["webhook_log"]["success"], false);
}

#[tokio::test]
async fn compressed_requests_are_searched_unpacked() {
    let server = TestServer::start().await;
    let sdk = Sdk::new(&server, NEWEST);
    let body = BODY.replacen('{', r#"{"compress_events":true,"#, 1);
    let webhook = sdk.insert(&body).await;
    publish(&server, id_of(&webhook), "order_create", r#"{"order_id":"D-1"}"#).await;
    let id = attempt(&server, id_of(&webhook), Some(200)).await;
    let logs = format!("{}/logs", path(&webhook));
    let found = sdk.get(&format!("{logs}?request=D-1")).await.ok();
    assert_eq!(found["webhook_log_summaries"].as_array().unwrap().len(), 1);
    let log = sdk.get(&format!("{logs}/{id}")).await.ok();
    assert!(log["webhook_log"]["request"].as_str().unwrap().starts_with("H4sI"));
}

#[tokio::test]
async fn long_requests_are_cut() {
    let server = TestServer::start().await;
    let sdk = Sdk::new(&server, NEWEST);
    let webhook = sdk.insert(BODY).await;
    let object = format!(r#"{{"note":"{}"}}"#, "é".repeat(120_000));
    publish(&server, id_of(&webhook), "order_create", &object).await;
    let id = attempt(&server, id_of(&webhook), Some(200)).await;
    let log = sdk.get(&format!("{}/logs/{id}", path(&webhook))).await.ok();
    let request = log["webhook_log"]["request"].as_str().unwrap();
    assert_eq!(request.chars().count(), 100_000);
}

#[tokio::test]
async fn the_queue_shows_on_the_webhook() {
    let server = TestServer::start().await;
    let sdk = Sdk::new(&server, NEWEST);
    let webhook = sdk.insert(BODY).await;
    for order in ["D-1", "D-2"] {
        let object = json!({ "order_id": order }).to_string();
        publish(&server, id_of(&webhook), "order_create", &object).await;
    }
    attempt(&server, id_of(&webhook), Some(500)).await;
    let failing = sdk.get(LIST).await.ok()["webhooks"][0].take();
    assert_eq!((&failing["pending"], &failing["consecutive_failures"]), (&json!(2), &json!(1)));
    assert_eq!(failing["next_retry_after"], "2026-01-01T00:00:05+00:00");
    let path = path(&webhook);
    let off = sdk.put(&path, r#"{"disabled":true}"#).await.ok()["webhook"].take();
    assert_eq!((&off["pending"], off.get("next_retry_after")), (&json!(2), None));
    let on = sdk.put(&path, r#"{"disabled":false}"#).await.ok()["webhook"].take();
    assert_eq!((&on["pending"], &on["consecutive_failures"]), (&json!(2), &json!(0)));
    attempt(&server, id_of(&webhook), Some(200)).await;
    let well = sdk.get(LIST).await.ok()["webhooks"][0].take();
    assert_eq!((&well["pending"], &well["consecutive_failures"]), (&json!(0), &json!(0)));
    assert_eq!(well.get("next_retry_after"), None);
}

#[tokio::test]
async fn dates_are_in_the_zone_of_the_settings() {
    let time_zone = jiff::tz::TimeZone::fixed(jiff::tz::offset(-5));
    let server = TestServer::with(crate::Settings { time_zone, ..Default::default() }).await;
    let (webhook, ids) = history(&server).await;
    let sdk = Sdk::new(&server, NEWEST);
    let logs = format!("{}/logs", path(&webhook));
    let first = sdk.get(&format!("{logs}/{}", ids[0])).await.ok();
    assert_eq!(first["webhook_log"]["delivery_dts"], "2025-12-31T19:00:00-05:00");
    let found = sdk.get(&format!("{logs}?endDate=2025-12-31")).await.ok();
    assert_eq!(found["webhook_log_summaries"].as_array().unwrap().len(), 5);
}

#[tokio::test]
async fn a_search_through_too_much_asks_for_less() {
    let server = TestServer::start().await;
    let (webhook, _) = history(&server).await;
    let search = async |text: &str, searched_max, success| {
        let attempts = AttemptQuery { limit: 1, success, ..AttemptQuery::default() };
        let query = LogQuery {
            attempts,
            request_id: None,
            event: None,
            request: Some(text.to_owned()),
            request_field: "request",
            searched_max,
        };
        server.engine.attempt_log(WORKSPACE, id_of(&webhook), query).await
    };
    assert!(search("nowhere", 5, None).await.unwrap().attempts.is_empty());
    let error = search("nowhere", 4, None).await.unwrap_err().to_string();
    assert!(error.starts_with("request: at most 4 requests are searched"), "{error}");
    assert!(search("nowhere", 4, Some(false)).await.is_ok(), "narrowed to three");
    // A page that is full ends the search: the newest is the one, and the next is behind it.
    assert_eq!(search("events", 4, None).await.unwrap().attempts.len(), 1);
    search("D-2", 4, None).await.unwrap_err();
}
