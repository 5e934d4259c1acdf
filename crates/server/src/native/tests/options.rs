use axum::http::{StatusCode, header};
use serde_json::{Value, json};

use super::{fault, own, send};
use crate::test_server::{READ_KEY, SIMPLE_KEY, TestServer};

async fn create(server: &TestServer) {
    let body = json!({"url": "https://x.test/"});
    let (status, made) = own(server, "POST", "/v1/endpoints", Some(body)).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
}

async fn patch(server: &TestServer, body: Value) -> (StatusCode, Value) {
    own(server, "PATCH", "/v1/endpoints/1", Some(body)).await
}

#[tokio::test]
async fn options_are_set_shown_and_taken_back() {
    let server = TestServer::start().await;
    create(&server).await;
    let options = json!({
        "signing": {"prefix": "acme-"}, "headers": [{"name": "X-Key", "value": "hidden"}],
        "encoding": "gzip", "danger_accept_invalid_certs": true,
        "retry": [{"status": "404", "action": "drop", "after": 3}],
        "rate_limit": {"unit": "events", "count": 5},
        "concurrency": 8, "order_key": "customer.id",
        "auth": {"kind": "bearer", "token": "hidden-too"},
    });
    let (status, shown) = patch(&server, options.clone()).await;
    assert_eq!(status, StatusCode::OK, "{shown}");
    assert!(!shown.to_string().contains("hidden"), "secrets are write-only: {shown}");
    assert_eq!(shown["headers"], json!([{"name": "x-key"}]));
    assert_eq!(shown["auth"], json!({"kind": "bearer"}));
    assert_eq!(shown["rate_limit"], json!({"unit": "events", "count": 5, "seconds": 1}));
    let plain = ["signing", "encoding", "danger_accept_invalid_certs", "retry"];
    for name in plain.into_iter().chain(["concurrency", "order_key"]) {
        assert_eq!(shown[name], options[name], "{name}");
    }
    let (_, kept) = patch(&server, json!({"name": "n", "auth": {"kind": "bearer"}})).await;
    assert_eq!((&kept["headers"], &kept["auth"]), (&shown["headers"], &shown["auth"]));

    let none = json!({"signing": null, "headers": null, "encoding": null, "retry": null,
        "danger_accept_invalid_certs": null, "rate_limit": null, "auth": null, "name": null,
        "concurrency": null, "order_key": null});
    let (_, after) = patch(&server, none).await;
    assert_eq!(
        (&after["signing"]["prefix"], &after["auth"]["kind"]),
        (&json!("webhook-"), &json!("none"))
    );
    assert_eq!((&after["headers"], &after["retry"]), (&json!([]), &json!([])));
    assert!(after.get("rate_limit").is_none() && after.get("order_key").is_none());
    assert_eq!(after["concurrency"], 1);
}

#[tokio::test]
async fn oauth2_keeps_what_a_patch_leaves_out() {
    let server = TestServer::start().await;
    create(&server).await;
    let auth = json!({"kind": "oauth2", "token_url": "https://id.test/token", "client_id": "me",
                      "client_secret": "hidden", "scope": "a b"});
    let (status, shown) = patch(&server, json!({"auth": auth})).await;
    assert_eq!(status, StatusCode::OK, "{shown}");
    let expected = json!({"kind": "oauth2", "token_url": "https://id.test/token",
                          "client_id": "me", "scope": "a b", "credentials_in_body": false});
    assert_eq!(shown["auth"], expected);
    let (_, shown) = patch(&server, json!({"auth": {"scope": null}})).await;
    assert!(shown["auth"].get("scope").is_none() && shown["auth"]["client_id"] == "me");
    let moved = json!({"auth": {"token_url": "https://thief.test/"}});
    let (status, problem) = patch(&server, moved).await;
    let got = (status, fault(&problem).1);
    assert_eq!(got, (StatusCode::BAD_REQUEST, "auth.client_secret"), "no secret goes elsewhere");
}

#[tokio::test]
async fn bad_options_are_refused_by_name() {
    let server = TestServer::start().await;
    create(&server).await;
    for (body, field) in [
        (json!({"signing": {"prefix": "a b"}}), "signing.prefix"),
        (json!({"signing": {"secret": "x"}}), "signing.secret"),
        (json!({"headers": [{"name": "host", "value": "x"}]}), "headers[0].name"),
        (json!({"headers": [{"name": "x", "value": "a\nb"}]}), "headers[0].value"),
        (json!({"encoding": "br"}), "encoding"),
        // Not read as a list of the members' values.
        (json!([]), ""),
        (json!({"signing": [null, null]}), "signing"),
        (json!({"headers": [["x", "y"]]}), "headers[0]"),
        (json!({"rate_limit": ["events", 1, 1, 1]}), "rate_limit"),
        (json!({"retry": [{"status": 200, "action": "retry"}]}), "retry[0].status"),
        (json!({"rate_limit": {"unit": "bytes", "count": 1}}), "rate_limit.unit"),
        (json!({"concurrency": 0}), "concurrency"),
        (json!({"concurrency": 33, "order_key": "a"}), "concurrency"),
        (json!({"concurrency": "8"}), "concurrency"),
        (json!({"concurrency": 8}), "order_key"),
        (json!({"concurrency": 8, "order_key": "$.a"}), "order_key"),
        (json!({"order_key": "a"}), "order_key"),
        (json!({"auth": {"kind": "bearer"}}), "auth.token"),
        (
            json!({"auth": {"kind": "oauth2", "token_url": "https://id.test/"}}),
            "auth.client_secret",
        ),
        (json!({"auth": {"kind": "none", "token": "x"}}), "auth.token"),
    ] {
        let (status, problem) = patch(&server, body.clone()).await;
        let got = (status, fault(&problem));
        assert_eq!(got, (StatusCode::BAD_REQUEST, ("invalid_value", field)), "{body}: {problem}");
    }
}

#[tokio::test]
async fn secrets_rotate_and_are_not_for_readers() {
    let server = TestServer::start().await;
    create(&server).await;
    let path = "/v1/endpoints/1/secret";
    let answer = send(&server, READ_KEY, "GET", path, None).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    let answer = send(&server, SIMPLE_KEY, "GET", path, None).await;
    assert_eq!(answer.headers[header::CACHE_CONTROL], "no-store");
    let before: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(before["keys"].as_array().map(Vec::len), Some(1), "one is made: {before}");

    let rotate = format!("{path}/rotate");
    let body = json!({"kind": "ed25519", "overlap_seconds": 60});
    let (status, after) = own(&server, "POST", &rotate, Some(body)).await;
    assert_eq!(status, StatusCode::OK, "{after}");
    assert!(after["keys"][0]["secret"].as_str().unwrap().starts_with("whsk_"));
    assert!(after["keys"][0]["public_key"].is_string());
    assert_eq!(after["keys"][1]["secret"], before["keys"][0]["secret"]);
    assert!(after["keys"][1]["expires_at"].is_string());
    for (body, field) in [
        (json!({"secret": "x"}), "secret"),
        (json!({"secret": "x", "kind": "ed25519"}), "kind"),
        (json!({"overlap_seconds": 2_592_001}), "overlap_seconds"),
        (json!({"overlap": 1}), "overlap"),
    ] {
        let (status, problem) = own(&server, "POST", &rotate, Some(body)).await;
        assert_eq!((status, fault(&problem).1), (StatusCode::BAD_REQUEST, field));
    }
}
