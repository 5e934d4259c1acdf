//! What clients from 0.7 on ask for beyond the webhooks API (docs/spec/mammoth-clients.md).

use hookyard_core::id::ProjectId;
use hookyard_core::model::{CredentialKind, Scopes};
use hookyard_store::NewCredential;
use serde_json::{Value, json};

use super::{Api, DATASETS, PAIR, assert_refused, json_of, url};
use crate::test_server::{API_SECRET, WORKSPACE, credential};

const PROJECT: &str = "/workspaces/1/projects/1";

#[tokio::test]
async fn health_needs_no_credential() {
    let api = Api::start().await;
    for path in ["/health", "/health/", "/api/v2/health"] {
        let answer = api.send("GET", path, &[], "").await;
        assert_eq!(answer.status, 200, "{path}");
        let health = json_of(&answer);
        assert_eq!(
            (&health["status"], &health["uptime_in_seconds"]),
            (&json!("healthy"), &json!(0))
        );
        assert_eq!(health["version"], env!("CARGO_PKG_VERSION"));
    }
    assert_refused(&api.send("POST", "/health", &[], "").await, 405, "Method Not Allowed");
}

#[tokio::test]
async fn a_client_learns_where_it_is() {
    let api = Api::start().await;
    let whole = json!({"id": 1, "resource": null, "project": null, "projects": null,
                       "read_only": false});
    assert_eq!(api.get("/workspaces/current").await, (200, whole.clone()));
    assert_eq!(api.get("/api/v2/workspaces/current/").await, (200, whole));
    assert_eq!(api.send("GET", "/workspaces/current", &[], "").await.status, 401);
    let (status, own) = api.get("/workspaces/1").await;
    assert_eq!((status, &own["id"], &own["workspaces"][0]["id"]), (200, &json!(1), &json!(1)));
    assert_eq!(api.get("/workspaces/2").await.0, 403);

    let project = Some(ProjectId(1));
    let scopes = "data_read".parse::<Scopes>().unwrap();
    let new = NewCredential { project, ..credential(CredentialKind::Pair, "reader", scopes) };
    api.server.store.create_credential(WORKSPACE, new).await.unwrap();
    let reader = [("x-api-key", "reader"), ("x-api-secret", API_SECRET)];
    let answer = api.send("GET", "/workspaces/current", &reader, "").await;
    let limited = json!({"id": 1, "resource": null, "project": 1, "projects": [1],
                         "read_only": true});
    assert_eq!(json_of(&answer), limited);
    let new = r#"{"name":"x","properties":{}}"#;
    assert_eq!(api.send("POST", "/workspaces/1/projects", &reader, new).await.status, 403);
}

#[tokio::test]
async fn an_application_makes_and_renames_no_projects() {
    let api = Api::start().await;
    let application = Some(hookyard_core::id::ApplicationId(1));
    let new = credential(CredentialKind::Pair, "of an application", Scopes::all());
    let new = NewCredential { application, ..new };
    api.server.store.create_credential(WORKSPACE, new).await.unwrap();
    let pair = [("x-api-key", "of an application"), ("x-api-secret", API_SECRET)];
    assert_eq!(api.send("GET", "/workspaces/1/projects", &pair, "").await.status, 200);
    let new = r#"{"name": "x"}"#;
    assert_eq!(api.send("POST", "/workspaces/1/projects", &pair, new).await.status, 403);
    let patch = r#"{"patches": [{"op": "replace", "path": "name", "value": "x"}]}"#;
    assert_eq!(api.send("PATCH", PROJECT, &pair, patch).await.status, 403);
}

#[tokio::test]
async fn projects_are_made_and_renamed() {
    let api = Api::start().await;
    let new = json!({"name": "Analytics", "properties": {"color": "#337FBD"}});
    let (status, made) = api.call("POST", "/workspaces/1/projects", new).await;
    assert_eq!((status, &made["name"]), (201, &json!("Analytics")), "{made}");
    assert_eq!(made["owner_workspace_id"], 1);
    let path = format!("/workspaces/1/projects/{}", made["id"]);
    let patch = |path: &str, value: Value| json!({"patches": [{"op": "replace", "path": path, "value": value}]});
    let (status, changed) = api.call("PATCH", &path, patch("name", json!("Sales"))).await;
    assert_eq!((status, &changed["name"]), (200, &json!("Sales")), "{changed}");
    let (status, same) =
        api.call("PATCH", &path, patch("properties", json!({"color": "#000"}))).await;
    assert_eq!((status, &same), (200, &changed));
    for wrong in
        [patch("colour", json!("red")), patch("name", json!("")), json!({}), json!({"patches": {}})]
    {
        let (status, answer) = api.call("PATCH", &path, wrong.clone()).await;
        assert_eq!(status, 400, "{wrong}: {answer}");
    }
    assert_eq!(
        api.call("PATCH", "/workspaces/1/projects/99", patch("name", json!("x"))).await.0,
        404
    );
    for wrong in [json!({}), json!({"name": "x".repeat(64)}), json!({"name": 5})] {
        assert_eq!(api.call("POST", "/workspaces/1/projects", wrong).await.0, 400);
    }
}

#[tokio::test]
async fn folders_are_renamed() {
    let api = Api::start().await;
    let folders = format!("{PROJECT}/folders");
    let (_, made) = api.call("POST", &folders, json!({"name": "a"})).await;
    let path = format!("{folders}/{}", made["folder"]["id"]);
    let rename =
        |value: Value| json!({"patch": [{"op": "replace", "path": "name", "value": value}]});
    let (status, renamed) = api.call("PATCH", &path, rename(json!("b"))).await;
    assert_eq!((status, &renamed["folder"]["name"]), (200, &json!("b")));
    assert_eq!(api.get(&path).await.1, renamed);
    let none = json!({"patch": []});
    let other = json!({"patch": [{"op": "replace", "path": "id", "value": "9"}]});
    for wrong in [rename(json!(5)), rename(json!("")), none, other, json!({})] {
        assert_eq!(api.call("PATCH", &path, wrong.clone()).await.0, 400, "{wrong}");
    }
    assert_eq!(api.call("PATCH", &format!("{folders}/99"), rename(json!("b"))).await.0, 404);
}

/// As the SDK's `folders.move` does: it asks for resource ids, then moves by them.
#[tokio::test]
async fn resources_are_looked_up_and_moved() {
    let api = Api::start().await;
    let folders = format!("{PROJECT}/folders");
    let mut made = Vec::new();
    for name in ["outer", "inner"] {
        made.push(api.call("POST", &folders, json!({"name": name})).await.1["folder"].take());
    }
    let webhook = api.create(json!({"name": "orders"})).await;
    let bulk = format!("{PROJECT}/resources/bulk");
    let ids = json!({"ids": [{"type": "datasource", "id": webhook["ds_id"]},
                             {"type": "folder", "id": made[1]["id"]},
                             {"type": "dataview", "id": 1}, {"type": "datasource", "id": 99}]});
    let (status, found) = api.call("POST", &bulk, ids).await;
    assert_eq!((status, found["resources"].as_array().unwrap().len()), (201, 2), "{found}");
    let dataset = &found["resources"][0];
    assert_eq!(
        (&dataset["resource_type"], &dataset["object_id"]),
        (&json!("datasource"), &webhook["ds_id"])
    );
    assert_eq!(found["resources"][1]["resource_id"], made[1]["resource_id"]);

    let moving =
        |from: Value, path: Value| json!({"patch": [{"op": "move", "from": from, "path": path}]});
    let from = json!([dataset["resource_id"], made[1]["resource_id"]]);
    let (status, job) =
        api.call("PATCH", &folders, moving(from.clone(), made[0]["id"].clone())).await;
    assert_eq!(status, 202, "{job}");
    let (_, done) = api.get(&format!("/jobs/{}", job["job_id"])).await;
    assert_eq!(done["job"]["status"], "success");
    let inside = format!("{PROJECT}/resources?parent_type=label&parent_id={}", made[0]["id"]);
    let (_, list) = api.get(&inside).await;
    assert_eq!(list["resources"].as_array().unwrap().len(), 2, "{list}");
    let way = format!("{PROJECT}/resources/ancestors?resource_id={}", made[1]["resource_id"]);
    let names = api.get(&way).await.1["resources"].as_array().unwrap().clone();
    let names: Vec<_> = names.iter().map(|folder| folder["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["outer", "inner"]);
    assert_eq!(api.call("PATCH", &folders, moving(from.clone(), json!("root"))).await.0, 202);
    assert_eq!(api.get(&inside).await.1["resources"], json!([]));

    for wrong in [
        moving(json!(["x"]), json!("root")),
        moving(json!([0]), json!("root")),
        moving(from.clone(), json!("top")),
        moving(from, Value::Null),
        json!({"patch": []}),
    ] {
        assert_eq!(api.call("PATCH", &folders, wrong.clone()).await.0, 400, "{wrong}");
    }
    assert_eq!(api.call("PATCH", &folders, moving(json!([99]), json!("root"))).await.0, 404);
    for wrong in [json!({}), json!({"ids": [5]}), json!({"ids": [{"type": "label", "id": 0}]})] {
        assert_eq!(api.call("POST", &bulk, wrong).await.0, 400);
    }
}

#[tokio::test]
async fn resources_are_browsed_and_searched() {
    let api = Api::start().await;
    let (_, folder) =
        api.call("POST", &format!("{PROJECT}/folders"), json!({"name": "Shop"})).await;
    let webhook = api.create(json!({"name": "shop orders"})).await;
    api.create(json!({"name": "till"})).await;
    let names = async |target: &str| {
        let (status, list) = api.get(target).await;
        assert_eq!(status, 200, "{list}");
        let list = list["resources"].as_array().unwrap().clone();
        list.iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    for base in [format!("{PROJECT}/resources"), "/workspaces/1/resources".to_owned()] {
        assert_eq!(names(&format!("{base}?search=SHOP")).await, ["Shop", "shop orders"]);
        assert_eq!(
            names(&format!("{base}?type=datasource&sort=(name:desc)")).await,
            ["till", "shop orders"]
        );
        assert_eq!(names(&format!("{base}?type=dataview,folder")).await, ["Shop"]);
        let (_, first) = api.get(&format!("{base}?limit=2")).await;
        assert_eq!((&first["has_more"], &first["next_cursor"]), (&json!(true), &json!("2")));
        assert_eq!(names(&format!("{base}?limit=2&cursor=2")).await, ["till"]);
        assert_eq!(api.get(&format!("{base}?limit=101")).await.0, 400);
    }
    let one = |kind: &str, id: &Value| format!("{PROJECT}/resources/{kind}/{id}");
    let (_, found) = api.get(&one("dataset", &webhook["ds_id"])).await;
    assert_eq!(
        (&found["resource"]["name"], &found["resource"]["row_count"]),
        (&json!("shop orders"), &json!(0))
    );
    assert_eq!(api.get(&one("label", &folder["folder"]["id"])).await.0, 200);
    for (kind, id) in [("dataview", json!(1)), ("datasource", json!(99)), ("datasource", json!(-1))]
    {
        let status = api.get(&one(kind, &id)).await.0;
        assert!([400, 404].contains(&status), "{kind} {id}: {status}");
    }
}

#[tokio::test]
async fn the_tree_is_browsed_a_level_or_two_at_a_time() {
    let api = Api::start().await;
    let folders = format!("{PROJECT}/folders");
    let (_, made) = api.call("POST", &folders, json!({"name": "Shop"})).await;
    let folder = made["folder"]["id"].clone();
    let inside = format!("label_{folder}");
    let orders = api.create(json!({"name": "orders", "folder_resource_id": inside})).await;
    let till = api.create(json!({"name": "till"})).await;
    let second = api.call("POST", "/workspaces/1/projects", json!({"name": "Second"})).await.1;
    let shop = json!({"id": folder, "type": "label", "name": "Shop"});
    let of = |webhook: &Value, name: &str| json!({"id": webhook["ds_id"], "type": "datasource", "name": name});
    let with = |node: &Value, children: Value| {
        let mut node = node.clone();
        node["children"] = children;
        node
    };
    let default = json!({"id": 1, "type": "project", "name": "Main"});
    let other = json!({"id": second["id"], "type": "project", "name": "Second"});
    let resources = async |target: &str| {
        let (status, answer) = api.get(target).await;
        assert_eq!(status, 200, "{target}: {answer}");
        answer["resources"].clone()
    };
    let (orders, till) = (of(&orders, "orders"), of(&till, "till"));
    let cases = [
        ("/workspaces/1/browse".to_owned(), json!([default, other])),
        (
            "/workspaces/1/browse?fields=__min&browse_type=project&ids=1&level=1".to_owned(),
            json!([default]),
        ),
        ("/workspaces/1/browse?name=Second".to_owned(), json!([other])),
        (
            "/workspaces/1/browse?level=2&fields=__min&limit=100".to_owned(),
            json!([with(&default, json!([shop, till])), with(&other, json!([]))]),
        ),
        (format!("{PROJECT}/browse"), json!([shop, till])),
        (format!("{PROJECT}/browse?browse_type=dataset"), json!([till])),
        (
            format!("{PROJECT}/browse?level=2&browse_type=folder"),
            json!([with(&shop, json!([orders]))]),
        ),
        (format!("{folders}/{folder}/browse?level=2"), json!([with(&shop, json!([orders]))])),
        ("/browse".to_owned(), json!([{"id": 1, "type": "workspace", "name": "DEMO"}])),
    ];
    for (target, expected) in cases {
        assert_eq!(resources(&target).await, expected, "{target}");
    }
    let top = resources("/api/v2/browse?level=2").await;
    assert_eq!(top[0]["children"], json!([default, other]));
    let (_, first) = api.get("/workspaces/1/browse?limit=1").await;
    assert_eq!(resources(first["next"].as_str().unwrap()).await, json!([other]));
    for wrong in ["level=3", "limit=101", "ids=x"] {
        assert_eq!(api.get(&format!("/workspaces/1/browse?{wrong}")).await.0, 400, "{wrong}");
    }
    assert_eq!(api.get("/workspaces/2/browse").await.0, 403);
    assert_eq!(api.get(&format!("{folders}/99/browse")).await.0, 404);

    let project = Some(ProjectId(1));
    let scopes = "data_read".parse::<Scopes>().unwrap();
    let new = NewCredential { project, ..credential(CredentialKind::Pair, "limited", scopes) };
    api.server.store.create_credential(WORKSPACE, new).await.unwrap();
    let limited = [("x-api-key", "limited"), ("x-api-secret", API_SECRET)];
    for target in ["/workspaces/1/browse", "/browse?level=2"] {
        let answer = json_of(&api.send("GET", target, &limited, "").await);
        assert!(!answer.to_string().contains("Second"), "{answer}");
        assert!(answer.to_string().contains("Main"), "{answer}");
    }
    let other = format!("/workspaces/1/projects/{}/browse", second["id"]);
    assert_eq!(api.send("GET", &other, &limited, "").await.status, 403);
}

#[tokio::test]
async fn datasets_are_searched_and_have_no_views() {
    let api = Api::start().await;
    let webhook = api.create(json!({"name": "Orders of May"})).await;
    let (_, found) = api.get(&format!("{DATASETS}/search?q=ORDERS")).await;
    assert_eq!(found["datasets"][0]["id"], webhook["ds_id"]);
    assert_eq!(found["datasets"][0]["matches"][0]["found_in"], "name");
    let (_, found) = api.get(&format!("{DATASETS}/search?q=json")).await;
    assert_eq!(
        found["datasets"][0]["matches"][0],
        json!({"found_in": "column", "column": "JSON", "value": null})
    );
    assert_eq!(api.get(&format!("{DATASETS}/search?q=june")).await.1["datasets"], json!([]));
    for wrong in ["", "?q=x", "?q="] {
        assert_eq!(api.get(&format!("{DATASETS}/search{wrong}")).await.0, 400, "{wrong}");
    }
    let views =
        format!("{DATASETS}/{}/dataviews?limit=100&sort=(created_at:desc)", webhook["ds_id"]);
    let none = json!({"dataviews": [], "limit": 100, "offset": 0, "next": ""});
    assert_eq!(api.get(&views).await, (200, none));
    assert_eq!(api.get(&format!("{DATASETS}/99/dataviews")).await.0, 404);
}

#[tokio::test]
async fn a_batch_shows_its_row() {
    let api = Api::start().await;
    let webhook = api.create(json!({"name": "a", "mode": "combine"})).await;
    for body in [r#"{"n":1}"#, r#"{"n":2}"#] {
        let json = [("content-type", "application/json")];
        assert!(api.send("POST", &url(&webhook), &json, body).await.status.is_success());
    }
    let batches = format!("{DATASETS}/{}/batches", webhook["ds_id"]);
    let (_, list) = api.get(&batches).await;
    let id = list["batches"][1]["id"].clone();
    let (status, data) = api.get(&format!("{batches}/{id}/data?limit=50&offset=0")).await;
    assert_eq!((status, &data["data"]["1"][0]), (200, &json!(r#"{"n":2}"#)), "{data}");
    assert_eq!(data["data"].as_object().unwrap().len(), 1);
    assert_eq!(api.get(&format!("{batches}/{id}/data?offset=1")).await.1["data"], json!({}));
    let suspend = json!({"patch": {"op": "replace", "path": "batches", "value": {"suspend": [list["batches"][0]["id"]]}}});
    assert_eq!(api.call("PATCH", &batches, suspend).await.0, 202);
    let first = format!("{batches}/{}/data", list["batches"][0]["id"]);
    assert_eq!(api.get(&first).await.1["data"], json!({}), "a suspended row is not read");
    assert_eq!(api.get(&format!("{batches}/999999/data")).await.0, 404);
    let chosen = format!("{batches}/{id}/data?columns=nope");
    assert_eq!(api.get(&chosen).await.0, 400);
    assert_eq!(api.send("GET", &first, &PAIR[..1], "").await.status, 401);
}
