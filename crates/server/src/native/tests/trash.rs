use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::{Value, json};

use super::own;
use crate::test_server::{READ_KEY, TestServer};

async fn make(server: &TestServer, path: &str, body: Value) -> Value {
    let (status, made) = own(server, "POST", path, Some(body)).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    made
}

/// The numbers of the datasets that a query lists.
async fn listed(server: &TestServer, query: &str) -> Vec<Value> {
    let (status, page) = own(server, "GET", &format!("/v1/datasets?{query}"), None).await;
    assert_eq!(status, StatusCode::OK, "{page}");
    page["datasets"].as_array().unwrap().iter().map(|dataset| dataset["id"].clone()).collect()
}

#[tokio::test]
async fn a_dataset_is_trashed_restored_and_removed() {
    let server = TestServer::start().await;
    let folder = make(&server, "/v1/folders", json!({"name": "shop"})).await["id"].clone();
    let made = make(&server, "/v1/datasets", json!({"name": "a", "folder": folder})).await;
    let path = format!("/v1/datasets/{}", made["id"]);
    let (status, trashed) = own(&server, "POST", &format!("{path}/trash"), None).await;
    assert_eq!(status, StatusCode::OK, "{trashed}");
    let times = json!({"at": "2026-01-01T00:00:00Z", "until": "2026-01-31T00:00:00Z"});
    assert_eq!((&trashed["trashed"], &trashed["revision"]), (&times, &json!(2)));
    assert_eq!(own(&server, "POST", &format!("{path}/trash"), None).await.1, trashed);
    assert_eq!(own(&server, "GET", &path, None).await.1, trashed);
    assert_eq!(listed(&server, "").await, [] as [Value; 0]);
    assert_eq!(listed(&server, "trashed=false").await, [] as [Value; 0]);
    assert_eq!(listed(&server, &format!("folder={folder}")).await, [] as [Value; 0]);
    assert_eq!(listed(&server, "trashed=true").await, [made["id"].clone()]);

    let rows = format!("{path}/rows");
    assert_eq!(own(&server, "POST", &rows, Some(json!([1]))).await.0, StatusCode::CREATED);
    assert_eq!(own(&server, "GET", &rows, None).await.1["rows"][0]["cell"], 1);
    let export = Request::get(format!("{path}/export?format=ndjson"))
        .header("x-ultracart-simple-key", crate::test_server::SIMPLE_KEY);
    let export = server.send(export.body(Body::empty()).unwrap()).await;
    assert_eq!((export.status, export.body.lines().count()), (StatusCode::OK, 1));

    let (status, back) = own(&server, "POST", &format!("{path}/restore"), None).await;
    assert_eq!((status, &back["folder"], back.get("trashed")), (StatusCode::OK, &folder, None));
    assert_eq!(listed(&server, "").await, [made["id"].clone()]);
    own(&server, "POST", &format!("{path}/trash"), None).await;
    assert_eq!(own(&server, "DELETE", &path, None).await.0, StatusCode::NO_CONTENT);
    assert_eq!(listed(&server, "trashed=true").await, [] as [Value; 0]);
    for gone in ["trash", "restore"] {
        let gone = own(&server, "POST", &format!("{path}/{gone}"), None).await;
        assert_eq!(gone.0, StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn the_trash_is_listed_in_pages() {
    let server = TestServer::start().await;
    for name in ["a", "b", "c"] {
        let made = make(&server, "/v1/datasets", json!({"name": name})).await;
        own(&server, "POST", &format!("/v1/datasets/{}/trash", made["id"]), None).await;
    }
    let (_, page) = own(&server, "GET", "/v1/datasets?trashed=true&limit=2", None).await;
    assert_eq!(page["datasets"].as_array().unwrap().len(), 2);
    let (_, rest) = own(&server, "GET", page["next"].as_str().unwrap(), None).await;
    assert_eq!(rest["datasets"][0]["name"], "c");
    let wrong = own(&server, "GET", "/v1/datasets?trashed=perhaps", None).await;
    assert_eq!((wrong.0, &wrong.1["field"]), (StatusCode::BAD_REQUEST, &json!("trashed")));
}

#[tokio::test]
async fn a_folder_leaves_its_datasets_in_the_trash() {
    let server = TestServer::start().await;
    let shop = make(&server, "/v1/folders", json!({"name": "shop"})).await["id"].clone();
    let orders = json!({"name": "orders", "parent": shop});
    let orders = make(&server, "/v1/folders", orders).await["id"].clone();
    let made = make(&server, "/v1/datasets", json!({"name": "a", "folder": orders})).await;
    make(&server, "/v1/datasets", json!({"name": "b", "folder": shop})).await;
    let path = format!("/v1/folders/{shop}/trash");
    let request = Request::post(&path).header("x-ultracart-simple-key", READ_KEY);
    let refused = server.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    let done = own(&server, "POST", &path, None).await;
    assert_eq!(done, (StatusCode::OK, json!({"datasets": 2})));
    assert_eq!(own(&server, "GET", "/v1/folders", None).await.1, json!({"folders": []}));
    assert_eq!(own(&server, "POST", &path, None).await.0, StatusCode::NOT_FOUND);
    let path = format!("/v1/datasets/{}/restore", made["id"]);
    let (_, back) = own(&server, "POST", &path, None).await;
    let (_, folders) = own(&server, "GET", "/v1/folders", None).await;
    assert_eq!(folders["folders"][1]["name"], "orders");
    assert_eq!(folders["folders"][1]["parent"], folders["folders"][0]["id"]);
    assert_eq!(back["folder"], folders["folders"][1]["id"]);
}
