use serde_json::{Value, json};

use super::{Api, DATASETS};

const FOLDERS: &str = "/workspaces/1/projects/1/folders";

async fn make(api: &Api, body: Value) -> Value {
    let (status, mut made) = api.call("POST", FOLDERS, body).await;
    assert_eq!(status, 201, "{made}");
    made["folder"].take()
}

#[tokio::test]
async fn folders_hold_webhooks_datasets() {
    let api = Api::start().await;
    let shop = make(&api, json!({"name": "shop"})).await;
    let id = shop["id"].as_i64().unwrap();
    assert_eq!((&shop["resource_id"], &shop["parent_id"]), (&json!(id), &Value::Null));
    assert_eq!(
        (&shop["status"], &shop["created_at"]),
        (&json!("ready"), &json!("2026-01-01T00:00:00Z"))
    );
    let label = format!("label_{id}");
    let inner = make(&api, json!({"name": "orders", "parent_resource_id": label})).await;
    assert_eq!(inner["parent_id"], id.to_string());
    let path = format!("/workspace:DEMO:1/project:Main:1/label:shop:{id}");
    assert_eq!(inner["resource_path"], format!("{path}/label:orders:{}", inner["id"]));
    let other = make(&api, json!({"name": "more", "parent_folder_id": id})).await;
    assert_eq!(other["parent_id"], inner["parent_id"]);

    let webhook = api.create(json!({"name": "a", "folder_resource_id": label})).await;
    let dataset = format!("{DATASETS}/{}", webhook["ds_id"]);
    let (_, details) = api.get(&dataset).await;
    let expected = format!("{path}/datasource:a:{}", webhook["ds_id"]);
    assert_eq!(details["dataset"]["resource_path"], expected);
}

#[tokio::test]
async fn folders_are_listed_moved_and_removed() {
    let api = Api::start().await;
    let a = make(&api, json!({"name": "a"})).await["id"].clone();
    let b = make(&api, json!({"name": "b"})).await["id"].clone();
    let webhook = api.create(json!({"name": "x"})).await;
    let (_, list) = api.get(&format!("{FOLDERS}?fields=id,name&sort=(name:desc)&limit=1")).await;
    assert_eq!(list["folders"], json!([{"id": b, "name": "b"}]));
    let (_, rest) = api.get(list["next"].as_str().unwrap()).await;
    assert_eq!((&rest["folders"][0]["id"], &rest["next"]), (&a, &json!("")));
    for none in ["name=c", "status=error", "created_by=me", "id=99", "created_at=(from:2027-01-01)"]
    {
        assert_eq!(api.get(&format!("{FOLDERS}?{none}")).await.1["folders"], json!([]), "{none}");
    }
    let into = |resources: Value, target: Value| json!({"operation": "move", "resource_ids": resources, "target_folder_resource_id": target});
    let resources = json!([format!("label_{b}"), format!("datasource_{}", webhook["ds_id"])]);
    let moved = into(resources.clone(), json!(format!("label_{a}")));
    assert_eq!(api.call("PATCH", FOLDERS, moved).await.0, 202);
    assert_eq!(api.get(&format!("{FOLDERS}/{b}")).await.1["folder"]["parent_id"], a.to_string());
    let ring = into(json!([format!("label_{a}")]), json!(format!("label_{b}")));
    assert_eq!(api.call("PATCH", FOLDERS, ring).await.0, 409);
    assert_eq!(api.call("PATCH", FOLDERS, into(json!(["x_1"]), Value::Null)).await.0, 400);
    assert_eq!(api.call("PATCH", FOLDERS, json!({"operation": "copy"})).await.0, 400);

    let (status, _) = api.call("DELETE", &format!("{FOLDERS}/{b}"), Value::Null).await;
    assert_eq!(status, 204);
    assert_eq!(api.get(&format!("{FOLDERS}/{b}")).await.0, 404);
    let dataset = format!("{DATASETS}/{}", webhook["ds_id"]);
    assert_eq!(api.get(&dataset).await.0, 200);
    let all = format!("{FOLDERS}?ids={a}&check_dependency=True&remove_contents=True");
    assert_eq!(api.call("DELETE", &all, Value::Null).await.0, 202);
    assert_eq!(api.get(&dataset).await.0, 404, "the contents were to be removed");
}

#[tokio::test]
async fn bad_folders_are_refused() {
    let api = Api::start().await;
    for (body, key) in [
        (json!({}), "name"),
        (json!({"name": 5}), "name"),
        (json!({"name": " "}), "name"),
        (json!({"name": "x", "parent_resource_id": "folder_1"}), "parent_resource_id"),
        (json!({"name": "x", "parent_resource_id": "label_99"}), "parent_resource_id"),
        (json!({"name": "x", "parent_folder_id": -1}), "parent_resource_id"),
    ] {
        let (status, refused) = api.call("POST", FOLDERS, body.clone()).await;
        assert_eq!((status, &refused["extra"][0]["key"]), (400, &json!(key)), "{body}");
    }
    assert_eq!(api.get(&format!("{FOLDERS}/99")).await.0, 404);
    assert_eq!(api.call("DELETE", FOLDERS, Value::Null).await.0, 400);
    assert_eq!(api.call("PUT", FOLDERS, Value::Null).await.0, 405);
}
