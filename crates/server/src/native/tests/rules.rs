use axum::body::Body;
use axum::http::{Request, StatusCode};
use hookyard_core::model::{CredentialKind, Scope};
use serde_json::{Value, json};

use super::events::publish_order;
use crate::test_server::{OTHER_KEY, READ_KEY, SIMPLE_KEY, TestServer, WORKSPACE, credential};

async fn ask(server: &TestServer, key: &str, body: &str) -> (StatusCode, Value) {
    let request = Request::post("/v1/rules/test")
        .header("x-ultracart-simple-key", key)
        .header("content-type", "application/json");
    let answer = server.send(request.body(Body::from(body.to_owned())).unwrap()).await;
    (answer.status, serde_json::from_str(&answer.body).unwrap())
}

async fn problem(server: &TestServer, body: &str) -> (u16, String, String, String) {
    let (status, problem) = ask(server, READ_KEY, body).await;
    let text = |name: &str| problem[name].as_str().unwrap_or_default().to_owned();
    (status.as_u16(), text("code"), text("field"), text("detail"))
}

#[tokio::test]
async fn a_rule_is_tested_on_one_event() {
    let server = TestServer::start().await;
    for rule in [r#"{"stage":["Shipping"]}"#, r#""{\"stage\":[\"Shipping\"]}""#] {
        let body = format!(r#"{{"rule":{rule},"event":{{"stage":"Shipping"}}}}"#);
        let (status, verdict) = ask(&server, READ_KEY, &body).await;
        assert_eq!(status, StatusCode::OK, "{verdict}");
        let branches = json!([{"matched": true, "failures": []}]);
        assert_eq!(verdict, json!({"matched": true, "explanation": "match", "branches": branches}));
        let body = format!(r#"{{"rule":{rule},"event":{{"stage":"Accounts"}}}}"#);
        let (_, verdict) = ask(&server, READ_KEY, &body).await;
        let reason = r#""Accounts" is not "Shipping""#;
        let failures = json!([{"path": "stage", "reason": reason}]);
        assert_eq!(
            verdict,
            json!({
                "matched": false,
                "explanation": format!("no match\n  stage: {reason}"),
                "branches": [{"matched": false, "failures": failures}],
            })
        );
    }
}

#[tokio::test]
async fn a_rule_is_tested_on_the_journal() {
    let server = TestServer::start().await;
    for n in 0..5 {
        publish_order(&server, &format!("order {n}"), &json!({ "n": n })).await;
    }
    let question =
        |more: &str| format!(r#"{{"rule":{{"n":[1,3,4]}},"event_type":"order_create"{more}}}"#);
    let (status, trial) = ask(&server, READ_KEY, &question("")).await;
    assert_eq!(status, StatusCode::OK, "{trial}");
    let sample = |n: u64| json!({"seq": n + 1, "id": format!("order {n}"), "source": "/shop"});
    assert_eq!(
        trial,
        json!({
            "event_type": "order_create", "tested": 5, "matched": 3, "refused": 0,
            "samples": [sample(4), sample(3), sample(1)],
        })
    );
    let (_, trial) = ask(&server, READ_KEY, &question(r#","last":2"#)).await;
    assert_eq!((&trial["tested"], &trial["matched"]), (&json!(2), &json!(2)));
    let (_, trial) = ask(&server, OTHER_KEY, &question("")).await;
    assert_eq!((&trial["tested"], &trial["samples"]), (&json!(0), &json!([])));
}

#[tokio::test]
async fn a_bad_question_says_what_is_wrong() {
    let server = TestServer::start().await;
    for (body, code, field) in [
        ("{bad", "malformed_body", ""),
        (r#"{"event":{}}"#, "invalid_value", "rule"),
        (r#"{"rule":{"a":[1]},"event":{},"more":1}"#, "invalid_value", "more"),
        (r#"{"rule":{"a":1},"event":{}}"#, "invalid_value", "rule"),
        (r#"{"rule":"","event":{}}"#, "invalid_value", "rule"),
        (r#"{"rule":{"a":[1]},"event":[]}"#, "invalid_value", "event"),
        (r#"{"rule":{"a":[1]}}"#, "invalid_value", ""),
        (r#"{"rule":{"a":[1]},"event":{},"event_type":"order_create"}"#, "invalid_value", ""),
        (r#"{"rule":{"a":[1]},"event":{},"last":1}"#, "invalid_value", ""),
        (r#"{"rule":{"a":[1]},"event_type":"nope"}"#, "unknown_event_type", "event_type"),
        (r#"{"rule":{"a":[1]},"event_type":"order_create","last":0}"#, "invalid_value", "last"),
        (r#"{"rule":{"a":[1]},"event_type":"order_create","last":10001}"#, "invalid_value", "last"),
    ] {
        let (status, got, at, detail) = problem(&server, body).await;
        assert_eq!((status, got.as_str(), at.as_str()), (400, code, field), "{body}: {detail}");
        assert!(!detail.is_empty());
    }
    let detail = problem(&server, r#"{"rule":{"a":1},"event":{}}"#).await.3;
    assert!(detail.starts_with("a: ") && detail.contains("in 1"), "{detail}");
    let large = format!(r#"{{"rule":{{"a":[1]}},"event":{{"a":"{}"}}}}"#, "x".repeat(2 << 20));
    assert_eq!(problem(&server, &large).await.0, 413);
}

#[tokio::test]
async fn the_scope_is_event_read() {
    let server = TestServer::start().await;
    let body = r#"{"rule":{"a":[1]},"event":{"a":1}}"#;
    assert_eq!(ask(&server, SIMPLE_KEY, body).await.0, StatusCode::OK);
    assert_eq!(ask(&server, "unknown", body).await.0, StatusCode::UNAUTHORIZED);
    let scopes = [Scope::EventWrite].into_iter().collect();
    let writer = credential(CredentialKind::Simple, "writer", scopes);
    server.store.create_credential(WORKSPACE, writer).await.unwrap();
    let (status, problem) = ask(&server, "writer", body).await;
    assert_eq!((status, &problem["code"]), (StatusCode::FORBIDDEN, &json!("missing_scope")));
}
