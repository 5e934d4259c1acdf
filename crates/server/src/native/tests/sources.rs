use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use serde_json::{Value, json};

use super::{fault, own, send};
use crate::test_server::{Answer, OTHER_KEY, READ_KEY, SIMPLE_KEY, TestServer};

async fn made(server: &TestServer, body: Value) -> Value {
    let (status, source) = own(server, "POST", "/v1/sources", Some(body)).await;
    assert_eq!(status, StatusCode::CREATED, "{source}");
    source
}

fn at(source: &Value) -> String {
    format!("/v1/sources/{}", source["id"])
}

/// Sends a delivery to a source.
async fn deliver(server: &TestServer, source: &Value, headers: &[(&str, &str)]) -> Answer {
    let mut request = Request::post(source["path"].as_str().unwrap());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    server.send(request.body(Body::from("{\"a\":1}")).unwrap()).await
}

#[tokio::test]
async fn sources_live_as_long_as_they_are_wanted() {
    let server = TestServer::start().await;
    let source = made(&server, json!({})).await;
    assert_eq!((&source["name"], &source["mode"]), (&json!("Generic Webhook"), &json!("combine")));
    assert_eq!((&source["origins"], &source["secure"]), (&json!("*"), &json!(false)));
    assert_eq!((&source["project"], &source["folder"]), (&json!(1), &Value::Null));
    assert_eq!(own(&server, "GET", &at(&source), None).await, (StatusCode::OK, source.clone()));
    assert_eq!(deliver(&server, &source, &[]).await.status, 201);

    let patch = json!({"name": " Orders ", "mode": "replace", "origins": "https://a.example"});
    let (status, changed) = own(&server, "PATCH", &at(&source), Some(patch)).await;
    assert_eq!(status, StatusCode::OK, "{changed}");
    assert_eq!((&changed["name"], &changed["mode"]), (&json!("Orders"), &json!("replace")));
    let patch = json!({"name": null, "mode": null, "origins": null});
    assert_eq!(own(&server, "PATCH", &at(&source), Some(patch)).await.1, source);
    assert_eq!(own(&server, "PATCH", &at(&source), Some(json!({}))).await.1, source);

    let answer = send(&server, SIMPLE_KEY, "DELETE", &at(&source), None).await;
    assert_eq!((answer.status, answer.body.as_str()), (StatusCode::NO_CONTENT, ""));
    assert_eq!(deliver(&server, &source, &[]).await.status, 404);
    for method in ["GET", "DELETE"] {
        assert_eq!(own(&server, method, &at(&source), None).await.0, StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn values_that_cannot_be_used_are_named() {
    let server = TestServer::start().await;
    let source = made(&server, json!({})).await;
    let long = "x".repeat(1_001);
    for (body, field) in [
        (json!({"name": "x".repeat(256)}), "name"),
        (json!({"name": 1}), "name"),
        (json!({"mode": "append"}), "mode"),
        (json!({"origins": "a\nb"}), "origins"),
        (json!({"secret": ""}), "secret"),
        (json!({"secret": long}), "secret"),
        (json!({"secret": "x", "secure": false}), "secret"),
        (json!({"secret": null, "secure": true}), "secret"),
        (json!({"answer": {"status": 301}}), "answer.status"),
        (json!({"answer": {"status": 204, "body": "x"}}), "answer.body"),
        (json!({"answer": {"content_type": "text"}}), "answer.content_type"),
        (json!({"answer": {"headers": {}}}), "answer.headers"),
        (json!({"nope": 1}), "nope"),
    ] {
        for (method, path) in [("POST", "/v1/sources".to_owned()), ("PATCH", at(&source))] {
            let (status, problem) = own(&server, method, &path, Some(body.clone())).await;
            assert_eq!(status, StatusCode::BAD_REQUEST, "{method} {body}: {problem}");
            assert_eq!(fault(&problem), ("invalid_value", field), "{method} {body}");
        }
    }
    for (body, field) in [(json!({"project": 7}), "project"), (json!({"folder": "x"}), "folder")] {
        let (_, problem) = own(&server, "POST", "/v1/sources", Some(body.clone())).await;
        assert_eq!(fault(&problem), ("invalid_value", field));
        let (_, problem) = own(&server, "PATCH", &at(&source), Some(body)).await;
        assert_eq!(fault(&problem), ("invalid_value", field));
        assert!(problem["detail"].as_str().unwrap().contains("cannot be changed"));
    }
    assert_eq!(own(&server, "GET", &at(&source), None).await.1, source, "nothing changed");
}

#[tokio::test]
async fn a_source_can_be_verified_from_its_first_delivery_on() {
    let server = TestServer::start().await;
    let verification = json!({"provider": "github", "secrets": ["s3cret"]});
    let source = made(&server, json!({"verification": verification})).await;
    assert_eq!((&source["secure"], &source["provider"]), (&json!(true), &json!("github")));
    assert_eq!(deliver(&server, &source, &[]).await.status, 401);
    let path = format!("{}/verification", at(&source));
    let (status, shown) = own(&server, "GET", &path, None).await;
    assert_eq!((status, &shown["provider"]), (StatusCode::OK, &json!("github")));
    for (body, field) in [
        (json!({"verification": {"provider": "nobody"}}), "verification.provider"),
        (
            json!({"verification": {"provider": "square", "secrets": ["s"]}}),
            "verification.provider",
        ),
        (json!({"verification": {"nope": 1}}), "verification.nope"),
    ] {
        let (status, problem) = own(&server, "POST", "/v1/sources", Some(body)).await;
        assert_eq!((status, fault(&problem).1), (StatusCode::BAD_REQUEST, field), "{problem}");
    }
    let (_, problem) =
        own(&server, "PATCH", &at(&source), Some(json!({"verification": null}))).await;
    assert!(problem["detail"].as_str().unwrap().contains("PUT /v1/sources"), "{problem}");
}

#[tokio::test]
async fn a_source_shows_its_whole_url() {
    let server = TestServer::start().await;
    let source = made(&server, json!({})).await;
    assert_eq!(source.get("url"), None, "the request names no host");
    let request = Request::get(at(&source)).header("x-ultracart-simple-key", SIMPLE_KEY);
    let request = request.header(header::HOST, "hooks.test:81").body(Body::empty()).unwrap();
    let shown: Value = serde_json::from_str(&server.send(request).await.body).unwrap();
    let path = source["path"].as_str().unwrap();
    assert_eq!(shown["url"], format!("http://hooks.test:81{path}"));
    let public_url = Some("https://example.com/in".to_owned());
    let server = TestServer::with(crate::Settings { public_url, ..Default::default() }).await;
    let source = made(&server, json!({})).await;
    assert_eq!(
        source["url"],
        format!("https://example.com/in{}", source["path"].as_str().unwrap())
    );
    made(&server, json!({})).await;
    let (_, page) = own(&server, "GET", "/v1/sources?limit=1", None).await;
    assert_eq!(page["next"], "/in/v1/sources?after=1&limit=1");
    let answer = send(&server, SIMPLE_KEY, "POST", "/v1/sources", Some(&json!({}))).await;
    assert_eq!(answer.headers[header::LOCATION], "/in/v1/sources/3");
}

#[tokio::test]
async fn events_of_unknown_types_are_not_promised() {
    let server = TestServer::start().await;
    let republish = |name: &str| json!({"republish": {"event_type": name}});
    let source = made(&server, republish("order_create")).await;
    for (method, path) in [("POST", "/v1/sources".to_owned()), ("PATCH", at(&source))] {
        let (status, problem) = own(&server, method, &path, Some(republish("order_creat"))).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{problem}");
        assert_eq!(fault(&problem), ("unknown_event_type", "republish.event_type"));
        assert!(problem["detail"].as_str().unwrap().ends_with("the nearest is `order_create`"));
    }
}

#[tokio::test]
async fn pages_follow_each_other() {
    let server = TestServer::start().await;
    for _ in 0..5 {
        made(&server, json!({"folder": "label_7"})).await;
    }
    let mut path = Some("/v1/sources?project=1&limit=2".to_owned());
    let mut ids = Vec::new();
    while let Some(next) = path {
        let (status, page) = own(&server, "GET", &next, None).await;
        assert_eq!(status, StatusCode::OK, "{page}");
        ids.extend(page["sources"].as_array().unwrap().iter().map(|s| s["id"].as_i64().unwrap()));
        path = page["next"].as_str().map(str::to_owned);
    }
    assert_eq!(ids, [1, 2, 3, 4, 5]);
    for (query, field) in [("limit=0", "limit"), ("limit=201", "limit"), ("offset=1", "offset")] {
        let (_, problem) = own(&server, "GET", &format!("/v1/sources?{query}"), None).await;
        assert_eq!(fault(&problem), ("invalid_value", field));
    }
    let (_, none) = own(&server, "GET", "/v1/sources?project=2", None).await;
    assert_eq!(none, json!({"sources": []}));
}

#[tokio::test]
async fn another_workspace_has_no_part_in_a_source() {
    let server = TestServer::start().await;
    let source = made(&server, json!({"secure": true})).await;
    let listed = send(&server, OTHER_KEY, "GET", "/v1/sources", None).await;
    assert_eq!(listed.body, r#"{"sources":[]}"#);
    let rotate = json!({});
    for (method, path, body) in [
        ("GET", "", None),
        ("PATCH", "", Some(json!({"name": "mine"}))),
        ("DELETE", "", None),
        ("POST", "/key/rotate", None),
        ("GET", "/secret", None),
        ("POST", "/secret/rotate", Some(rotate)),
    ] {
        let path = format!("{}{path}", at(&source));
        let answer = send(&server, OTHER_KEY, method, &path, body.as_ref()).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{method} {path}");
    }
    assert_eq!(own(&server, "GET", &at(&source), None).await.1, source);
}

#[tokio::test]
async fn a_new_key_is_a_new_url() {
    let server = TestServer::start().await;
    let source = made(&server, json!({})).await;
    let path = format!("{}/key/rotate", at(&source));
    let (status, rotated) = own(&server, "POST", &path, None).await;
    assert_eq!(status, StatusCode::OK);
    assert_ne!(rotated["path"], source["path"]);
    assert_eq!(deliver(&server, &source, &[]).await.status, 404);
    assert_eq!(deliver(&server, &rotated, &[]).await.status, 201);
}

#[tokio::test]
async fn what_is_rotated_counts_until_its_overlap_is_over_or_ended() {
    let server = TestServer::start().await;
    let source = made(&server, json!({"secret": "first"})).await;
    let path = at(&source);
    let proves = async |secret: &str| {
        deliver(&server, &source, &[("x-webhook-secret", secret)]).await.status == 201
    };
    let rotate = json!({"secret": "second", "overlap_seconds": 60});
    let (status, rotated) =
        own(&server, "POST", &format!("{path}/secret/rotate"), Some(rotate)).await;
    assert_eq!((status, &rotated["secret"]), (StatusCode::OK, &json!("second")));
    let until = rotated["previous_until"].clone();
    assert!(until.is_string(), "{rotated}");
    assert_eq!(own(&server, "GET", &path, None).await.1["previous_secret_until"], until);
    assert!(proves("first").await && proves("second").await);
    server.clock.advance(Duration::from_secs(60));
    assert!(!proves("first").await && proves("second").await);
    let (_, shown) = own(&server, "GET", &format!("{path}/secret"), None).await;
    assert_eq!(shown, json!({"secret": "second"}));

    // It can be ended before.
    let rotate = json!({"secret": "third", "overlap_seconds": 60});
    own(&server, "POST", &format!("{path}/secret/rotate"), Some(rotate)).await;
    assert!(proves("second").await);
    let ended = own(&server, "DELETE", &format!("{path}/secret/previous"), None).await;
    assert_eq!(ended.0, StatusCode::NO_CONTENT);
    assert!(!proves("second").await && proves("third").await);

    // And so for the key; a rotation without an overlap ends what came before.
    let shown = [("x-webhook-secret", "third")];
    let with_overlap = format!("{path}/key/rotate?overlap_seconds=60");
    let (_, one) = own(&server, "POST", &with_overlap, None).await;
    assert!(one["previous_key_until"].is_string());
    for url in [&source, &one] {
        assert_eq!(deliver(&server, url, &shown).await.status, 201);
    }
    let (_, two) = own(&server, "POST", &format!("{path}/key/rotate"), None).await;
    for (url, status) in [(&source, 404), (&one, 404), (&two, 201)] {
        assert_eq!(deliver(&server, url, &shown).await.status, status);
    }
    let (_, three) = own(&server, "POST", &with_overlap, None).await;
    own(&server, "DELETE", &format!("{path}/key/previous"), None).await;
    assert_eq!(deliver(&server, &two, &shown).await.status, 404);
    assert_eq!(deliver(&server, &three, &shown).await.status, 201);
    let (_, four) = own(&server, "POST", &with_overlap, None).await;
    server.clock.advance(Duration::from_secs(60));
    assert_eq!(deliver(&server, &three, &shown).await.status, 404);
    assert_eq!(deliver(&server, &four, &shown).await.status, 201);

    let month = 30 * 24 * 3_600;
    let body = Some(json!({"overlap_seconds": month + 1}));
    for (path, body) in [
        (format!("{path}/secret/rotate"), body),
        (format!("{path}/key/rotate?overlap_seconds={}", month + 1), None),
    ] {
        let (_, problem) = own(&server, "POST", &path, body).await;
        assert_eq!(fault(&problem), ("invalid_value", "overlap_seconds"));
    }
}

#[tokio::test]
async fn secrets_are_made_chosen_shown_and_forgotten() {
    let server = TestServer::start().await;
    let source = made(&server, json!({"secret": "chosen"})).await;
    assert_eq!(source["secure"], true);
    assert!(!source.to_string().contains("chosen"));
    let path = format!("{}/secret", at(&source));
    let shown = send(&server, SIMPLE_KEY, "GET", &path, None).await;
    assert_eq!(shown.body, r#"{"secret":"chosen"}"#);
    assert_eq!(shown.headers[header::CACHE_CONTROL], "no-store");
    assert_eq!(send(&server, READ_KEY, "GET", &path, None).await.status, StatusCode::FORBIDDEN);
    let proves = async |secret: &str| {
        deliver(&server, &source, &[("x-webhook-secret", secret)]).await.status == 201
    };
    assert!(proves("chosen").await && !proves("other").await);

    // What is secure keeps its secret; a rotation changes it at once.
    own(&server, "PATCH", &at(&source), Some(json!({"secure": true}))).await;
    assert!(proves("chosen").await);
    let rotate = format!("{path}/rotate");
    let (status, rotated) = own(&server, "POST", &rotate, Some(json!({}))).await;
    assert_eq!(status, StatusCode::OK, "{rotated}");
    let new = rotated["secret"].as_str().unwrap();
    assert!(new.len() == 32 && proves(new).await && !proves("chosen").await);
    own(&server, "POST", &rotate, Some(json!({"secret": "third"}))).await;
    assert!(proves("third").await);
    let (_, problem) = own(&server, "POST", &rotate, Some(json!({"secret": ""}))).await;
    assert_eq!(fault(&problem), ("invalid_value", "secret"));

    for open in [json!({"secure": false}), json!({"secret": null})] {
        own(&server, "PATCH", &at(&source), Some(json!({"secret": "x"}))).await;
        let (_, opened) = own(&server, "PATCH", &at(&source), Some(open)).await;
        assert_eq!(opened["secure"], false);
        assert_eq!(own(&server, "GET", &path, None).await.1, json!({}));
        assert_eq!(deliver(&server, &source, &[]).await.status, 201);
    }
}

#[tokio::test]
async fn the_owner_chooses_the_answer() {
    let server = TestServer::start().await;
    let answer = json!({"status": 202, "content_type": "text/xml", "body": "<Response/>"});
    let source = made(&server, json!({"answer": answer})).await;
    assert_eq!(source["answer"], answer);
    let got = deliver(&server, &source, &[]).await;
    assert_eq!((got.status.as_u16(), got.body.as_str()), (202, "<Response/>"));
    assert_eq!(got.headers[header::CONTENT_TYPE], "text/xml");

    own(&server, "PATCH", &at(&source), Some(json!({"answer": {"body": "[accepted]"}}))).await;
    let got = deliver(&server, &source, &[]).await;
    assert_eq!((got.status.as_u16(), got.body.as_str()), (201, "[accepted]"));
    assert_eq!(got.headers[header::CONTENT_TYPE], "text/plain; charset=utf-8");

    own(&server, "PATCH", &at(&source), Some(json!({"answer": {"status": 204}}))).await;
    let got = deliver(&server, &source, &[]).await;
    assert_eq!((got.status.as_u16(), got.body.as_str()), (204, ""));
    assert!(!got.headers.contains_key(header::CONTENT_TYPE));

    own(&server, "PATCH", &at(&source), Some(json!({"answer": null}))).await;
    let got = deliver(&server, &source, &[]).await;
    assert_eq!((got.status.as_u16(), got.body.as_str()), (201, r#"{"status":"ok","rows":1}"#));
}
