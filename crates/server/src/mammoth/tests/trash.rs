use std::time::Duration;

use hookyard_core::id::ProjectId;
use hookyard_core::model::{CredentialKind, Scopes};
use serde_json::{Value, json};

use super::{Api, DATASETS, PAIR, WEBHOOKS, json_of, url};
use crate::test_server::{API_SECRET, OTHER_API_KEY, READ_API_KEY, WORKSPACE, credential};

const TRASH: &str = "/workspaces/1/projects/1/trash";
const FOLDERS: &str = "/workspaces/1/projects/1/folders";
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A webhook's dataset, with a row.
async fn dataset(api: &Api, name: &str, folder: &Value) -> (Value, i64) {
    let webhook = api.create(json!({"name": name, "mode": "combine"})).await;
    api.send("POST", &url(&webhook), &[], format!("\"{name}\"")).await;
    let id = webhook["ds_id"].as_i64().unwrap();
    if !folder.is_null() {
        let moved = json!({"operation": "move", "resource_ids": [format!("datasource_{id}")],
                           "target_folder_resource_id": folder});
        assert_eq!(api.call("PATCH", FOLDERS, moved).await.0, 202);
    }
    (webhook, id)
}

async fn folder(api: &Api, name: &str, parent: &Value) -> Value {
    let new = json!({"name": name, "parent_folder_id": parent});
    api.call("POST", FOLDERS, new).await.1["folder"]["id"].take()
}

/// Does something that is answered with a job, and returns what came of it.
async fn job(api: &Api, path: &str, body: Value) -> Value {
    let (status, answer) = api.call("POST", path, body).await;
    assert_eq!(status, 202, "{path}: {answer}");
    let job = &answer["job"];
    assert_eq!((&job["status"], &job["path"]), (&json!("success"), &json!(path)));
    assert_eq!(api.get(&format!("/jobs/{}", job["id"])).await, (200, answer.clone()));
    job["response"].clone()
}

/// The names in the trash, as a query lists them.
async fn names(api: &Api, query: &str) -> Vec<String> {
    let (status, list) = api.get(&format!("{TRASH}?{query}")).await;
    assert_eq!(status, 200, "{query}: {list}");
    let items = list["items"].as_array().unwrap();
    items.iter().map(|item| item["name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_dataset_goes_to_the_trash_and_comes_back() {
    let api = Api::start().await;
    let shop = folder(&api, "shop", &Value::Null).await;
    let (webhook, id) = dataset(&api, "orders", &shop).await;
    let one = format!("{DATASETS}/{id}");
    let named = json!({"id": id, "name": "orders", "type": "dataset"});
    let done = job(&api, &format!("{one}/trash"), Value::Null).await;
    assert_eq!(done, json!({"succeeded": [named], "failed": []}));

    // No list shows it.
    assert_eq!(api.get(DATASETS).await.1["datasets"], json!([]));
    assert_eq!(api.get(&format!("{DATASETS}/search?q=orders")).await.1["datasets"], json!([]));
    for resources in ["/workspaces/1/projects/1/resources", "/workspaces/1/resources"] {
        let found = api.get(&format!("{resources}?search=orders")).await.1;
        assert_eq!(found["resources"], json!([]), "{resources}");
    }
    let bulk = "/workspaces/1/projects/1/resources/bulk";
    let ids = json!({"ids": [{"type": "datasource", "id": id}]});
    assert_eq!(api.call("POST", bulk, ids).await.1["resources"], json!([]));
    let resource = format!("/workspaces/1/projects/1/resources/datasource/{id}");
    assert_eq!(api.get(&resource).await.0, 404);

    // Its webhook goes on filling it, and its number finds it: clients look before they delete.
    assert_eq!(api.get(WEBHOOKS).await.1["webhooks"][0]["ds_id"], id);
    assert_eq!(api.send("POST", &url(&webhook), &[], "2").await.status, 201);
    assert_eq!(api.get(&one).await.1["dataset"]["name"], "orders");
    assert_eq!(api.cells(&webhook).await, ["\"orders\"", "2"]);

    let (_, list) = api.get(TRASH).await;
    let item = json!({
        "id": id, "type": "dataset", "name": "orders", "project_id": 1, "dataset_id": null,
        "trashed_at": "2026-01-01T00:00:00Z", "trashed_by": null, "days_until_purge": 30,
        "cascade_trash_event_id": null, "folder_resource_id": shop,
        "original_folder_path": ["shop"], "task_count": null,
        "additional_info": {"size_in_bytes": 9, "total_size_in_bytes": 9},
        "is_context_match": false, "is_active_parent": false,
    });
    let expected = json!({
        "items": [item], "limit": 50, "offset": 0, "total": 1, "dataset_count": 1,
        "dataview_count": 0, "dashboard_count": 0, "automation_count": 0,
        "total_dataset_count": 1, "total_dataview_count": 0, "total_dashboard_count": 0,
        "total_automation_count": 0, "total_size_in_bytes": 9, "retention_days": 30,
        "next": null,
    });
    assert_eq!(list, expected);
    let done = job(&api, &format!("{one}/restore"), Value::Null).await;
    assert_eq!(done, json!({"succeeded": [named], "failed": []}));
    assert_eq!(names(&api, "").await, [] as [&str; 0]);
    let (_, back) = api.get(&one).await;
    let path = back["dataset"]["resource_path"].as_str().unwrap();
    assert!(path.ends_with(&format!("/label:shop:{shop}/datasource:orders:{id}")), "{path}");
    for none in [format!("{DATASETS}/99/trash"), format!("{DATASETS}/99/restore")] {
        assert_eq!(api.call("POST", &none, Value::Null).await.0, 404, "{none}");
    }
}

#[tokio::test]
async fn many_go_to_the_trash_and_come_back_in_one_call() {
    let api = Api::start().await;
    let (_, a) = dataset(&api, "a", &Value::Null).await;
    let (_, b) = dataset(&api, "b", &Value::Null).await;
    let items = json!({"items": [
        {"type": "dataset", "id": b}, {"type": "dataview", "id": a}, {"type": "dataset", "id": a},
        {"type": "dataset", "id": 99}, {"type": "dataset", "id": 9_000_000_000_i64},
    ]});
    let succeeded = json!([{"id": b, "name": "b", "type": "dataset"},
                           {"id": a, "name": "a", "type": "dataset"}]);
    for path in [TRASH, &format!("{TRASH}/restore")] {
        let done = job(&api, path, items.clone()).await;
        assert_eq!(done["succeeded"], succeeded);
        let failed: Vec<_> =
            done["failed"].as_array().unwrap().iter().map(|item| item["id"].clone()).collect();
        assert_eq!(failed, [json!(a), json!(99), json!(9_000_000_000_i64)]);
        assert_eq!(done["failed"][0]["error"], "the project has no such dataview");
        let left = if path == TRASH { 2 } else { 0 };
        assert_eq!(names(&api, "").await.len(), left, "{path}");
    }
    for (wrong, key) in [
        (json!({}), "items"),
        (json!({"items": []}), "items"),
        (json!({"items": vec![json!({"type": "dataset", "id": 1}); 501]}), "items"),
        (json!({"items": [{"type": "folder", "id": 1}]}), "items[0].type"),
        (json!({"items": [{"id": 1}]}), "items[0].type"),
        (json!({"items": [{"type": "dataset", "id": 0}]}), "items[0].id"),
        (json!({"items": [{"type": "dataset", "id": "1"}]}), "items[0].id"),
        (json!({"items": [5]}), "items[0].type"),
    ] {
        let (status, answer) = api.call("POST", TRASH, wrong.clone()).await;
        assert_eq!((status, &answer["extra"][0]["key"]), (400, &json!(key)), "{wrong}");
    }
}

#[tokio::test]
async fn a_folder_goes_and_comes_back_with_its_datasets() {
    let api = Api::start().await;
    let shop = folder(&api, "shop", &Value::Null).await;
    let orders = folder(&api, "orders", &shop).await;
    let (webhook, a) = dataset(&api, "a", &orders).await;
    let (_, b) = dataset(&api, "b", &shop).await;
    let done = job(&api, &format!("{FOLDERS}/{shop}/trash"), Value::Null).await;
    let named = json!([{"id": a, "name": "a", "type": "dataset"},
                       {"id": b, "name": "b", "type": "dataset"}]);
    assert_eq!(done, json!({"folder_deleted": true, "succeeded": named, "failed": []}));
    assert_eq!(api.get(FOLDERS).await.1["folders"], json!([]));
    assert_eq!(api.get(DATASETS).await.1["datasets"], json!([]));
    assert_eq!(api.call("POST", &format!("{FOLDERS}/{shop}/trash"), Value::Null).await.0, 404);
    let (_, list) = api.get(&format!("{TRASH}?sort=name&order=asc")).await;
    let first = &list["items"][0];
    assert_eq!(first["original_folder_path"], json!(["shop", "orders"]));
    assert_eq!(first["folder_resource_id"], Value::Null, "it is gone");

    let items = json!({"items": [{"type": "dataset", "id": a}, {"type": "dataset", "id": b}]});
    job(&api, &format!("{TRASH}/restore"), items).await;
    let (_, made) = api.get(&format!("{FOLDERS}?sort=(id:asc)")).await;
    let made = made["folders"].as_array().unwrap();
    assert_eq!(made.len(), 2, "each is made once");
    let way =
        format!("/label:shop:{}/label:orders:{}/datasource:a:{a}", made[0]["id"], made[1]["id"]);
    let (_, back) = api.get(&format!("{DATASETS}/{a}")).await;
    assert!(back["dataset"]["resource_path"].as_str().unwrap().ends_with(&way), "{back}");
    assert_eq!(api.cells(&webhook).await, ["\"a\""]);
}

#[tokio::test]
async fn the_trash_is_filtered_sorted_and_paged() {
    let api = Api::start().await;
    let shop = folder(&api, "shop", &Value::Null).await;
    for (name, folder) in [("Bees", &Value::Null), ("ants and bees", &shop), ("cats", &shop)] {
        let (_, id) = dataset(&api, name, folder).await;
        job(&api, &format!("{DATASETS}/{id}/trash"), Value::Null).await;
        api.server.clock.advance(DAY);
    }
    dataset(&api, "seen", &Value::Null).await;
    for (query, expected) in [
        ("", &["cats", "ants and bees", "Bees"][..]),
        ("order=asc", &["Bees", "ants and bees", "cats"]),
        ("sort=name&order=asc", &["Bees", "ants and bees", "cats"]),
        ("sort=size", &["ants and bees", "cats", "Bees"]),
        ("q=BEES", &["ants and bees", "Bees"]),
        ("q=%20", &["cats", "ants and bees", "Bees"]),
        ("type=dataset", &["cats", "ants and bees", "Bees"]),
        ("type=dashboard&type=data", &["cats", "ants and bees", "Bees"]),
        ("type=dashboard", &[]),
        ("trashed_by=1", &[]),
        ("trashed_after=2026-01-02T00:00:00Z", &["cats", "ants and bees"]),
        ("trashed_after=2026-01-02&trashed_before=2026-01-03", &["ants and bees"]),
        ("expiring_within_days=27", &["Bees"]),
        ("expiring_within_days=28", &["ants and bees", "Bees"]),
        ("folder_path=shop", &["cats", "ants and bees"]),
        ("folder_path=shop&folder_path=inner", &[]),
        ("folder_root=true", &["Bees"]),
        ("folder_root=False", &["cats", "ants and bees", "Bees"]),
        ("limit=1&offset=1", &["ants and bees"]),
    ] {
        assert_eq!(names(&api, query).await, expected, "{query}");
    }
    let (_, list) = api.get(&format!("{TRASH}?q=bees&limit=1")).await;
    let counts = ["total", "dataset_count", "total_dataset_count"].map(|name| list[name].clone());
    assert_eq!(counts, [2, 2, 3].map(|number| json!(number)));
    assert_eq!(list["items"][0]["days_until_purge"], 28);
    let (_, rest) = api.get(list["next"].as_str().unwrap()).await;
    assert_eq!((&rest["items"][0]["name"], &rest["next"]), (&json!("Bees"), &Value::Null));
    for wrong in [
        "type=folder",
        "sort=id",
        "order=up",
        "limit=0",
        "limit=501",
        "trashed_before=tomorrow",
        "expiring_within_days=-1",
        "folder_root=perhaps",
        "offset=-1",
    ] {
        let (status, answer) = api.get(&format!("{TRASH}?{wrong}")).await;
        let key = wrong.split_once('=').unwrap().0;
        assert_eq!((status, &answer["extra"][0]["key"]), (400, &json!(key)), "{wrong}");
    }
}

#[tokio::test]
async fn what_is_in_the_trash_can_be_deleted_at_once() {
    let api = Api::start().await;
    let mut ids = Vec::new();
    for name in ["a", "b"] {
        let (_, id) = dataset(&api, name, &Value::Null).await;
        job(&api, &format!("{DATASETS}/{id}/trash"), Value::Null).await;
        ids.push(id);
    }
    let (status, _) = api.call("DELETE", &format!("{DATASETS}/{}", ids[0]), Value::Null).await;
    assert_eq!(status, 204);
    let list = format!("{DATASETS}?ids={}", ids[1]);
    assert_eq!(api.call("DELETE", &list, Value::Null).await.0, 202);
    assert_eq!(names(&api, "").await, [] as [&str; 0]);
    assert_eq!(api.get(WEBHOOKS).await.1["webhooks"], json!([]));
}

#[tokio::test]
async fn nobody_reaches_into_the_trash_of_others() {
    let api = Api::start().await;
    let shop = folder(&api, "shop", &Value::Null).await;
    let (_, trashed) = dataset(&api, "trashed", &shop).await;
    let (_, seen) = dataset(&api, "seen", &shop).await;
    job(&api, &format!("{DATASETS}/{trashed}/trash"), Value::Null).await;
    let (_, made) = api.call("POST", "/workspaces/1/projects", json!({"name": "more"})).await;
    let more = &made["id"];
    let mut limited = credential(CredentialKind::Pair, "of a project", Scopes::all());
    limited.project = Some(ProjectId(i32::try_from(more.as_i64().unwrap()).unwrap()));
    api.server.store.create_credential(WORKSPACE, limited).await.unwrap();
    let pair = |key| [("x-api-key", key), ("x-api-secret", API_SECRET)];
    let (other, reader, limited) = (pair(OTHER_API_KEY), pair(READ_API_KEY), pair("of a project"));
    let items =
        json!({"items": [{"type": "dataset", "id": trashed}, {"type": "dataset", "id": seen}]});
    let calls = [
        ("GET", "trash".to_owned(), String::new()),
        ("POST", "trash".to_owned(), items.to_string()),
        ("POST", "trash/restore".to_owned(), items.to_string()),
        ("POST", format!("datasets/{seen}/trash"), String::new()),
        ("POST", format!("datasets/{trashed}/restore"), String::new()),
        ("POST", format!("folders/{shop}/trash"), String::new()),
    ];
    for (method, path, body) in &calls {
        for (who, place, expected) in [
            (&PAIR, format!("/workspaces/1/projects/{more}"), None),
            (&limited, format!("/workspaces/1/projects/{more}"), None),
            (&limited, "/workspaces/1/projects/1".to_owned(), Some(403)),
            (&other, "/workspaces/1/projects/1".to_owned(), Some(403)),
            (&other, "/workspaces/2/projects/1".to_owned(), None),
            (&reader, "/workspaces/1/projects/1".to_owned(), (*method == "POST").then_some(403)),
        ] {
            let target = format!("{place}/{path}");
            let answer = api.send(method, &target, who, body.clone()).await;
            let status = answer.status.as_u16();
            match (expected, path.as_str()) {
                (Some(expected), _) => assert_eq!(status, expected, "{method} {target}"),
                (None, "trash") if *method == "GET" => {
                    assert_eq!(status, 200, "{target}");
                    let shown = if place.ends_with("/1/projects/1") { 1 } else { 0 };
                    assert_eq!(json_of(&answer)["total"], shown, "{target}");
                }
                (None, "trash" | "trash/restore") => {
                    assert_eq!(status, 202, "{target}");
                    assert_eq!(json_of(&answer)["job"]["response"]["succeeded"], json!([]));
                }
                (None, _) => assert_eq!(status, 404, "{method} {target}"),
            }
        }
    }
    assert_eq!(names(&api, "").await, ["trashed"]);
    assert_eq!(api.get(DATASETS).await.1["datasets"][0]["id"], seen);
}
