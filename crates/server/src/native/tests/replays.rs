use axum::http::StatusCode;
use serde_json::json;

use super::events::publish_order;
use super::{fault, own};
use crate::test_server::TestServer;

#[tokio::test]
async fn a_replay_is_tried_started_paused_and_cancelled() {
    let server = TestServer::start().await;
    for n in 0..3 {
        publish_order(&server, &format!("order {n}"), &json!({"n": n})).await;
    }
    let body = json!({"url": "https://x.test/", "subscriptions": [{"event_type": "order_create"}]});
    own(&server, "POST", "/v1/endpoints", Some(body)).await;
    let path = "/v1/endpoints/1/replays";
    let (status, found) = own(&server, "POST", path, Some(json!({"dry_run": true}))).await;
    assert_eq!(status, StatusCode::OK, "{found}");
    assert_eq!((&found["total"], &found["matched"]), (&json!(3), &json!(3)));
    assert_eq!(found["sample"][0], "order 0");
    assert_eq!(own(&server, "GET", path, None).await.1, json!({"replays": []}));

    let rule = json!({"event_types": ["order_create"], "rule": r#"{"n":[1]}"#});
    let (status, made) = own(&server, "POST", path, Some(rule)).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    assert_eq!((&made["state"], &made["recovers"]), (&json!("running"), &json!(false)));
    let one = format!("{path}/{}", made["id"]);
    for (verb, state) in [("pause", "paused"), ("resume", "running"), ("cancel", "cancelled")] {
        let (status, after) = own(&server, "POST", &format!("{one}/{verb}"), None).await;
        assert_eq!((status, &after["state"]), (StatusCode::OK, &json!(state)), "{verb}");
    }
    let (status, problem) = own(&server, "POST", &format!("{one}/resume"), None).await;
    assert_eq!((status, fault(&problem).0), (StatusCode::CONFLICT, "conflict"));
    assert_eq!(own(&server, "GET", &one, None).await.1["state"], "cancelled");
    let (status, none) = own(&server, "POST", "/v1/endpoints/1/recover", None).await;
    assert_eq!((status, none), (StatusCode::OK, json!({"replays": []})));
}

#[tokio::test]
async fn bad_replays_are_refused_by_name() {
    let server = TestServer::start().await;
    let body = json!({"url": "https://x.test/", "subscriptions": [{"event_type": "order_create"}]});
    own(&server, "POST", "/v1/endpoints", Some(body)).await;
    let path = "/v1/endpoints/1/replays";
    for (body, field) in [
        (json!({"from": "soon"}), "from"),
        (json!({"from": "2026-01-02T00:00:00Z", "until": "2026-01-01T00:00:00Z"}), "from"),
        (json!({"event_types": ["order_vanish"]}), "event_types[0]"),
        (json!({"event_types": ["item_update"]}), "event_types[0]"),
        (json!({"rule": "{"}), "rule"),
        (json!({"since": "x"}), "since"),
    ] {
        let (status, problem) = own(&server, "POST", path, Some(body.clone())).await;
        assert_eq!((status, fault(&problem).1), (StatusCode::BAD_REQUEST, field), "{body}");
    }
    for odd in ["x", "-1", "4294967296", "7"] {
        assert_eq!(
            own(&server, "GET", &format!("{path}/{odd}"), None).await.0,
            StatusCode::NOT_FOUND
        );
    }
}
