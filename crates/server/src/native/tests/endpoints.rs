use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use hookyard_core::entropy::SystemEntropy;
use hookyard_core::id::{EndpointId, RequestId};
use hookyard_core::model::{Header, NewAttempt, Outcome};
use serde_json::{Value, json};

use super::{fault, own};
use crate::test_server::{Answer, SIMPLE_KEY, TestServer};

async fn create(server: &TestServer, body: Value) -> Value {
    let (status, made) = own(server, "POST", "/v1/endpoints", Some(body)).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    made
}

async fn with_headers(
    server: &TestServer,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Answer {
    let mut request = Request::builder().method(method).uri(path);
    request = request.header("x-ultracart-simple-key", SIMPLE_KEY);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    server.send(request.body(Body::from(body.to_owned())).unwrap()).await
}

#[tokio::test]
async fn an_endpoint_lives() {
    let server = TestServer::start().await;
    let new = json!({
        "url": "https://x.test/h", "name": "Shop",
        "auth": {"kind": "basic", "username": "me", "password": "s3cret"},
        "subscriptions": [{"event_type": "order_create", "expansion": "item"}],
    });
    let (json, new) = ([("content-type", "application/json")], new.to_string());
    let answer = with_headers(&server, "POST", "/v1/endpoints", &json, &new).await;
    assert_eq!(answer.headers[header::ETAG], "\"1\"");
    assert_eq!(answer.headers[header::LOCATION], "/v1/endpoints/1");
    assert!(!answer.body.contains("s3cret"), "secrets are write-only");
    let made: Value = serde_json::from_str(&answer.body).unwrap();
    let expected = json!({
        "id": 1, "revision": 1, "created_at": made["created_at"], "url": "https://x.test/h",
        "name": "Shop", "auth": {"kind": "basic", "username": "me"}, "maximum_events": 100,
        "maximum_size": 900000, "compress_events": false, "disabled": false,
        "queue": {"pending": 0, "failures": 0, "dead_letters": 0},
        "circuit": "closed", "danger_accept_invalid_certs": false, "encoding": "identity",
        "format": "bundle", "method": "POST", "timeout_seconds": 30,
        "headers": [], "concurrency": 1, "retry": [], "signing": {"prefix": "webhook-"},
        "subscriptions": [{"event_type": "order_create", "expansion": "item"}],
    });
    assert_eq!(made, expected);
    assert_eq!(own(&server, "GET", "/v1/endpoints/1", None).await.1, made);

    let (status, _) = own(&server, "DELETE", "/v1/endpoints/1", None).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    assert_eq!(own(&server, "GET", "/v1/endpoints/1", None).await.0, StatusCode::NOT_FOUND);
    assert_eq!(own(&server, "DELETE", "/v1/endpoints/1", None).await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_merge_patch_changes_what_it_names() {
    let server = TestServer::start().await;
    let made = create(
        &server,
        json!({"url": "https://x.test/", "name": "a", "comments": "b",
        "maximum_events": 5, "subscriptions": [{"event_type": "order_create"}]}),
    );
    let made = made.await;
    let patch = json!({"name": null, "maximum_events": null, "compress_events": true});
    let (status, after) = own(&server, "PATCH", "/v1/endpoints/1", Some(patch)).await;
    assert_eq!(status, StatusCode::OK);
    let mut expected = made.clone();
    expected.as_object_mut().unwrap().remove("name");
    expected["maximum_events"] = json!(100);
    expected["compress_events"] = json!(true);
    expected["revision"] = json!(2);
    assert_eq!(after, expected);
    let none = json!({"subscriptions": null, "disabled": true});
    let (_, after) = own(&server, "PATCH", "/v1/endpoints/1", Some(none)).await;
    assert_eq!((&after["subscriptions"], &after["disabled"]), (&json!([]), &json!(true)));

    let kind = [("content-type", "application/merge-patch+json")];
    let answer = with_headers(&server, "PATCH", "/v1/endpoints/1", &kind, "{}").await;
    assert_eq!(answer.status, StatusCode::OK);
    let kind = [("content-type", "application/json-patch+json")];
    let answer = with_headers(&server, "PATCH", "/v1/endpoints/1", &kind, "[]").await;
    assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
}

#[tokio::test]
async fn an_old_revision_is_not_changed() {
    let server = TestServer::start().await;
    create(&server, json!({"url": "https://x.test/"})).await;
    let json = ("content-type", "application/json");
    for (method, path, body, expected) in [
        ("PATCH", "/v1/endpoints/1", r#"{"name":"b"}"#, StatusCode::OK),
        ("PUT", "/v1/endpoints/1/subscriptions/order_create", "{}", StatusCode::CREATED),
        (
            "PUT",
            "/v1/endpoints/1/subscriptions/order_create",
            r#"{"comments":"x"}"#,
            StatusCode::OK,
        ),
        ("DELETE", "/v1/endpoints/1/subscriptions/order_create", "", StatusCode::NO_CONTENT),
    ] {
        let (_, now) = own(&server, "GET", "/v1/endpoints/1", None).await;
        let revision = now["revision"].as_u64().unwrap();
        let old = format!("\"{}\"", revision - 1);
        let stale = with_headers(&server, method, path, &[json, ("if-match", &old)], body).await;
        assert_eq!(stale.status, StatusCode::PRECONDITION_FAILED, "{method} {path}");
        let newest = format!("\"{revision}\"");
        let done = with_headers(&server, method, path, &[json, ("if-match", &newest)], body).await;
        assert_eq!(done.status, expected, "{method} {path}: {}", done.body);
        assert_eq!(done.headers[header::ETAG], format!("\"{}\"", revision + 1));
        let odd = with_headers(&server, method, path, &[json, ("if-match", "1")], body).await;
        assert_eq!(odd.status, StatusCode::BAD_REQUEST);
    }
    let delete = async |revision: &str| {
        with_headers(&server, "DELETE", "/v1/endpoints/1", &[("if-match", revision)], "").await
    };
    assert_eq!(delete("\"4\"").await.status, StatusCode::PRECONDITION_FAILED);
    assert_eq!(delete("4").await.status, StatusCode::BAD_REQUEST);
    assert_eq!(delete("\"5\"").await.status, StatusCode::NO_CONTENT);
    assert_eq!(delete("\"5\"").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn subscriptions_change_one_by_one() {
    let server = TestServer::start().await;
    create(
        &server,
        json!({"url": "https://x.test/",
        "subscriptions": [{"event_type": "item_update", "comments": "stays"}]}),
    )
    .await;
    let path = "/v1/endpoints/1/subscriptions";
    let put = json!({"expansion": "item", "comments": "c"});
    let (status, made) = own(&server, "PUT", &format!("{path}/order_create"), Some(put)).await;
    assert_eq!(status, StatusCode::CREATED);
    let order = json!({"event_type": "order_create", "expansion": "item", "comments": "c"});
    assert_eq!(made, order);
    let (_, listed) = own(&server, "GET", path, None).await;
    let item = json!({"event_type": "item_update", "comments": "stays"});
    assert_eq!(listed, json!({"subscriptions": [item, order]}));

    let put = json!({"comments": "d"});
    let (status, after) = own(&server, "PUT", &format!("{path}/order_create"), Some(put)).await;
    let whole = json!({"event_type": "order_create", "comments": "d"});
    assert_eq!((status, after), (StatusCode::OK, whole), "a put replaces the whole");

    let remove = || own(&server, "DELETE", "/v1/endpoints/1/subscriptions/order_create", None);
    assert_eq!(remove().await.0, StatusCode::NO_CONTENT);
    assert_eq!(remove().await.0, StatusCode::NOT_FOUND);
    assert_eq!(own(&server, "GET", path, None).await.1, json!({"subscriptions": [item]}));
    for (name, body) in [("order_vanish", json!({})), ("a%2Fb", json!({}))] {
        let (status, _) = own(&server, "PUT", &format!("{path}/{name}"), Some(body)).await;
        assert_eq!(status, StatusCode::NOT_FOUND);
    }
    let (status, problem) =
        own(&server, "PUT", &format!("{path}/order_create"), Some(json!({"event": 1}))).await;
    assert_eq!((status, fault(&problem)), (StatusCode::BAD_REQUEST, ("invalid_value", "event")));
    assert!(problem["detail"].as_str().unwrap().contains("`expansion`"));
}

#[tokio::test]
async fn bad_endpoints_are_refused_by_name() {
    let server = TestServer::start().await;
    create(&server, json!({"url": "https://x.test/"})).await;
    for (body, field) in [
        (json!({"url": null}), "url"),
        (json!({"url": "ftp://x.test"}), "url"),
        (json!({"url": "https://inside.test/"}), "url"),
        (json!({"url": "https://x.test/", "name": "x".repeat(81)}), "name"),
        (json!({"url": "https://x.test/", "maximum_events": -1}), "maximum_events"),
        (json!({"url": "https://x.test/", "maximum_size": "1"}), "maximum_size"),
        (json!({"url": "https://x.test/", "auth": {"kind": "basic"}}), "auth.password"),
        (json!({"url": "https://x.test/", "auth": {"kind": "digest"}}), "auth.kind"),
        (
            json!({"url": "https://x.test/",
                   "auth": {"kind": "basic", "username": "a:b", "password": "x"}}),
            "auth.username",
        ),
        (json!({"url": "https://x.test/", "auth": {"user": "x"}}), "auth.user"),
        (json!({"url": "https://x.test/", "webhook_url": "x"}), "webhook_url"),
        (
            json!({"url": "https://x.test/", "subscriptions": [
                {"event_type": "order_create"}, {"event_type": "order_create"}]}),
            "subscriptions[1].event_type",
        ),
    ] {
        for (method, path) in [("POST", "/v1/endpoints"), ("PATCH", "/v1/endpoints/1")] {
            let (status, problem) = own(&server, method, path, Some(body.clone())).await;
            let got = (status, fault(&problem));
            assert_eq!(got, (StatusCode::BAD_REQUEST, ("invalid_value", field)), "{body}");
        }
    }
    let unknown =
        json!({"url": "https://x.test/", "subscriptions": [{"event_type": "order_vanish"}]});
    for (method, path) in [("POST", "/v1/endpoints"), ("PATCH", "/v1/endpoints/1")] {
        let (_, problem) = own(&server, method, path, Some(unknown.clone())).await;
        assert_eq!(fault(&problem), ("unknown_event_type", "subscriptions[0].event_type"));
    }
    let (status, problem) = own(&server, "POST", "/v1/endpoints", Some(json!({}))).await;
    assert_eq!((status, fault(&problem).1), (StatusCode::BAD_REQUEST, "url"));
    for path in [
        "/v1/endpoints/0",
        "/v1/endpoints/x",
        "/v1/endpoints/4294967297",
        "/v1/endpoints/-1",
        "/v1/endpoints/%FF",
    ] {
        assert_eq!(own(&server, "GET", path, None).await.0, StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn the_list_pages_and_filters() {
    let server = TestServer::start().await;
    for n in 1..=5 {
        let body = json!({"url": format!("https://x{n}.test/"), "name": format!("n{n}"),
                          "disabled": n == 3});
        create(&server, body).await;
    }
    let mut path = "/v1/endpoints?limit=2&name=n".to_owned();
    let mut seen = Vec::new();
    loop {
        let (status, page) = own(&server, "GET", &path, None).await;
        assert_eq!(status, StatusCode::OK, "{page}");
        seen.extend(page["endpoints"].as_array().unwrap().iter().map(|one| one["id"].clone()));
        match page["next"].as_str() {
            Some(next) => path = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(json!(seen), json!([1, 2, 3, 4, 5]));
    for (query, expected) in [
        ("url=x2.", json!([2])),
        ("disabled=true", json!([3])),
        ("disabled=false&after=3", json!([4, 5])),
        ("name=nobody", json!([])),
    ] {
        let (_, page) = own(&server, "GET", &format!("/v1/endpoints?{query}"), None).await;
        let ids: Vec<_> =
            page["endpoints"].as_array().unwrap().iter().map(|one| one["id"].clone()).collect();
        assert_eq!(json!(ids), expected, "{query}");
    }
    for (query, field) in [
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("after=x", "after"),
        ("nope=1", "nope"),
        ("disabled=1", "disabled"),
        ("_limit=5", "_limit"),
    ] {
        let (status, problem) = own(&server, "GET", &format!("/v1/endpoints?{query}"), None).await;
        assert_eq!((status, fault(&problem).1), (StatusCode::BAD_REQUEST, field), "{query}");
    }
}

/// Records attempts, `count` of them within one millisecond.
async fn attempts(server: &TestServer, count: u32) -> Vec<String> {
    let store = &server.store;
    let lease = store.claim(EndpointId(1)).await.unwrap().unwrap();
    let now = server.engine.clock().now();
    let mut ids = Vec::new();
    for n in 1..=count {
        let request_id = RequestId::new(&SystemEntropy, now);
        ids.insert(0, request_id.to_string());
        let outcome = Outcome {
            status: Some(500),
            response: Some("no".to_owned()),
            error: Some("answered 500".to_owned()),
            ..Outcome::default()
        };
        let attempt = NewAttempt {
            request_id,
            revision: 1,
            started_at: now,
            duration: std::time::Duration::from_millis(12),
            queue_delay: std::time::Duration::ZERO,
            events: Vec::new(),
            entries: Vec::new(),
            event_types: Vec::new(),
            order_ids: Vec::new(),
            advance: 0,
            park: false,
            refusals: 0,
            retry_at: Some(now),
            failures: n,
            url: "https://x.test/".to_owned(),
            request_headers: vec![Header { name: "a".to_owned(), value: "b".to_owned() }],
            outcome,
        };
        store.settle(&lease, attempt).await.unwrap();
    }
    ids
}

#[tokio::test]
async fn attempts_page_by_their_ids() {
    let server = TestServer::start().await;
    create(&server, json!({"url": "https://x.test/"})).await;
    let ids = attempts(&server, 5).await;
    let mut path = "/v1/endpoints/1/attempts?limit=2&success=false&status=500".to_owned();
    let mut seen = Vec::new();
    loop {
        let (status, page) = own(&server, "GET", &path, None).await;
        assert_eq!(status, StatusCode::OK, "{page}");
        let shown = page["attempts"].as_array().unwrap();
        seen.extend(shown.iter().map(|one| one["request_id"].as_str().unwrap().to_owned()));
        match page["next"].as_str() {
            Some(next) => path = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(seen, ids);
    let (status, detail) =
        own(&server, "GET", &format!("/v1/endpoints/1/attempts/{}", ids[0]), None).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(detail["request_headers"], json!([{"name": "a", "value": "b"}]));
    assert_eq!((&detail["response"], &detail["failures"]), (&json!("no"), &json!(5)));
    for (query, field) in [
        ("before=x", "before"),
        ("status=99", "status"),
        ("from=soon", "from"),
        ("event_type=order_vanish", "event_type"),
        ("limit=1000", "limit"),
    ] {
        let path = format!("/v1/endpoints/1/attempts?{query}");
        let (status, problem) = own(&server, "GET", &path, None).await;
        assert_eq!((status, fault(&problem).1), (StatusCode::BAD_REQUEST, field), "{query}");
    }
    let missing = own(&server, "GET", "/v1/endpoints/1/attempts/x", None).await;
    assert_eq!(missing.0, StatusCode::NOT_FOUND);
}
