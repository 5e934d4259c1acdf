use axum::http::StatusCode;
use serde_json::{Value, json};

use super::{fault, own};
use crate::test_server::TestServer;

async fn add(server: &TestServer, body: Value) -> (StatusCode, Value) {
    own(server, "POST", "/v1/event-types", Some(body)).await
}

#[tokio::test]
async fn an_added_type_is_published_and_subscribed_to() {
    let server = TestServer::start().await;
    let new = json!({"name": "parcel_lost", "description": "Lost", "category": "parcel",
                     "expansions": ["route", "route.stops"]});
    let (status, made) = add(&server, new).await;
    assert_eq!(status, StatusCode::CREATED);
    let expected = json!({"name": "parcel_lost", "category": "parcel", "description": "Lost",
        "supports_reflow": true, "deprecated": false, "discontinued": false});
    assert_eq!(made, expected);
    let (_, listed) = own(&server, "GET", "/v1/event-types", None).await;
    let parcel = listed["categories"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(parcel["expansions"], json!(["route", "route.stops"]));
    assert_eq!(parcel["event_types"], json!([expected]));

    let endpoint =
        json!({"url": "https://x.test/", "subscriptions": [{"event_type": "parcel_lost"}]});
    let (status, _) = own(&server, "POST", "/v1/endpoints", Some(endpoint)).await;
    assert_eq!(status, StatusCode::CREATED);
    let event = hookyard_core::cloudevents::CloudEvent {
        id: "a".to_owned(),
        source: "/post".to_owned(),
        event_type: "parcel_lost".to_owned(),
        attributes: String::new(),
        object: bytes::Bytes::from_static(b"{}"),
    };
    let receipts = server.engine.publish(crate::test_server::WORKSPACE, vec![event]).await.unwrap();
    assert_eq!(receipts[0].matched, 1, "the new type is in effect once it is answered");
}

#[tokio::test]
async fn bad_types_are_refused_by_name() {
    let server = TestServer::start().await;
    for (body, expected) in [
        (json!({}), ("invalid_value", "name")),
        (json!({"name": ""}), ("invalid_value", "name")),
        (json!({"name": "a b"}), ("invalid_value", "name")),
        (json!({"name": "hookyard.x"}), ("invalid_value", "name")),
        (json!({"name": 5}), ("invalid_value", "name")),
        (json!({"name": "x", "category": "a/b"}), ("invalid_value", "category")),
        (json!({"name": "x", "expansions": ["a", "a"]}), ("invalid_value", "expansions[1]")),
        (json!({"name": "x", "nope": 1}), ("invalid_value", "nope")),
    ] {
        let (status, problem) = add(&server, body.clone()).await;
        assert_eq!((status, fault(&problem)), (StatusCode::BAD_REQUEST, expected), "{body}");
    }
    for body in [
        json!({"name": "order_create"}),
        json!({"name": "order_pack", "category": "order", "expansions": ["x"]}),
    ] {
        let (status, problem) = add(&server, body).await;
        assert_eq!((status, fault(&problem).0), (StatusCode::CONFLICT, "conflict"));
    }
    let (status, made) = add(&server, json!({"name": "plain"})).await;
    assert_eq!((status, &made["category"]), (StatusCode::CREATED, &json!("custom")));
}
