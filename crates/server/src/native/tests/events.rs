use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use serde_json::{Value, json};

use crate::test_server::{API_KEY, API_SECRET, READ_KEY, SIMPLE_KEY, TOKEN, TestServer};

const EVENT: &str = r#"{"specversion":"1.0","id":"a","source":"/shop","type":"order_create","subject":"s","data":{"n": 1.0}}"#;
const STRUCTURED: &str = "application/cloudevents+json";
const BATCH: &str = "application/cloudevents-batch+json";

async fn call(server: &TestServer, request: Request<Body>) -> (StatusCode, Value, String) {
    let answer = server.send(request).await;
    (answer.status, serde_json::from_str(&answer.body).unwrap_or_default(), answer.body)
}

async fn publish(server: &TestServer, kind: &str, body: impl Into<Body>) -> (StatusCode, Value) {
    let request = Request::post("/v1/events")
        .header("x-ultracart-simple-key", SIMPLE_KEY)
        .header(header::CONTENT_TYPE, kind)
        .body(body.into())
        .unwrap();
    let (status, json, _) = call(server, request).await;
    (status, json)
}

/// Publishes an `order_create` event; its receipt.
pub(crate) async fn publish_order(server: &TestServer, id: &str, object: &Value) -> Value {
    let event = json!({
        "specversion": "1.0", "id": id, "source": "/shop", "type": "order_create", "data": object,
    });
    publish_json(server, &event).await
}

/// Publishes an event; its receipt.
pub(crate) async fn publish_json(server: &TestServer, event: &Value) -> Value {
    let (status, receipt) = publish(server, STRUCTURED, event.to_string()).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{receipt}");
    receipt
}

/// The answer to publishing an event.
pub(crate) async fn try_publish(server: &TestServer, event: &Value) -> (StatusCode, Value) {
    publish(server, STRUCTURED, event.to_string()).await
}

async fn get(server: &TestServer, path: &str) -> (StatusCode, Value, String) {
    let request = Request::get(path).header("x-api-key", API_KEY);
    let request = request.header("x-api-secret", API_SECRET);
    call(server, request.body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn batches_have_a_path_of_their_own() {
    let server = TestServer::start().await;
    let send = async |path, kind, body: String| {
        let request = Request::post(path).header("x-ultracart-simple-key", SIMPLE_KEY);
        let request = request.header(header::CONTENT_TYPE, kind).body(Body::from(body));
        let (status, json, _) = call(&server, request.unwrap()).await;
        (status, json)
    };
    let other_case = "Application/CloudEvents-Batch+JSON; charset=UTF-8";
    for (path, kind) in [
        ("/v1/event-batches", BATCH),
        ("/v1/events", BATCH),
        ("/v1/event-batches", other_case),
        ("/v1/events", other_case),
    ] {
        let (status, receipts) = send(path, kind, format!("[{EVENT}]")).await;
        assert_eq!(status, StatusCode::ACCEPTED, "{path}: {receipts}");
        assert_eq!(receipts[0]["seq"], 1, "{path}");
    }
    let (status, problem) = send("/v1/event-batches", STRUCTURED, EVENT.to_owned()).await;
    assert_eq!(status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert_eq!(
        (&problem["field"], &problem["detail"]),
        (&json!("content-type"), &json!("send the body as application/cloudevents-batch+json"),)
    );
}

#[tokio::test]
async fn one_event_gets_one_receipt_and_reads_back() {
    let server = TestServer::start().await;
    let (status, receipt) = publish(&server, STRUCTURED, EVENT).await;
    assert_eq!(status, StatusCode::ACCEPTED);
    assert_eq!(receipt, json!({"id": "a", "seq": 1, "matched": 0, "duplicate": false}));
    let (_, again) = publish(&server, STRUCTURED, EVENT).await;
    assert_eq!(again, json!({"id": "a", "seq": 1, "matched": 0, "duplicate": true}));
    let (status, shown, text) = get(&server, "/v1/events/a").await;
    assert_eq!(status, StatusCode::OK);
    let mut published: Value = serde_json::from_str(EVENT).unwrap();
    assert_eq!(shown["event"], published);
    assert!(text.contains(r#""data":{"n": 1.0}"#), "to the byte: {text}");
    published["id"] = json!("b");
    assert_eq!(get(&server, "/v1/events/b").await.0, StatusCode::NOT_FOUND);
    assert_eq!(get(&server, "/v1/events/a?source=/x").await.0, StatusCode::NOT_FOUND);
    assert_eq!(get(&server, "/v1/events/a?source=/shop").await.0, StatusCode::OK);
    assert_eq!(get(&server, "/v1/events/a?sauce=/x").await.0, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_batch_is_accepted_whole_or_not_at_all() {
    let server = TestServer::start().await;
    let second = EVENT.replace("\"a\"", "\"b\"");
    let unknown = second.replace("order_create", "order_vanish");
    let (status, problem) = publish(&server, BATCH, format!("[{EVENT},{unknown}]")).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let at_fault = (&problem["code"], &problem["field"], &problem["index"]);
    assert_eq!(at_fault, (&json!("unknown_event_type"), &json!("type"), &json!(1)));
    assert!(problem["detail"].as_str().unwrap().contains("order_vanish"));
    assert_eq!(get(&server, "/v1/events").await.1["events"], json!([]));

    let (status, receipts) = publish(&server, BATCH, format!("[{EVENT},{second},{EVENT}]")).await;
    assert_eq!(status, StatusCode::ACCEPTED);
    let duplicates: Vec<_> =
        receipts.as_array().unwrap().iter().map(|receipt| &receipt["duplicate"]).collect();
    assert_eq!(duplicates, [false, false, true]);
    assert_eq!(publish(&server, BATCH, "[]").await, (StatusCode::ACCEPTED, json!([])));
}

#[tokio::test]
async fn bad_requests_say_what_is_wrong() {
    let server = TestServer::start().await;
    let large = EVENT.replace("1.0}", &format!("\"{}\"}}", "x".repeat(2 << 20)));
    for (kind, body, status, code) in [
        (STRUCTURED, "{bad".to_owned(), 400, "malformed_body"),
        (STRUCTURED, EVENT.replace("\"id\"", "\"ident\""), 400, "invalid_value"),
        (STRUCTURED, large.clone(), 413, "too_large"),
        (BATCH, format!("[{large}]"), 413, "too_large"),
        (BATCH, " ".repeat(11 << 20), 413, "too_large"),
        ("text/plain", EVENT.to_owned(), 415, "unsupported_media_type"),
    ] {
        let (got, problem) = publish(&server, kind, body).await;
        assert_eq!((got.as_u16(), problem["code"].as_str()), (status, Some(code)));
        assert!(!problem["detail"].as_str().unwrap().is_empty());
    }
}

/// An event that no rule can be matched against, here for a number of 2,000 digits.
#[tokio::test]
async fn an_event_that_cannot_be_matched_is_refused() {
    let server = TestServer::start().await;
    let webhook = json!({
        "webhook_url": "https://x.test/h",
        "event_categories": [{"events": [
            {"event_name": "order_create", "event_ruler": r#"{"n":["x"]}"#},
        ]}],
    });
    let request = Request::post("/rest/v2/webhook/webhooks")
        .header("x-ultracart-simple-key", SIMPLE_KEY)
        .body(Body::from(webhook.to_string()));
    assert_eq!(call(&server, request.unwrap()).await.0, StatusCode::OK);
    let endless = EVENT.replace("1.0}", &format!("{}}}", "9".repeat(2_000)));
    let (status, problem) = publish(&server, STRUCTURED, endless.clone()).await;
    let at_fault = (&problem["code"], &problem["field"], &problem["index"]);
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert_eq!(at_fault, (&json!("invalid_value"), &json!("data"), &Value::Null));
    let (_, problem) = publish(&server, BATCH, format!("[{EVENT},{endless}]")).await;
    assert_eq!(problem["index"], 1);
    assert_eq!(get(&server, "/v1/events").await.1["events"], json!([]));
}

#[tokio::test]
async fn the_journal_pages_to_its_end() {
    let server = TestServer::start().await;
    let events: Vec<_> =
        (0..5).map(|n| EVENT.replace("\"a\"", &format!("\"event {n}\""))).collect();
    publish(&server, BATCH, format!("[{}]", events.join(","))).await;
    for (query, expected) in
        [("?limit=2", [4, 3, 2, 1, 0]), ("?limit=2&order=asc", [0, 1, 2, 3, 4])]
    {
        let mut path = format!("/v1/events{query}&type=order_create");
        let mut seen = Vec::new();
        loop {
            let (status, page, _) = get(&server, &path).await;
            assert_eq!(status, StatusCode::OK);
            let events = page["events"].as_array().unwrap();
            seen.extend(events.iter().map(|event| event["event"]["id"].clone()));
            match page["next"].as_str() {
                Some(next) => path = next.to_owned(),
                None => break,
            }
        }
        let expected: Vec<_> = expected.iter().map(|n| json!(format!("event {n}"))).collect();
        assert_eq!(seen, expected);
    }
    for wrong in ["?limit=0", "?limit=1001", "?limit=x", "?type=nope", "?nope=1", "?after=-1"] {
        let (status, problem, _) = get(&server, &format!("/v1/events{wrong}")).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{wrong}");
        assert!(!problem["detail"].as_str().unwrap().is_empty());
    }
}

#[tokio::test]
async fn callers_need_a_credential_with_the_scope() {
    let server = TestServer::start().await;
    let anonymous = Request::post("/v1/events").body(Body::from(EVENT)).unwrap();
    let answer = server.send(anonymous).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert_eq!(answer.headers[header::WWW_AUTHENTICATE], "Bearer");
    let read_only = Request::post("/v1/events")
        .header("x-ultracart-simple-key", READ_KEY)
        .header(header::CONTENT_TYPE, STRUCTURED);
    let (status, problem, _) = call(&server, read_only.body(Body::from(EVENT)).unwrap()).await;
    assert_eq!((status, &problem["code"]), (StatusCode::FORBIDDEN, &json!("missing_scope")));
    assert!(problem["detail"].as_str().unwrap().contains("event_write"));
    let read = Request::get("/v1/events").header(header::AUTHORIZATION, format!("bearer {TOKEN}"));
    assert_eq!(call(&server, read.body(Body::empty()).unwrap()).await.0, StatusCode::OK);
}
