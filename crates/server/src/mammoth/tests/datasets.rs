use serde_json::{Value, json};

use super::{Api, DATASETS, PAIR, WEBHOOKS, url};

/// A webhook with the rows 1 to 3.
async fn filled(api: &Api) -> (Value, String) {
    let webhook = api.create(json!({"name": "orders", "mode": "combine"})).await;
    for cell in ["1", "2", "{\"n\": 3.0}"] {
        api.send("POST", &url(&webhook), &[], cell).await;
    }
    let target = format!("{DATASETS}/{}", webhook["ds_id"]);
    (webhook, target)
}

#[tokio::test]
async fn rows_are_numbered_and_hashed() {
    let api = Api::start().await;
    let (_, dataset) = filled(&api).await;
    let (status, data) = api.get(&format!("{dataset}/data")).await;
    assert_eq!(status, 200);
    // SHA-256 of `1` starts with 6b86b273ff34fce1, of `2` with d4735e3a265e16ee.
    assert_eq!(data["data"]["1"], json!(["1", "7748076420210162913"]));
    assert_eq!(data["data"]["2"], json!(["2", "15308683162207262446"]));
    assert_eq!(data["data"]["3"][0], "{\"n\": 3.0}");
    assert_eq!(data["headers"], json!(["column_1", "hash"]));
    assert_eq!((&data["limit"], &data["offset"]), (&json!(100), &json!(0)));

    let (_, page) =
        api.get(&format!("/api/v2{dataset}/data?offset=1&limit=1&columns=column_1")).await;
    assert_eq!(page["data"], json!({"2": ["2", "15308683162207262446"]}));
    let (_, none) = api.get(&format!("{dataset}/data?limit=0")).await;
    assert_eq!(none["data"], json!({}));
    assert_eq!(api.get(&format!("{dataset}/data?limit=1001")).await.0, 400);
    assert_eq!(api.get(&format!("{DATASETS}/999999/data")).await.0, 404);
}

#[tokio::test]
async fn details_say_what_fills_a_dataset() {
    let api = Api::start().await;
    let (webhook, target) = filled(&api).await;
    let (status, details) = api.get(&target).await;
    let dataset = &details["dataset"];
    assert_eq!((status, &dataset["id"]), (200, &webhook["ds_id"]));
    assert_eq!((&dataset["name"], &dataset["status"]), (&json!("orders"), &json!("ready")));
    assert_eq!(
        dataset["data_schema"],
        json!([{"c_id": "column_1", "c_name": "JSON", "c_type": "text"}])
    );
    let stats = json!({"row_count": 3, "column_count": 1, "batch_count": 3, "size": 12});
    assert_eq!(dataset["stats"], stats);
    let source = &dataset["sources"][0];
    assert_eq!((&source["type"], &source["details"]["id"]), (&json!("sketch"), &webhook["id"]));
    assert_eq!(source["details"]["url"], webhook["uri"]);
    assert_eq!(
        dataset["resource_path"],
        format!("/workspace:DEMO:1/project:Main:1/datasource:orders:{}", webhook["ds_id"])
    );
    assert_eq!(dataset["created_at"], "2026-01-01T00:00:00Z");
    let (_, short) = api.get(&format!("{target}?fields=name")).await;
    assert_eq!(short["dataset"], json!({"id": webhook["ds_id"], "name": "orders"}));
    assert_eq!(api.get(&format!("{DATASETS}/999999")).await.0, 404);
}

#[tokio::test]
async fn datasets_are_listed() {
    let api = Api::start().await;
    let first = api.create(json!({"name": "b"})).await;
    let second = api.create(json!({"name": "a"})).await;
    let (_, list) =
        api.get(&format!("{DATASETS}?fields=id%2Cname&limit=100&sort=%28name%3Aasc%29")).await;
    let shown = json!([{"id": second["ds_id"], "name": "a"}, {"id": first["ds_id"], "name": "b"}]);
    assert_eq!(list, json!({"datasets": shown, "limit": 100, "offset": 0, "next": ""}));
    let ids = |list: &Value| {
        let items = list["datasets"].as_array().unwrap().iter();
        items.map(|item| item["id"].clone()).collect::<Vec<_>>()
    };
    let (_, newest) =
        api.get(&format!("{DATASETS}?sort=(created_at:desc),(id:desc)&limit=1")).await;
    assert_eq!(ids(&newest), [second["ds_id"].clone()]);
    let (_, rest) = api.get(newest["next"].as_str().unwrap()).await;
    assert_eq!((ids(&rest), &rest["next"]), (vec![first["ds_id"].clone()], &json!("")));
    let (_, filtered) =
        api.get(&format!("{DATASETS}?name=b&status=ready&id={}", first["ds_id"])).await;
    assert_eq!(ids(&filtered), [first["ds_id"].clone()]);
    assert_eq!(ids(&api.get(&format!("{DATASETS}?status=error")).await.1), [] as [Value; 0]);
    for none in ["created_by=1", "source_type=file", "created_at=(to:2025-12-31)"] {
        assert_eq!(
            ids(&api.get(&format!("{DATASETS}?{none}")).await.1),
            [] as [Value; 0],
            "{none}"
        );
    }
    let all = "source_type=webhook,file&created_at=(from:2026-01-01,to:2026-01-02)";
    assert_eq!(ids(&api.get(&format!("{DATASETS}?{all}")).await.1).len(), 2);
    assert_eq!(api.get(&format!("{DATASETS}?updated_at=today")).await.0, 400);
}

#[tokio::test]
async fn each_delivery_is_a_batch() {
    let api = Api::start().await;
    let (_, dataset) = filled(&api).await;
    let (status, list) = api.get(&format!("{dataset}/batches")).await;
    assert_eq!((status, list["batches"].as_array().unwrap().len()), (200, 3));
    assert_eq!((&list["pending_batches"], &list["next"]), (&json!([]), &json!("")));
    let batch = &list["batches"][0];
    assert_eq!((&batch["state"], &batch["row_count"]), (&json!("active"), &json!(1)));
    assert_eq!((&batch["column_count"], &batch["description"]), (&json!(1), &json!({})));
    assert_eq!(batch["source"], json!({"type": "webhook"}));
    assert_eq!(batch["created_at"], "2026-01-01T00:00:00Z");

    let one = api.get(&format!("{dataset}/batches/{}", batch["id"])).await;
    assert_eq!(one, (200, json!({"batch": batch})));
    assert_eq!(api.get(&format!("{dataset}/batches/99999999999")).await.0, 404);

    let (_, newest) = api.get(&format!("{dataset}/batches?sort=(id:desc)&limit=2")).await;
    assert_eq!(newest["batches"][1], list["batches"][1]);
    let (_, rest) = api.get(newest["next"].as_str().unwrap()).await;
    assert_eq!((&rest["batches"], &rest["next"]), (&json!([batch]), &json!("")));
    let (_, by_id) = api.get(&format!("{dataset}/batches?id={},99999999", batch["id"])).await;
    assert_eq!(by_id["batches"], json!([batch]));
    let (_, suspended) = api.get(&format!("{dataset}/batches?status=suspended")).await;
    assert_eq!(suspended["batches"], json!([]));
    for (filter, count) in [
        ("status=active,suspended", 3),
        ("status=deleting", 0),
        ("row_count=1,2", 3),
        ("row_count=2", 0),
        ("created_at=(from:2026-01-01T00:00:00Z)", 3),
        ("created_at=(from:2026-01-01T00:00:01Z)", 0),
    ] {
        let (_, list) = api.get(&format!("{dataset}/batches?{filter}")).await;
        assert_eq!(list["batches"].as_array().unwrap().len(), count, "{filter}");
    }
    assert_eq!(api.get(&format!("{DATASETS}/999999/batches")).await.0, 404);
    assert_eq!(api.get(&format!("{DATASETS}/999999/batches?id=1")).await.0, 404);
}

#[tokio::test]
async fn replacing_leaves_one_batch() {
    let api = Api::start().await;
    let (webhook, dataset) = filled(&api).await;
    api.patch(&webhook, &[("mode", json!("replace"))]).await;
    assert_eq!(api.cells(&webhook).await.len(), 3, "a change of mode touches no row");
    api.send("POST", &url(&webhook), &[], "4").await;
    assert_eq!(api.cells(&webhook).await, ["4"]);
    let (_, list) = api.get(&format!("{dataset}/batches")).await;
    assert_eq!(list["batches"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn deleting_a_dataset_deletes_its_webhook() {
    let api = Api::start().await;
    let (webhook, dataset) = filled(&api).await;
    let deleted = api.send("DELETE", &dataset, &PAIR, "").await;
    assert_eq!((deleted.status.as_u16(), deleted.body.as_str()), (204, ""));
    assert_eq!(api.get(&dataset).await.0, 404);
    assert_eq!(api.call("DELETE", &dataset, Value::Null).await.0, 404);
    assert_eq!(api.get(&format!("{WEBHOOKS}/{}", webhook["id"])).await.0, 404);
    assert_eq!(api.send("POST", &url(&webhook), &[], "5").await.status, 404);
}

#[tokio::test]
async fn a_connection_is_tested_by_its_projects() {
    let api = Api::start().await;
    let main = json!([{"id": 1, "name": "Main"}]);
    let projects = api.get("/api/v2/workspaces/1/projects?fields=id&limit=1").await;
    assert_eq!(projects, (200, json!({"projects": main, "limit": 1, "offset": 0, "next": ""})));
    let demo = json!([{"id": 1, "name": "DEMO"}]);
    for target in ["/workspaces", "/workspaces/", "/api/v2/workspaces", "/api/v2/workspaces/"] {
        let own = json!({"workspaces": demo, "limit": 10, "offset": 0, "next": ""});
        assert_eq!(api.get(target).await, (200, own), "{target}");
    }
    assert_eq!(api.get("/workspaces/1/projects?limit=101").await.0, 400);
}

/// Asserts that an answer is a job that was done.
async fn assert_done(api: &Api, answer: (u16, Value), operation: &str) -> Value {
    let (status, accepted) = answer;
    assert_eq!((status, &accepted["status_code"]), (202, &json!(202)), "{accepted}");
    assert!(accepted["failure_reason"].is_null());
    let (status, mut job) = api.get(&format!("/api/v2/jobs/{}", accepted["job_id"])).await;
    let job = job["job"].take();
    assert_eq!(
        (status, &job["status"], &job["operation"]),
        (200, &json!("success"), &json!(operation))
    );
    assert!(job["created_at"] == job["last_updated_at"] && job["path"].is_string());
    assert!(job["response"].is_object());
    job
}

#[tokio::test]
async fn batches_are_suspended_restored_and_deleted_as_jobs() {
    let api = Api::start().await;
    let (webhook, dataset) = filled(&api).await;
    let (_, list) = api.get(&format!("{dataset}/batches")).await;
    let id = |place: usize| list["batches"][place]["id"].clone();
    let batches = format!("{dataset}/batches");
    let patch =
        |value: Value| json!({"patch": {"op": "replace", "path": "batches", "value": value}});
    let suspend = api.call("PATCH", &batches, patch(json!({"suspend": [id(0), id(1)]}))).await;
    assert_done(&api, suspend, "update_batches").await;
    assert_eq!(api.cells(&webhook).await, ["{\"n\": 3.0}"]);
    let (_, suspended) = api.get(&format!("{batches}?status=suspended")).await;
    assert_eq!(suspended["batches"].as_array().unwrap().len(), 2);
    assert_eq!(suspended["batches"][0]["state"], "suspended");
    let (_, details) = api.get(&dataset).await;
    let stats = json!({"row_count": 1, "column_count": 1, "batch_count": 3, "size": 10});
    assert_eq!(details["dataset"]["stats"], stats);

    let both = json!({"patch": [{"op": "replace", "value": {"restore": [id(1)]}},
        {"op": "remove", "value": [id(0)]}]});
    let both = api.call("PATCH", &batches, both).await;
    assert_done(&api, both, "update_batches").await;
    assert_eq!(api.cells(&webhook).await, ["2", "{\"n\": 3.0}"]);
    let missing = patch(json!({"suspend": [id(1), 999_999]}));
    assert_eq!(api.call("PATCH", &batches, missing).await.0, 404);
    assert_eq!(api.cells(&webhook).await.len(), 2, "all or nothing");

    let one = api.call("DELETE", &format!("{batches}/{}", id(1)), Value::Null).await;
    assert_done(&api, one, "delete_batches").await;
    assert_eq!(api.call("DELETE", &batches, Value::Null).await.0, 400);
    let rest = api.call("DELETE", &format!("{batches}?ids={}", id(2)), Value::Null).await;
    let job = assert_done(&api, rest, "delete_batches").await;
    assert_eq!(job["response"], json!({"batch_ids": [id(2)]}));
    assert!(api.cells(&webhook).await.is_empty());
    assert_eq!(api.call("DELETE", &format!("{batches}/{}", id(2)), Value::Null).await.0, 404);
}

#[tokio::test]
async fn jobs_are_of_the_workspace() {
    let api = Api::start().await;
    let (_, dataset) = filled(&api).await;
    let refresh = json!({"patch": {"op": "command", "path": "data_refresh",
        "value": {"refresh_source_type": "webhook", "source_id": 1}}});
    let done = api.call("PATCH", &dataset, refresh).await;
    let job = assert_done(&api, done, "update_dataset").await;
    let path = format!("/jobs/{}", job["id"]);
    let (_, list) = api.get(&format!("/jobs?job_ids={},999", job["id"])).await;
    assert_eq!(list, json!({"jobs": [job]}));
    assert_eq!(api.get("/jobs").await.0, 400);
    assert_eq!(api.get("/jobs/999/").await.0, 404);
    let with = |workspace| [PAIR[0], PAIR[1], ("x-workspace-id", workspace)];
    assert_eq!(api.send("GET", &path, &with("1"), "").await.status, 200);
    assert_eq!(api.send("GET", &path, &with("2"), "").await.status, 403);
    let other = [("x-api-key", crate::test_server::OTHER_API_KEY), PAIR[1]];
    assert_eq!(api.send("GET", &path, &other, "").await.status, 404);
    assert_eq!(api.send("GET", &path, &[], "").await.status, 401);
    assert_eq!(api.call("POST", &path, Value::Null).await.0, 405);
}

#[tokio::test]
async fn datasets_are_renamed_and_their_columns_shown() {
    let api = Api::start().await;
    let (webhook, dataset) = filled(&api).await;
    let one = |path: &str, op: &str, value: Value| json!({"patch": {"op": op, "path": path, "value": value}});
    let renamed = api.call("PATCH", &dataset, one("name", "replace", json!("returns"))).await;
    assert_done(&api, renamed, "update_dataset").await;
    assert_eq!(api.get(&dataset).await.1["dataset"]["name"], "returns");
    let hook = api.get(&format!("{WEBHOOKS}/{}", webhook["id"])).await.1;
    assert_eq!(hook["webhook"]["name"], "returns", "a webhook has the name of its dataset");

    let many = json!({"patches": [
        {"op": "replace", "path": "column_name", "value": {"column_1": "payload"}},
        {"op": "add", "path": "batch_columns", "value": ["batch_table_col_id", "batch_table_col_date"]},
    ]});
    let many = api.call("PATCH", &dataset, many).await;
    assert_done(&api, many, "update_dataset").await;
    let (_, details) = api.get(&dataset).await;
    let schema = details["dataset"]["data_schema"].clone();
    assert_eq!(schema[0], json!({"c_id": "column_1", "c_name": "payload", "c_type": "text"}));
    assert_eq!(schema[1]["c_name"], "batch_ID");
    let (_, data) = api.get(&format!("{dataset}/data?limit=1")).await;
    let headers = json!(["column_1", "batch_table_col_id", "batch_table_col_date", "hash"]);
    assert_eq!(data["headers"], headers);
    let row = &data["data"]["1"];
    assert_eq!((&row[0], &row[2]), (&json!("1"), &json!("2026-01-01T00:00:00Z")));
    assert!(row[1].is_u64());
    let (_, some) = api.get(&format!("{dataset}/data?limit=1&columns=batch_ID,payload")).await;
    assert_eq!(some["headers"], json!(["batch_table_col_id", "column_1", "hash"]));
    assert_eq!(api.get(&format!("{dataset}/data?columns=x")).await.0, 400);

    let half = json!({"patch": [{"op": "replace", "path": "name", "value": "x"},
        {"op": "replace", "path": "column_type", "value": {"column_1": "numeric"}}]});
    let (status, refused) = api.call("PATCH", &dataset, half).await;
    assert_eq!((status, &refused["extra"][0]["key"]), (400, &json!("patch[1].path")));
    assert_eq!(api.get(&dataset).await.1["dataset"]["name"], "returns", "all or nothing");
}

#[tokio::test]
async fn several_datasets_are_changed_at_once() {
    let api = Api::start().await;
    let first = api.create(json!({"name": "a"})).await;
    let second = api.create(json!({"name": "b"})).await;
    let rename = |id: &Value, name: &str| json!({"op": "rename_dataset", "path": format!("/{id}"), "value": {"name": name}});
    let missing = json!({"patch": [rename(&first["ds_id"], "x"), rename(&json!(999), "x")]});
    assert_eq!(api.call("PATCH", DATASETS, missing).await.0, 404);
    let both = json!({"patch": [rename(&first["ds_id"], "A"), rename(&second["ds_id"], "B")]});
    let both = api.call("PATCH", DATASETS, both).await;
    assert_done(&api, both, "update_datasets").await;
    let names = |list: Value| {
        let items = list["datasets"].as_array().unwrap().clone();
        items.iter().map(|item| item["name"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(names(api.get(DATASETS).await.1), ["A", "B"]);
    assert_eq!(api.call("DELETE", DATASETS, Value::Null).await.0, 400, "no list, no deletion");
    let target = format!("{DATASETS}?ids={}", first["ds_id"]);
    let deleted = api.call("DELETE", &target, Value::Null).await;
    assert_done(&api, deleted, "delete_datasets").await;
    assert_eq!(names(api.get(DATASETS).await.1), ["B"]);
    assert_eq!(api.call("DELETE", &target, Value::Null).await.0, 404);
}
