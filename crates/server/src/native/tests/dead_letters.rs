use axum::http::StatusCode;
use hookyard_core::entropy::SystemEntropy;
use hookyard_core::id::{EndpointId, RequestId};
use hookyard_core::model::{NewAttempt, Outcome};
use hookyard_store::HeadLimit;
use serde_json::json;

use super::events::publish_order;
use super::own;
use crate::test_server::TestServer;

/// An endpoint whose receiver refused `count` orders for good.
async fn refused(server: &TestServer, count: usize) {
    let body = json!({"url": "https://x.test/", "subscriptions": [{"event_type": "order_create"}]});
    own(server, "POST", "/v1/endpoints", Some(body)).await;
    for n in 0..count {
        publish_order(server, &format!("order {n}"), &json!({"n": n})).await;
    }
    park(server, EndpointId(1), count).await;
}

/// Has the receiver of an endpoint refuse the first events of its queue for good.
pub(crate) async fn park(server: &TestServer, endpoint: EndpointId, count: usize) {
    let (store, now) = (&server.store, server.engine.clock().now());
    let lease = store.claim(endpoint).await.unwrap().unwrap();
    let head = store.head(&lease, HeadLimit { events: count, bytes: usize::MAX }).await.unwrap();
    let attempt = NewAttempt {
        request_id: RequestId::new(&SystemEntropy, now),
        revision: 1,
        started_at: now,
        duration: std::time::Duration::ZERO,
        queue_delay: std::time::Duration::ZERO,
        events: head.entries.iter().map(|queued| queued.event.seq).collect(),
        entries: Vec::new(),
        event_types: Vec::new(),
        order_ids: Vec::new(),
        advance: u32::try_from(count).unwrap(),
        park: true,
        retry_at: None,
        failures: 1,
        refusals: 0,
        url: "https://x.test/".to_owned(),
        request_headers: Vec::new(),
        outcome: Outcome { status: Some(422), ..Outcome::default() },
    };
    store.settle(&lease, attempt).await.unwrap();
}

#[tokio::test]
async fn dead_letters_are_looked_at_redelivered_and_dropped() {
    let server = TestServer::start().await;
    refused(&server, 5).await;
    let path = "/v1/endpoints/1/dead-letters";
    let (status, first) = own(&server, "GET", &format!("{path}?limit=3"), None).await;
    assert_eq!(status, StatusCode::OK, "{first}");
    assert_eq!(first["dead_letters"].as_array().map(Vec::len), Some(3));
    assert_eq!(first["dead_letters"][0]["event_id"], "order 0");
    let (_, rest) = own(&server, "GET", first["next"].as_str().unwrap(), None).await;
    assert_eq!(rest["dead_letters"].as_array().map(Vec::len), Some(2));
    assert!(rest.get("next").is_none());

    let seq = &first["dead_letters"][1]["seq"];
    let (status, one) = own(&server, "GET", &format!("{path}/{seq}"), None).await;
    assert_eq!(status, StatusCode::OK, "{one}");
    assert_eq!(one["event"]["event"]["data"], json!({"n": 1}));
    assert_eq!(one["last_attempt"]["status"], 422);

    let redeliver = format!("{path}/{seq}/redeliver");
    assert_eq!(own(&server, "POST", &redeliver, None).await.1, json!({"count": 1}));
    assert_eq!(own(&server, "POST", &redeliver, None).await.0, StatusCode::NOT_FOUND);
    let queue = own(&server, "GET", "/v1/endpoints/1", None).await.1["queue"].clone();
    assert_eq!((&queue["pending"], &queue["dead_letters"]), (&json!(1), &json!(4)));

    let drop = format!("{path}/{}", first["dead_letters"][0]["seq"]);
    assert_eq!(own(&server, "DELETE", &drop, None).await.1, json!({"count": 1}));
    assert_eq!(own(&server, "DELETE", &drop, None).await.0, StatusCode::NOT_FOUND);
    let all = format!("{path}/redeliver");
    assert_eq!(own(&server, "POST", &all, None).await.1, json!({"count": 3}));
    assert_eq!(own(&server, "DELETE", path, None).await.1, json!({"count": 0}));
    for odd in ["x", "-1", "18446744073709551616"] {
        let (status, _) = own(&server, "GET", &format!("{path}/{odd}"), None).await;
        assert_eq!(status, StatusCode::NOT_FOUND);
    }
}
