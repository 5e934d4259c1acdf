use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use serde_json::{Value, json};

use super::{fault, own};
use crate::test_server::{SIMPLE_KEY, TestServer};

/// A source of this mode and its dataset's path.
async fn source(server: &TestServer, mode: &str) -> (Value, String) {
    let body = Some(json!({"name": "Orders", "mode": mode}));
    let (status, source) = own(server, "POST", "/v1/sources", body).await;
    assert_eq!(status, StatusCode::CREATED, "{source}");
    let dataset = format!("/v1/datasets/{}", source["dataset"]);
    (source, dataset)
}

async fn deliver(server: &TestServer, source: &Value, cells: &[&str]) {
    for cell in cells {
        let request = Request::post(source["path"].as_str().unwrap());
        let answer = server.send(request.body(Body::from((*cell).to_owned())).unwrap()).await;
        assert!(answer.status.is_success(), "{}", answer.body);
    }
}

async fn get(server: &TestServer, path: &str) -> Value {
    let (status, answer) = own(server, "GET", path, None).await;
    assert_eq!(status, StatusCode::OK, "{path}: {answer}");
    answer
}

/// The cells of all pages from a path on.
async fn cells(server: &TestServer, path: &str) -> Vec<Value> {
    let (mut cells, mut next) = (Vec::new(), Some(path.to_owned()));
    while let Some(path) = next {
        let page = get(server, &path).await;
        cells.extend(page["rows"].as_array().unwrap().iter().map(|row| row["cell"].clone()));
        next = page["next"].as_str().map(str::to_owned);
        assert!(cells.len() < 1_000, "the pages do not end");
    }
    cells
}

#[tokio::test]
async fn a_dataset_lives_by_its_revisions() {
    let server = TestServer::start().await;
    let new = json!({"name": " Events ", "versions": {"count": 3}});
    let (status, made) = own(&server, "POST", "/v1/datasets", Some(new)).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    assert_eq!((&made["name"], &made["project"]), (&json!("Events"), &json!(1)));
    assert_eq!(made["versions"], json!({"count": 3, "bytes": 256 << 20}));
    assert_eq!((&made["rows"], &made["revision"]), (&json!(0), &json!(1)));
    let path = format!("/v1/datasets/{}", made["id"]);

    let change = |if_match: &'static str, body: Value| {
        let request = Request::patch(&path)
            .header("x-ultracart-simple-key", SIMPLE_KEY)
            .header(header::CONTENT_TYPE, "application/merge-patch+json")
            .header(header::IF_MATCH, if_match);
        server.send(request.body(Body::from(body.to_string())).unwrap())
    };
    let changed = change("\"1\"", json!({"name": "All", "versions": {"bytes": 5}})).await;
    assert_eq!(
        (changed.status, &changed.headers["etag"]),
        (StatusCode::OK, &"\"2\"".parse().unwrap())
    );
    assert_eq!(get(&server, &path).await["versions"], json!({"count": 3, "bytes": 5}));
    let stale = change("\"1\"", json!({"name": "None"})).await;
    assert_eq!(stale.status, StatusCode::PRECONDITION_FAILED);
    assert_eq!(change("\"2\"", json!({})).await.headers["etag"], "\"2\"");
    let usual = change("*", json!({"versions": null})).await;
    assert_eq!((usual.status, &usual.headers["etag"]), (StatusCode::OK, &"\"3\"".parse().unwrap()));
    assert_eq!(get(&server, &path).await["versions"]["count"], 10);

    assert_eq!(own(&server, "DELETE", &path, None).await.0, StatusCode::NO_CONTENT);
    assert_eq!(own(&server, "DELETE", &path, None).await.0, StatusCode::NOT_FOUND);
    assert_eq!(own(&server, "GET", &path, None).await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn datasets_are_listed_in_pages() {
    let server = TestServer::start().await;
    for name in ["Orders", "orders too", "Parcels"] {
        own(&server, "POST", "/v1/datasets", Some(json!({"name": name}))).await;
    }
    let page = get(&server, "/v1/datasets?name=ORDER&limit=1&folder=0").await;
    assert_eq!(page["datasets"][0]["name"], "Orders");
    let page = get(&server, page["next"].as_str().unwrap()).await;
    assert_eq!((&page["datasets"][0]["name"], page.get("next")), (&json!("orders too"), None));
    assert!(get(&server, "/v1/datasets?project=7").await["datasets"][0].is_null());
}

#[tokio::test]
async fn rows_are_read_by_cursor_and_condition() {
    let server = TestServer::start().await;
    let (source, dataset) = source(&server, "combine").await;
    let deliveries: Vec<_> =
        (0..25).map(|n| format!("{{\"n\": {n}.0, \"odd\": {}}}", n % 2)).collect();
    deliver(&server, &source, &deliveries.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let all = cells(&server, &format!("{dataset}/rows?limit=7")).await;
    assert_eq!(all.len(), 25);
    assert_eq!(all[24], json!({"n": 24.0, "odd": 0}));
    let newest = cells(&server, &format!("{dataset}/rows?limit=10&order=desc")).await;
    assert_eq!((newest.len(), &newest[0]), (25, &all[24]));
    let query = "where=%24.odd%20eq%201%20and%20%24.n%20gt%2020&limit=1";
    assert_eq!(
        cells(&server, &format!("{dataset}/rows?{query}")).await,
        [&all[21], &all[23]].map(Clone::clone)
    );
    assert!(cells(&server, &format!("{dataset}/rows?until=2000-01-01T00:00:00Z")).await.is_empty());
    let request = Request::get(format!("{dataset}/rows?limit=1"))
        .header("x-ultracart-simple-key", SIMPLE_KEY);
    let answer = server.send(request.body(Body::empty()).unwrap()).await;
    assert!(answer.body.contains(r#""cell":{"n": 0.0, "odd": 0}"#), "{}", answer.body);
}

#[tokio::test]
async fn a_replacement_does_not_mix_with_the_pages() {
    let server = TestServer::start().await;
    let (source, dataset) = source(&server, "combine").await;
    deliver(&server, &source, &["1", "2", "3"]).await;
    let first = get(&server, &format!("{dataset}/rows?limit=1")).await;
    let path = format!("/v1/sources/{}", source["id"]);
    own(&server, "PATCH", &path, Some(json!({"mode": "replace"}))).await;
    deliver(&server, &source, &["4"]).await;
    let rest = cells(&server, first["next"].as_str().unwrap()).await;
    assert_eq!(rest, [json!(2), json!(3)]);
    assert_eq!(cells(&server, &format!("{dataset}/rows")).await, [json!(4)]);

    own(&server, "PATCH", &dataset, Some(json!({"versions": {"count": 0}}))).await;
    let (status, gone) = own(&server, "GET", first["next"].as_str().unwrap(), None).await;
    assert_eq!((status, gone["detail"].as_str()), (StatusCode::NOT_FOUND, Some("no such version")));
}

#[tokio::test]
async fn earlier_versions_come_back() {
    let server = TestServer::start().await;
    let (source, dataset) = source(&server, "replace").await;
    deliver(&server, &source, &["1", "2", "3"]).await;
    let listed = get(&server, &format!("{dataset}/versions")).await;
    let versions: Vec<_> = listed["versions"].as_array().unwrap().clone();
    assert_eq!(versions.len(), 3);
    assert!(versions[0].get("replaced_at").is_none() && versions[1]["replaced_at"].is_string());
    let at = |version: &Value| format!("{dataset}/versions/{}", version["id"]);
    assert_eq!(get(&server, &at(&versions[2])).await, versions[2]);
    assert_eq!(cells(&server, &format!("{}/rows", at(&versions[2]))).await, [json!(1)]);

    let (status, restored) =
        own(&server, "POST", &format!("{}/restore", at(&versions[2])), None).await;
    assert_eq!((status, &restored["version"]), (StatusCode::OK, &versions[2]["id"]));
    assert_eq!(cells(&server, &format!("{dataset}/rows")).await, [json!(1)]);
    let (status, problem) = own(&server, "DELETE", &at(&versions[2]), None).await;
    assert_eq!((status, fault(&problem).0), (StatusCode::CONFLICT, "conflict"));
    let (status, _) = own(&server, "DELETE", &at(&versions[1]), None).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    for path in [at(&versions[1]), format!("{}/rows", at(&versions[1])), at(&json!("x"))] {
        assert_eq!(own(&server, "GET", &path, None).await.0, StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn batches_are_hidden_shown_and_removed() {
    let server = TestServer::start().await;
    let (source, dataset) = source(&server, "combine").await;
    deliver(&server, &source, &["1", "2", "3"]).await;
    let page = get(&server, &format!("{dataset}/batches?limit=2")).await;
    let second = page["batches"][1].clone();
    assert_eq!((&second["state"], &second["bytes"]), (&json!("active"), &json!(1)));
    let rest = get(&server, page["next"].as_str().unwrap()).await;
    assert_eq!((rest["batches"].as_array().unwrap().len(), rest.get("next")), (1, None));

    let at = format!("{dataset}/batches/{}", second["id"]);
    let (_, suspended) = own(&server, "POST", &format!("{at}/suspend"), None).await;
    assert_eq!(suspended["state"], "suspended");
    assert_eq!(cells(&server, &format!("{dataset}/rows")).await, [json!(1), json!(3)]);
    let found = get(&server, &format!("{dataset}/batches?state=suspended")).await;
    assert_eq!(found["batches"], json!([suspended]));
    assert_eq!(get(&server, &dataset).await["suspended"], 1);
    let (_, restored) = own(&server, "POST", &format!("{at}/restore"), None).await;
    assert_eq!(restored, second);
    assert_eq!(own(&server, "DELETE", &at, None).await.0, StatusCode::NO_CONTENT);
    for method in ["GET", "DELETE"] {
        assert_eq!(own(&server, method, &at, None).await.0, StatusCode::NOT_FOUND);
    }
    assert_eq!(get(&server, &dataset).await["rows"], 2);
}

#[tokio::test]
async fn bad_values_are_refused_by_name() {
    let server = TestServer::start().await;
    let (_, dataset) = source(&server, "combine").await;
    for (query, field) in [
        ("rows?where=total", "where"),
        ("rows?where=%24.a%20is%201", "where"),
        ("rows?limit=0", "limit"),
        ("rows?limit=1001", "limit"),
        ("rows?after=-1", "after"),
        ("rows?after=9223372036854775808", "after"),
        ("rows?version=x", "version"),
        ("rows?from=yesterday", "from"),
        ("rows?order=up", "order"),
        ("rows?nope=1", "nope"),
        ("versions/1/rows?version=1", "version"),
        ("batches?state=deleting", "state"),
        ("batches?limit=1001", "limit"),
        ("versions?x=1", "x"),
    ] {
        let (status, problem) = own(&server, "GET", &format!("{dataset}/{query}"), None).await;
        let expected = (StatusCode::BAD_REQUEST, ("invalid_value", field));
        assert_eq!((status, fault(&problem)), expected, "{query}: {problem}");
    }
    for (body, field) in [
        (json!({}), "name"),
        (json!({"name": ""}), "name"),
        (json!({"name": "x", "versions": {"count": 101}}), "versions.count"),
        (json!({"name": "x", "versions": {"count": -1}}), "versions.count"),
        (json!({"name": "x", "versions": {"kept": 1}}), "versions.kept"),
        (json!({"name": "x", "versions": {"bytes": u64::MAX}}), "versions.bytes"),
        (json!({"name": "x", "folder": 99}), "folder"),
        (json!({"name": "x", "project": 99}), "project"),
    ] {
        let (status, problem) = own(&server, "POST", "/v1/datasets", Some(body.clone())).await;
        let expected = (StatusCode::BAD_REQUEST, ("invalid_value", field));
        assert_eq!((status, fault(&problem)), expected, "{body}: {problem}");
    }
    let (status, problem) = own(&server, "PATCH", &dataset, Some(json!({"name": null}))).await;
    assert_eq!((status, fault(&problem)), (StatusCode::BAD_REQUEST, ("invalid_value", "name")));
}

/// Posts rows to a dataset.
async fn post(
    server: &TestServer,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> (u16, Value) {
    let mut request =
        Request::post(format!("{path}/rows")).header("x-ultracart-simple-key", SIMPLE_KEY);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = server.send(request.body(Body::from(body.to_owned())).unwrap()).await;
    let body = serde_json::from_str(&answer.body).unwrap_or_else(|_| panic!("{}", answer.body));
    (answer.status.as_u16(), body)
}

const AS_JSON: (&str, &str) = ("content-type", "application/json");
const AS_LINES: (&str, &str) = ("content-type", "application/x-ndjson");

#[tokio::test]
async fn rows_are_added_whole_and_once() {
    let server = TestServer::start().await;
    let (_, made) = own(&server, "POST", "/v1/datasets", Some(json!({"name": "Mine"}))).await;
    let path = format!("/v1/datasets/{}", made["id"]);
    let (status, added) = post(&server, &path, &[AS_JSON], "[{\"n\" : 1.0}, {\"n\":2}]").await;
    assert_eq!((status, &added["rows"], &added["duplicate"]), (201, &json!(2), &json!(false)));
    let batch = get(&server, &format!("{path}/batches/{}", added["last_batch"])).await;
    assert_eq!(batch["id"], added["last_batch"]);
    assert_eq!(post(&server, &path, &[AS_JSON], "{\"n\":3}").await.1["rows"], 1);
    let (status, added) = post(&server, &path, &[AS_LINES], "{\"n\":4}\n\n5\n").await;
    assert_eq!((status, &added["rows"]), (201, &json!(2)));
    let expected = json!([{"n": 1.0}, {"n": 2}, {"n": 3}, {"n": 4}, 5]);
    assert_eq!(json!(cells(&server, &format!("{path}/rows")).await), expected);

    // Sent again with the same name they are there once, and under another dataset twice.
    let named = [AS_JSON, ("idempotency-key", "night-1")];
    assert_eq!(post(&server, &path, &named, "[6]").await.0, 201);
    let (status, again) = post(&server, &path, &named, "[6]").await;
    assert_eq!((status, again), (200, json!({"rows": 0, "duplicate": true})));
    let (_, other) = own(&server, "POST", "/v1/datasets", Some(json!({"name": "Other"}))).await;
    let other = format!("/v1/datasets/{}", other["id"]);
    assert_eq!(post(&server, &other, &named, "[6]").await.0, 201);
    assert_eq!(cells(&server, &format!("{path}/rows")).await.len(), 6);

    // Nothing half done.
    for (headers, body, code) in [
        (&[AS_LINES][..], "7\n{", "malformed_body"),
        (&[AS_JSON], "[7,", "malformed_body"),
        (&[AS_JSON], "[]", "malformed_body"),
        (&[("content-type", "text/csv")], "7", "unsupported_media_type"),
        (&[AS_JSON, ("content-encoding", "br")], "7", "unsupported_media_type"),
        (&[AS_JSON, ("idempotency-key", " ")], "7", "invalid_value"),
    ] {
        let (_, problem) = post(&server, &path, headers, body).await;
        assert_eq!(problem["code"], code, "{problem}");
    }
    let (_, problem) = post(&server, &path, &[AS_LINES], "7\n{").await;
    assert!(problem["detail"].as_str().unwrap().contains("line 2"), "{problem}");
    assert_eq!(cells(&server, &format!("{path}/rows")).await.len(), 6);
}

#[tokio::test]
async fn many_batches_are_changed_at_once() {
    let server = TestServer::start().await;
    let (_, made) = own(&server, "POST", "/v1/datasets", Some(json!({"name": "Mine"}))).await;
    let path = format!("/v1/datasets/{}", made["id"]);
    let rows: Vec<_> = (0..1_000).collect();
    let (_, first) = post(&server, &path, &[AS_JSON], &json!(rows).to_string()).await;
    server.clock.advance(std::time::Duration::from_secs(60));
    let since = server.engine.clock().now().to_string();
    let (_, second) = post(&server, &path, &[AS_JSON], &json!(rows).to_string()).await;
    let change = async |body: Value| {
        own(&server, "POST", &format!("{path}/batches/change"), Some(body)).await
    };
    let counts = async || {
        let dataset = get(&server, &path).await;
        (dataset["rows"].clone(), dataset["suspended"].clone())
    };
    // By what they are: more than one transaction's worth.
    let all = json!({"change": "suspend", "where": {}});
    let done = |count: u32| (StatusCode::OK, json!({"changed": count, "more": false}));
    assert_eq!(change(all.clone()).await, done(2_000));
    assert_eq!(change(all).await, done(0), "they are as wanted already");
    let late = json!({"change": "restore", "where": {"from": since}});
    assert_eq!(change(late).await, done(1_000));
    assert_eq!(counts().await, (json!(1_000), json!(1_000)));
    let active = json!({"change": "restore", "where": {"state": "active"}});
    assert_eq!(change(active).await, done(0));
    let hidden = json!({"change": "delete", "where": {"state": "suspended", "until": since}});
    assert_eq!(change(hidden).await, done(1_000));
    assert_eq!(counts().await, (json!(1_000), json!(0)));

    // By their numbers, all or none.
    let ids = json!([second["first_batch"], second["last_batch"]]);
    assert_eq!(change(json!({"change": "suspend", "ids": ids})).await, done(2));
    let gone = json!([second["first_batch"], first["first_batch"]]);
    let (status, _) = change(json!({"change": "delete", "ids": gone})).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert_eq!(counts().await, (json!(998), json!(2)));
    for (wrong, field) in [
        (json!({"change": "suspend"}), "ids"),
        (json!({"change": "suspend", "ids": [1], "where": {}}), "ids"),
        (json!({"change": "suspend", "ids": vec![1; 1_001]}), "ids"),
        (json!({"change": "hide", "ids": [1]}), "change"),
        (json!({"change": "suspend", "where": {"status": "active"}}), "where.status"),
    ] {
        let (status, problem) = change(wrong).await;
        assert_eq!((status, fault(&problem)), (StatusCode::BAD_REQUEST, ("invalid_value", field)));
    }
}
