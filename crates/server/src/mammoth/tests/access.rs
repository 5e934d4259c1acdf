use serde_json::{Value, json};

use super::{Api, DATASETS, PAIR, WEBHOOKS, assert_refused, url};
use crate::test_server::{API_KEY, API_SECRET, OTHER_API_KEY, READ_API_KEY, TOKEN};

const OTHER: [(&str, &str); 2] = [("x-api-key", OTHER_API_KEY), ("x-api-secret", API_SECRET)];
const READER: [(&str, &str); 2] = [("x-api-key", READ_API_KEY), ("x-api-secret", API_SECRET)];

#[tokio::test]
async fn credentials_are_a_whole_pair_or_a_token() {
    let api = Api::start().await;
    let bearer = format!("Bearer {TOKEN}");
    assert_eq!(api.send("GET", WEBHOOKS, &PAIR, "").await.status, 200);
    assert_eq!(api.send("GET", WEBHOOKS, &[("authorization", &bearer)], "").await.status, 200);
    let secret = ("x-api-secret", API_SECRET);
    for headers in [
        &[][..],
        &[("x-api-key", API_KEY)],
        &[secret],
        &[("x-api-key", API_KEY), ("x-api-secret", "wrong")],
        &[("x-api-key", "wrong"), secret],
        &[("x-api-key", TOKEN), secret],
        &[("authorization", "Bearer wrong")],
        &[("authorization", TOKEN)],
    ] {
        let refused = api.send("GET", WEBHOOKS, headers, "").await;
        assert_refused(&refused, 401, "Unauthorized");
        assert_eq!(refused.headers["www-authenticate"], "Bearer");
    }
    assert_refused(&api.send("GET", "/workspaces", &[], "").await, 401, "Unauthorized");
}

#[tokio::test]
async fn a_scope_that_is_missing_is_named() {
    let api = Api::start().await;
    let webhook = api.create(json!({})).await;
    let one = format!("{WEBHOOKS}/{}", webhook["id"]);
    let dataset = format!("{DATASETS}/{}", webhook["ds_id"]);
    for target in [WEBHOOKS, &one, DATASETS, &dataset, &format!("{dataset}/data"), "/workspaces"] {
        assert_eq!(api.send("GET", target, &READER, "").await.status, 200, "{target}");
    }
    for (method, target) in
        [("POST", WEBHOOKS), ("PATCH", &one), ("DELETE", &one), ("DELETE", &dataset)]
    {
        let refused = api.send(method, target, &READER, "{}").await;
        assert_refused(
            &refused,
            403,
            "Forbidden: the credential does not have the scope data_write",
        );
    }
    assert_eq!(api.get(&one).await.0, 200);
}

#[tokio::test]
async fn a_secret_is_shown_to_those_who_may_change_it() {
    let api = Api::start().await;
    let webhook = api.create(json!({"is_secure": true})).await;
    let open = api.create(json!({})).await;
    let one = |webhook: &Value| format!("{WEBHOOKS}/{}", webhook["id"]);
    let secret = webhook["secret"].as_str().unwrap();
    for (headers, shown) in [(&PAIR, secret), (&READER, "********")] {
        let list = api.send("GET", &format!("{WEBHOOKS}?sort=(id:asc)"), headers, "").await;
        assert_eq!(list.headers["cache-control"], "no-store");
        assert_eq!(list.body.contains(secret), shown == secret, "{}", list.body);
        let list: Value = serde_json::from_str(&list.body).unwrap();
        assert_eq!(list["webhooks"][0]["secret"], shown);
        assert_eq!(list["webhooks"][1]["secret"], Value::Null, "there is none to mask");
        let got = api.send("GET", &format!("{}?fields=secret", one(&webhook)), headers, "").await;
        assert_eq!(got.body.contains(secret), shown == secret, "{}", got.body);
        let got = api.send("GET", &one(&open), headers, "").await;
        assert!(got.body.contains("\"secret\":null"), "{}", got.body);
    }
}

#[tokio::test]
async fn workspaces_do_not_cross() {
    let api = Api::start().await;
    let webhook = api.create(json!({"is_secure": true})).await;
    let (id, dataset) = (&webhook["id"], &webhook["ds_id"]);
    let below = [
        ("GET", String::from("webhooks")),
        ("POST", String::from("webhooks")),
        ("GET", format!("webhooks/{id}")),
        ("PATCH", format!("webhooks/{id}")),
        ("DELETE", format!("webhooks/{id}")),
        ("GET", String::from("datasets")),
        ("GET", format!("datasets/{dataset}")),
        ("GET", format!("datasets/{dataset}/data")),
        ("GET", format!("datasets/{dataset}/batches")),
        ("DELETE", format!("datasets/{dataset}")),
    ];
    for (method, path) in &below {
        let foreign = format!("/workspaces/1/projects/1/{path}");
        assert_refused(&api.send(method, &foreign, &OTHER, "{}").await, 403, "Forbidden");
        // Through the caller's own workspace another's things are not there.
        let own = format!("/workspaces/2/projects/1/{path}");
        let body = r#"{"patch": []}"#;
        let status = api.send(method, &own, &OTHER, body).await.status.as_u16();
        let expected = match (*method, path.contains('/')) {
            (_, true) => 404,
            ("POST", _) => 201,
            _ => 200,
        };
        assert_eq!(status, expected, "{method} {own}");
    }
    assert_refused(&api.send("GET", "/workspaces/1/projects", &OTHER, "").await, 403, "Forbidden");
    let own = api.send("GET", "/workspaces", &OTHER, "").await;
    assert!(own.body.contains("OTHER") && !own.body.contains("DEMO"));
    // Nor do another workspace's credentials open a secure webhook.
    let target = url(&webhook);
    assert_refused(&api.send("POST", &target, &OTHER, "1").await, 401, "Unauthorized");
    assert_refused(&api.send("POST", &target, &READER, "1").await, 401, "Unauthorized");
    assert_eq!(api.cells(&webhook).await, [] as [String; 0]);
}

#[tokio::test]
async fn a_project_out_of_reach_is_forbidden() {
    let api = Api::start().await;
    let (status, refused) = api.get("/workspaces/1/projects/2/webhooks").await;
    assert_eq!((status, &refused["detail"]), (403, &json!("Forbidden")));
    let (status, _) = api.call("POST", "/workspaces/1/projects/2/webhooks", json!({})).await;
    assert_eq!(status, 403);
    assert_eq!(api.get("/workspaces/3/projects/1/webhooks").await.0, 403);
    assert_eq!(api.call("GET", WEBHOOKS, Value::Null).await.1["webhooks"], json!([]));
}
