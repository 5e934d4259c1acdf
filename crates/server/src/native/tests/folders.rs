use axum::http::StatusCode;
use serde_json::{Value, json};

use super::{fault, own};
use crate::test_server::TestServer;

async fn make(server: &TestServer, body: Value) -> i64 {
    let (status, made) = own(server, "POST", "/v1/folders", Some(body)).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    made["id"].as_i64().unwrap()
}

#[tokio::test]
async fn folders_live_and_leave_their_contents() {
    let server = TestServer::start().await;
    let shop = make(&server, json!({"name": " Shop "})).await;
    let orders = make(&server, json!({"name": "Orders", "parent": shop})).await;
    let dataset = json!({"name": "Events", "folder": orders});
    let (status, dataset) = own(&server, "POST", "/v1/datasets", Some(dataset)).await;
    assert_eq!((status, &dataset["folder"]), (StatusCode::CREATED, &json!(orders)));
    let (_, listed) = own(&server, "GET", "/v1/folders?project=1", None).await;
    assert_eq!(listed["folders"][0]["name"], "Shop");
    assert_eq!(listed["folders"][1]["parent"], shop);

    let path = format!("/v1/folders/{orders}");
    let (status, moved) =
        own(&server, "PATCH", &path, Some(json!({"name": "All", "parent": null}))).await;
    assert_eq!((status, &moved["name"]), (StatusCode::OK, &json!("All")));
    assert!(moved.get("parent").is_none());
    let (status, _) = own(&server, "DELETE", &path, None).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    assert_eq!(own(&server, "GET", &path, None).await.0, StatusCode::NOT_FOUND);
    let dataset = format!("/v1/datasets/{}", dataset["id"]);
    assert!(own(&server, "GET", &dataset, None).await.1.get("folder").is_none());
}

#[tokio::test]
async fn bad_folders_are_refused_by_name() {
    let server = TestServer::start().await;
    let shop = make(&server, json!({"name": "Shop"})).await;
    let path = format!("/v1/folders/{shop}");
    for (method, path, body, field) in [
        ("POST", "/v1/folders", json!({}), "name"),
        ("POST", "/v1/folders", json!({"name": "  "}), "name"),
        ("POST", "/v1/folders", json!({"name": "x", "parent": 99}), "parent"),
        ("POST", "/v1/folders", json!({"name": "x", "project": 99}), "project"),
        ("PATCH", &path, json!({"name": null}), "name"),
        ("PATCH", &path, json!({"parent": 99}), "parent"),
        ("PATCH", &path, json!({"id": 1}), "id"),
    ] {
        let (status, problem) = own(&server, method, path, Some(body.clone())).await;
        let expected = (StatusCode::BAD_REQUEST, ("invalid_value", field));
        assert_eq!((status, fault(&problem)), expected, "{body}");
    }
    let within = Some(json!({"parent": shop}));
    let (status, problem) = own(&server, "PATCH", &path, within).await;
    assert_eq!((status, fault(&problem).0), (StatusCode::CONFLICT, "conflict"));
    for path in ["/v1/folders/99", "/v1/folders/x", "/v1/folders/-1"] {
        assert_eq!(own(&server, "GET", path, None).await.0, StatusCode::NOT_FOUND, "{path}");
    }
}
