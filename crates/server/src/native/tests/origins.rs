//! A secret stays with the origin that it was given for.

use axum::http::StatusCode;
use hookyard_core::id::EndpointId;
use serde_json::{Value, json};

use super::{fault, own};
use crate::test_server::{TestServer, WORKSPACE};

const HERE: &str = "https://x.test/h";

/// What an endpoint may prove itself with, the field that must be given anew, and how it is.
fn secrets() -> Vec<(Value, &'static str, Value)> {
    let oauth2 = json!({"kind": "oauth2", "token_url": "https://id.test/", "client_id": "c",
                        "client_secret": "s3cret"});
    let queue = json!({"kind": "aws_iam", "access_key": "a", "secret_key": "s3cret"});
    vec![
        (
            json!({"auth": {"kind": "basic", "username": "u", "password": "s3cret"}}),
            "auth.password",
            json!({"auth": {"password": "anew"}}),
        ),
        (
            json!({"auth": {"kind": "bearer", "token": "s3cret"}}),
            "auth.token",
            json!({"auth": {"token": "anew"}}),
        ),
        (json!({"auth": oauth2}), "auth.client_secret", json!({"auth": {"client_secret": "anew"}})),
        (json!({"auth": queue}), "auth.secret_key", json!({"auth": {"secret_key": "anew"}})),
        (
            json!({"headers": [{"name": "x-plain", "value": "v"}, {"name": "x-key", "value": "s3cret"}]}),
            "headers[0].value",
            json!({"headers": [{"name": "x-key", "value": "anew"}]}),
        ),
    ]
}

fn with(mut body: Value, url: &str) -> Value {
    body["url"] = json!(url);
    body
}

/// All secrets that the store has of the endpoint.
async fn kept(server: &TestServer, id: &Value) -> String {
    let id = EndpointId(i32::try_from(id.as_i64().unwrap()).unwrap());
    let found = server.store.endpoint(WORKSPACE, id).await.unwrap().unwrap();
    let (_, mut secrets) = found.settings.clone().split();
    secrets.signing.clear();
    serde_json::to_string(&secrets).unwrap()
}

#[tokio::test]
async fn another_origin_needs_every_secret_anew() {
    let server = TestServer::start().await;
    for (before, field, anew) in secrets() {
        let (_, made) = own(&server, "POST", "/v1/endpoints", Some(with(before, HERE))).await;
        let path = format!("/v1/endpoints/{}", made["id"]);
        for url in ["https://evil.test/h", "https://x.test:8443/h", "dataset:1"] {
            let (status, problem) = own(&server, "PATCH", &path, Some(json!({"url": url}))).await;
            assert_eq!(status, StatusCode::BAD_REQUEST, "{field} {url}: {problem}");
            assert_eq!(fault(&problem), ("invalid_value", field), "{url}: {problem}");
            assert!(problem["detail"].as_str().unwrap().contains("another origin"), "{problem}");
        }
        assert_eq!(own(&server, "GET", &path, None).await.1, made, "nothing is half done");
        assert!(kept(&server, &made["id"]).await.contains("s3cret"));

        let near = json!({"url": "https://x.test/other?place"});
        assert_eq!(own(&server, "PATCH", &path, Some(near)).await.0, StatusCode::OK, "{field}");
        assert!(kept(&server, &made["id"]).await.contains("s3cret"), "{field}");

        let moved = with(anew, "https://evil.test/h");
        let (status, moved) = own(&server, "PATCH", &path, Some(moved)).await;
        assert_eq!(status, StatusCode::OK, "{field}: {moved}");
        let kept = kept(&server, &made["id"]).await;
        assert!(kept.contains("anew") && !kept.contains("s3cret"), "{field}: {kept}");
    }
}

#[tokio::test]
async fn what_is_not_needed_any_more_is_forgotten() {
    let server = TestServer::start().await;
    for (before, field, _) in secrets() {
        let (_, made) = own(&server, "POST", "/v1/endpoints", Some(with(before, HERE))).await;
        let path = format!("/v1/endpoints/{}", made["id"]);
        let bare = json!({"url": "https://evil.test/", "auth": null, "headers": null});
        let (status, after) = own(&server, "PATCH", &path, Some(bare)).await;
        assert_eq!(status, StatusCode::OK, "{field}: {after}");
        assert!(!kept(&server, &made["id"]).await.contains("s3cret"), "{field}");
    }
}
