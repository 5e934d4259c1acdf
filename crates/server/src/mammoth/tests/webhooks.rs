use serde_json::{Value, json};

use super::{Api, DATASETS, PAIR, WEBHOOKS, url};

fn names(list: &Value) -> Vec<&str> {
    list["webhooks"].as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap()).collect()
}

/// Three webhooks: b (replace), a (combine), a (replace).
async fn three(api: &Api) -> [Value; 3] {
    [
        api.create(json!({"name": "b"})).await,
        api.create(json!({"name": "a", "mode": "combine"})).await,
        api.create(json!({"name": "a"})).await,
    ]
}

#[tokio::test]
async fn an_empty_project_lists_nothing() {
    let api = Api::start().await;
    let empty = json!({"webhooks": [], "limit": 50, "offset": 0, "next": ""});
    for prefix in ["", "/api/v2"] {
        for slash in ["", "/"] {
            let listed = api.get(&format!("{prefix}{WEBHOOKS}{slash}")).await;
            assert_eq!(listed, (200, empty.clone()), "{prefix} {slash}");
        }
    }
}

#[tokio::test]
async fn the_sample_call_creates_a_clean_webhook_with_its_dataset() {
    let api = Api::start().await;
    let webhook = api
        .create(json!({"folder_resource_id": "label_1363", "name": "test", "mode": "combine",
            "origins": "{\"value\":\"*\"}", "is_secure": true}))
        .await;
    assert_eq!(webhook["name"], "test");
    assert_eq!(webhook["mode"], "combine");
    assert_eq!(webhook["origins"], "*");
    assert_eq!(webhook["secret"].as_str().unwrap().len(), 32);
    let key = webhook["uri"].as_str().unwrap().strip_prefix("/webhook/data/").unwrap();
    assert!(key.len() == 24 && key.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    let (status, dataset) = api.get(&format!("{DATASETS}/{}", webhook["ds_id"])).await;
    assert_eq!((status, &dataset["dataset"]["name"]), (200, &json!("test")));
}

#[tokio::test]
async fn an_empty_body_object_gives_the_defaults() {
    let api = Api::start().await;
    let webhook = api.create(json!({})).await;
    assert_eq!(webhook["name"], "Generic Webhook");
    assert_eq!(webhook["mode"], "replace");
    assert_eq!(webhook["origins"], "*");
    assert_eq!(webhook["secret"], Value::Null);
    assert_eq!(api.create(json!({"name": "  "})).await["name"], "Generic Webhook");
    let wrapped = api.create(json!({"name": {"value": " w "}, "mode": {"value": "COMBINE"}})).await;
    assert_eq!((&wrapped["name"], &wrapped["mode"]), (&json!("w"), &json!("combine")));
}

#[tokio::test]
async fn what_cannot_be_created_is_named() {
    let api = Api::start().await;
    for (spec, key) in [
        (json!({"mode": "append"}), "mode"),
        (json!({"is_secure": "yes"}), "is_secure"),
        (json!({"name": 5}), "name"),
        (json!({"name": null}), "name"),
        (json!({"name": "x".repeat(256)}), "name"),
        (json!({"name": "a\u{7}"}), "name"),
        (json!({"origins": "x".repeat(2049)}), "origins"),
        (json!({"folder_resource_id": "1363"}), "folder_resource_id"),
        (json!([]), "data"),
    ] {
        let (status, refused) = api.call("POST", WEBHOOKS, spec.clone()).await;
        assert_eq!((status, &refused["extra"][0]["key"]), (400, &json!(key)), "{spec}");
        assert_eq!(refused["extra"][0]["source"], "body");
        assert_eq!(refused["detail"], format!("Validation failed for POST {WEBHOOKS}"));
    }
    assert_eq!(api.get(WEBHOOKS).await.1["webhooks"], json!([]));
}

#[tokio::test]
async fn fields_keep_what_clients_require() {
    let api = Api::start().await;
    let webhook = api.create(json!({"is_secure": true})).await;
    let members = |answer: Value| {
        answer["webhook"].as_object().unwrap().keys().cloned().collect::<Vec<_>>().join(" ")
    };
    for (fields, shown) in [
        ("", "ds_id id mode name origins secret uri"),
        ("?fields=", "ds_id id mode name origins secret uri"),
        ("?fields=__full", "ds_id id mode name origins secret uri"),
        ("?fields=id%2Cname", "ds_id id mode name uri"),
        ("?fields=__min", "ds_id id mode name uri"),
        ("?fields=url,origins,nonsense", "ds_id id mode name origins uri"),
    ] {
        let (_, answer) = api.get(&format!("{WEBHOOKS}/{}{fields}", webhook["id"])).await;
        assert_eq!(members(answer), shown, "{fields}");
    }
    let (_, list) = api.get(&format!("{WEBHOOKS}?fields=__min")).await;
    assert!(list["webhooks"][0].get("secret").is_none());
}

#[tokio::test]
async fn lists_are_filtered_by_all_conditions_and_any_of_their_values() {
    let api = Api::start().await;
    let [b, combine, a] = three(&api).await;
    for (filter, shown) in [
        (String::new(), vec!["b", "a", "a"]),
        ("id=&name=&ds_id=&mode=&sort=".to_owned(), vec!["b", "a", "a"]),
        ("name=b,a".to_owned(), vec!["b", "a", "a"]),
        ("name=B".to_owned(), vec![]),
        ("mode=replace&name=a".to_owned(), vec!["a"]),
        ("mode=replace,combine&name=a".to_owned(), vec!["a", "a"]),
        (format!("id={},{},999999999", b["id"], combine["id"]), vec!["b", "a"]),
        (format!("ds_id={}&id={}", a["ds_id"], a["id"]), vec!["a"]),
        (format!("ds_id={}&id={}", a["ds_id"], b["id"]), vec![]),
        ("unknown=1".to_owned(), vec!["b", "a", "a"]),
    ] {
        let (_, list) = api.get(&format!("{WEBHOOKS}?{filter}")).await;
        assert_eq!(names(&list), shown, "{filter}");
    }
}

#[tokio::test]
async fn lists_are_sorted_and_paged() {
    let api = Api::start().await;
    three(&api).await;
    let first =
        format!("/api/v2{WEBHOOKS}?sort=%28name%3Adesc%29%2C+%28id%3Adesc%29&limit=2&mode=");
    let (_, page) = api.get(&first).await;
    assert_eq!(names(&page), ["b", "a"]);
    assert_eq!((&page["limit"], &page["offset"]), (&json!(2), &json!(0)));
    let next = page["next"].as_str().unwrap();
    assert!(next.starts_with(&format!("/api/v2{WEBHOOKS}?")), "{next}");
    assert!(next.contains("limit=2") && next.contains("mode=&") && next.contains("offset=2"));
    let (_, last) = api.get(next).await;
    assert_eq!((names(&last), &last["next"]), (vec!["a"], &json!("")));
    assert!(last["webhooks"][0]["id"].as_i64() < page["webhooks"][1]["id"].as_i64());

    let (_, none) = api.get(&format!("{WEBHOOKS}?limit=0")).await;
    assert_eq!((names(&none), &none["next"]), (vec![], &json!("")));
    let (_, past) = api.get(&format!("{WEBHOOKS}?offset=10")).await;
    assert_eq!((names(&past), &past["next"]), (vec![], &json!("")));
}

#[tokio::test]
async fn bad_queries_name_every_fault() {
    let api = Api::start().await;
    for query in [
        "limit=101",
        "limit=",
        "limit=x",
        "offset=-1",
        "id=a",
        "ds_id=1,",
        "mode=append",
        "sort=id",
    ] {
        let target = format!("{WEBHOOKS}?{query}");
        let (status, refused) = api.get(&target).await;
        assert_eq!(status, 400, "{query}");
        assert_eq!(refused["detail"], format!("Validation failed for GET {target}"));
        let fault = &refused["extra"][0];
        assert_eq!(fault["key"], query.split('=').next().unwrap());
        assert_eq!(fault["source"], "query");
    }
    let (_, refused) = api.get(&format!("{WEBHOOKS}?limit=101&sort=x")).await;
    assert_eq!(refused["extra"][0]["message"], "Expected `int` <= 100");
    assert_eq!(refused["extra"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_patch_changes_what_it_names() {
    let api = Api::start().await;
    let webhook = api.create(json!({})).await;
    let changes = [
        ("mode", json!("combine")),
        ("/origins", json!({"value": "https://a.example"})),
        ("is_secure", json!(true)),
    ];
    let (status, patched) = api.patch(&webhook, &changes).await;
    assert_eq!(status, 200, "{patched}");
    let patched = &patched["webhook"];
    assert_eq!(patched["mode"], "combine");
    assert_eq!(patched["origins"], "https://a.example");
    assert_eq!(patched["secret"].as_str().unwrap().len(), 32);
    assert_eq!((&patched["id"], &patched["uri"]), (&webhook["id"], &webhook["uri"]));
    let (_, again) = api.patch(&webhook, &[]).await;
    assert_eq!(&again["webhook"], patched);
}

#[tokio::test]
async fn a_secret_is_kept_cleared_and_rotated() {
    let api = Api::start().await;
    let webhook = api.create(json!({"is_secure": true})).await;
    let secret = |answer: &(u16, Value)| answer.1["webhook"]["secret"].clone();
    let kept = api.patch(&webhook, &[("is_secure", json!(true))]).await;
    assert_eq!(secret(&kept), webhook["secret"]);
    let cleared = api.patch(&webhook, &[("is_secure", json!(false))]).await;
    assert_eq!(secret(&cleared), Value::Null);
    let new = api.patch(&webhook, &[("is_secure", json!(true))]).await;
    assert!(secret(&new).is_string() && secret(&new) != webhook["secret"]);
    let rotation = [("is_secure", json!(false)), ("is_secure", json!(true))];
    let rotated = api.patch(&webhook, &rotation).await;
    assert!(secret(&rotated).is_string() && secret(&rotated) != secret(&new));
}

#[tokio::test]
async fn a_patch_with_a_fault_changes_nothing() {
    let api = Api::start().await;
    let webhook = api.create(json!({})).await;
    for (path, value, key) in [
        ("name", json!("x"), "patch[1].path"),
        ("mode", json!("append"), "patch[1].value"),
        ("origins", json!("x".repeat(2049)), "patch[1].value"),
        ("is_secure", json!("yes"), "patch[1].value"),
    ] {
        let changes = [("mode", json!("combine")), (path, value)];
        let (status, refused) = api.patch(&webhook, &changes).await;
        assert_eq!((status, &refused["extra"][0]["key"]), (400, &json!(key)));
    }
    let (_, now) = api.get(&format!("{WEBHOOKS}/{}", webhook["id"])).await;
    assert_eq!(now["webhook"], webhook);
}

#[tokio::test]
async fn deleting_leaves_the_rows() {
    let api = Api::start().await;
    let webhook = api.create(json!({})).await;
    api.send("POST", &url(&webhook), &[], "1").await;
    let target = format!("{WEBHOOKS}/{}", webhook["id"]);
    let deleted = api.send("DELETE", &target, &PAIR, "").await;
    assert_eq!((deleted.status.as_u16(), deleted.body.as_str()), (204, ""));
    for (method, body) in
        [("GET", Value::Null), ("DELETE", Value::Null), ("PATCH", json!({"patch": []}))]
    {
        assert_eq!(api.call(method, &target, body).await.0, 404, "{method}");
    }
    assert_eq!(api.send("POST", &url(&webhook), &[], "2").await.status, 404);
    assert_eq!(api.cells(&webhook).await, ["1"]);
    let (_, dataset) = api.get(&format!("{DATASETS}/{}", webhook["ds_id"])).await;
    assert_eq!(dataset["dataset"]["sources"], json!([]));
}

/// `mammoth-analytics-sdk` takes every status but 200 for a failure; everybody else is told 201.
#[tokio::test]
async fn the_first_sdk_is_answered_200() {
    let api = Api::start().await;
    let webhook = api.create(json!({"name": "a", "mode": "combine"})).await;
    let agent = ("user-agent", "python-requests/2.34.2");
    let status = async |headers: &[(&str, &str)]| {
        let answer = api.send("POST", &url(&webhook), headers, r#"{"a":1}"#).await;
        answer.status.as_u16()
    };
    assert_eq!(status(&[agent, PAIR[0], PAIR[1]]).await, 200);
    assert_eq!(status(&[agent]).await, 201);
    assert_eq!(status(&PAIR).await, 201);
}
