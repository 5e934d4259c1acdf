//! Credentials, projects and the audit log.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use hookyard_core::id::ApplicationId;
use hookyard_core::model::{CredentialKind, QuotaSetting, QuotaSettings, Scope, Scopes};
use hookyard_store::{AuditQuery, NewCredential};
use serde_json::{Value, json};

use super::{fault, own, send, walk};
use crate::peer::Peer;
use crate::test_server::{SIMPLE_KEY, TestServer, WORKSPACE, credential};

async fn make(server: &TestServer, body: Value) -> Value {
    let (status, made) = own(server, "POST", "/v1/credentials", Some(body)).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    made
}

#[tokio::test]
async fn a_credential_is_shown_once_and_works_at_once() {
    let server = TestServer::start().await;
    let scopes = json!(["webhook_read", "event_write"]);
    let made = make(&server, json!({"name": "till", "scopes": scopes})).await;
    assert_eq!((&made["state"], &made["scopes"]), (&json!("active"), &scopes));
    let key = made["simple_key"].as_str().unwrap();
    assert!(made["api_key"].is_null() && made["token"].is_null());
    assert_eq!(send(&server, key, "GET", "/v1/endpoints", None).await.status, 200);
    assert_eq!(send(&server, key, "GET", "/v1/credentials", None).await.status, 403);

    let path = format!("/v1/credentials/{}", made["id"]);
    let (_, shown) = own(&server, "GET", &path, None).await;
    assert!(shown["simple_key"].is_null() && shown["name"] == "till");
    let disabled = json!({"disabled": true});
    assert_eq!(own(&server, "PATCH", &path, Some(disabled)).await.1["state"], "disabled");
    assert_eq!(send(&server, key, "GET", "/v1/endpoints", None).await.status, 410);
    let enabled = json!({"disabled": null, "scopes": ["event_write"], "expires_at": null});
    assert_eq!(own(&server, "PATCH", &path, Some(enabled)).await.1["state"], "active");
    assert_eq!(send(&server, key, "GET", "/v1/endpoints", None).await.status, 403);
    assert_eq!(own(&server, "DELETE", &path, None).await.0, StatusCode::NO_CONTENT);
    assert_eq!(send(&server, key, "GET", "/v1/endpoints", None).await.status, 401);
    assert_eq!(own(&server, "GET", &path, None).await.1["state"], "revoked");
    let late = own(&server, "PATCH", &path, Some(json!({"name": "x"}))).await;
    assert_eq!((late.0, fault(&late.1).0), (StatusCode::CONFLICT, "conflict"));
}

#[tokio::test]
async fn a_successor_takes_over() {
    let server = TestServer::start().await;
    let made = make(&server, json!({"kind": "token", "scopes": ["webhook_read"]})).await;
    let path = format!("/v1/credentials/{}", made["id"]);
    let rotate = format!("{path}/rotate");
    let (status, new) = own(&server, "POST", &rotate, Some(json!({"overlap_seconds": 0}))).await;
    assert_eq!(status, StatusCode::CREATED, "{new}");
    let get = async |token: &Value| {
        let request = Request::get("/v1/endpoints")
            .header("authorization", format!("Bearer {}", token.as_str().unwrap()))
            .body(Body::empty());
        server.send(request.unwrap()).await.status
    };
    assert_eq!(
        (get(&made["token"]).await, get(&new["token"]).await),
        (StatusCode::UNAUTHORIZED, StatusCode::OK)
    );
    assert_eq!(own(&server, "GET", &path, None).await.1["state"], "expired");
    let itself = json!({"overlap_seconds": 10});
    let (_, refused) = own(&server, "POST", "/v1/credentials/1/rotate", Some(itself)).await;
    assert_eq!(fault(&refused), ("invalid_value", "overlap_seconds"));
    let (status, _) = own(&server, "DELETE", "/v1/credentials/1", None).await;
    assert_eq!(status, StatusCode::CONFLICT, "it is the one that asks");
}

#[tokio::test]
async fn what_cannot_be_made_is_named() {
    let server = TestServer::start().await;
    for (body, field) in [
        (json!({}), "scopes"),
        (json!({"scopes": []}), "scopes"),
        (json!({"scopes": ["all"]}), "scopes[0]"),
        (json!({"scopes": ["admin"], "name": "n".repeat(101)}), "name"),
        (json!({"scopes": ["admin"], "expires_at": "2001-01-01T00:00:00Z"}), "expires_at"),
        (json!({"scopes": ["admin"], "allowed_ips": ["::1", "here"]}), "allowed_ips[1]"),
        (json!({"scopes": ["admin"], "kind": "pairs"}), "kind"),
    ] {
        let (status, problem) = own(&server, "POST", "/v1/credentials", Some(body.clone())).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{body}");
        assert_eq!(fault(&problem), ("invalid_value", field), "{body}: {problem}");
    }
    let (_, page) = own(&server, "GET", "/v1/credentials?limit=2", None).await;
    assert_eq!(page["credentials"].as_array().unwrap().len(), 2);
    let next = page["next"].as_str().unwrap();
    let (_, rest) = own(&server, "GET", next, None).await;
    assert_eq!(rest["credentials"][0]["id"], 3);
}

/// What `admin` changes that lets nobody in: an application with that scope may do it. Whoever adds an
/// operation decides here.
const LETS_NOBODY_IN: [(&str, &str); 1] = [("POST", "/v1/event-types")];

#[tokio::test]
async fn an_application_lets_nobody_in() {
    let server = TestServer::start().await;
    let new = credential(CredentialKind::Simple, "of an application", Scopes::all());
    let new = NewCredential { application: Some(ApplicationId(1)), ..new };
    server.store.create_credential(WORKSPACE, new).await.unwrap();
    let key = "of an application";
    let mut refused = Vec::new();
    for operation in walk::operations() {
        let walk::Operation { method, path, scope, body, .. } = operation;
        let filled = path.replace(['{', '}'], "");
        let answer = send(&server, key, &method, &filled, body.as_ref()).await;
        let is_open = scope != Scope::Admin
            || method == "GET"
            || LETS_NOBODY_IN.contains(&(&*method, &*path));
        let is_refused = answer.status == StatusCode::FORBIDDEN;
        assert_eq!(is_refused, !is_open, "{method} {path}: {}", answer.body);
        if is_refused {
            assert!(answer.body.contains("missing_scope"), "{}", answer.body);
            refused.push(format!("{method} {path}"));
        }
    }
    for expected in [
        "POST /v1/credentials",
        "POST /v1/credentials/{id}/rotate",
        "PATCH /v1/applications/{id}",
        "DELETE /v1/applications/{id}/grants/{grant}",
        "PATCH /v1/workspace",
    ] {
        assert!(refused.iter().any(|one| one == expected), "{expected}: {refused:?}");
    }
}

#[tokio::test]
async fn projects_come_and_go() {
    let server = TestServer::start().await;
    let (status, made) = own(&server, "POST", "/v1/projects", Some(json!({"name": "Tills"}))).await;
    assert_eq!((status, &made), (StatusCode::CREATED, &json!({"id": 2, "name": "Tills"})));
    let taken = json!({"id": 2, "name": "x"});
    assert_eq!(own(&server, "POST", "/v1/projects", Some(taken)).await.0, StatusCode::CONFLICT);
    for bad in [json!({"name": " "}), json!({"name": "x", "id": 0}), json!({"id": 3})] {
        let (status, _) = own(&server, "POST", "/v1/projects", Some(bad.clone())).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{bad}");
    }
    let renamed = own(&server, "PATCH", "/v1/projects/2", Some(json!({"name": "Shops"}))).await.1;
    assert_eq!(own(&server, "GET", "/v1/projects/2", None).await.1, renamed);
    let source = json!({"project": 2});
    let (status, source) = own(&server, "POST", "/v1/sources", Some(source)).await;
    assert_eq!(status, StatusCode::CREATED, "{source}");
    assert_eq!(own(&server, "DELETE", "/v1/projects/2", None).await.0, StatusCode::CONFLICT);
    let dataset = format!("/workspaces/1/projects/2/datasets/{}", source["dataset"]);
    let request = Request::delete(dataset)
        .header("x-api-key", crate::test_server::API_KEY)
        .header("x-api-secret", crate::test_server::API_SECRET);
    assert!(server.send(request.body(Body::empty()).unwrap()).await.status.is_success());
    assert_eq!(own(&server, "DELETE", "/v1/projects/2", None).await.0, StatusCode::NO_CONTENT);
    assert_eq!(own(&server, "DELETE", "/v1/projects/1", None).await.0, StatusCode::CONFLICT);
    assert_eq!(own(&server, "GET", "/v1/projects/2", None).await.0, StatusCode::NOT_FOUND);
    let renamed = own(&server, "PATCH", "/v1/workspace", Some(json!({"name": "Mine"}))).await.1;
    assert_eq!(renamed, json!({"id": 1, "merchant": "DEMO", "name": "Mine"}));
}

#[tokio::test]
async fn the_audit_log_says_who_did_what_from_where() {
    let server = TestServer::start().await;
    let request = Request::post("/v1/endpoints")
        .header("x-ultracart-simple-key", SIMPLE_KEY)
        .header("content-type", "application/json")
        .header("x-request-id", "mine-1")
        .extension(Peer([192, 0, 2, 7].into()))
        .body(Body::from(r#"{"url":"https://x.test/?token=canary","name":"n"}"#));
    assert_eq!(server.send(request.unwrap()).await.status, StatusCode::CREATED);
    own(&server, "PATCH", "/v1/endpoints/1", Some(json!({"comments": "canary"}))).await;
    own(&server, "DELETE", "/v1/endpoints/9", None).await;
    make(&server, json!({"name": "till", "scopes": ["admin"]})).await;
    let (_, page) = own(&server, "GET", "/v1/audit?limit=2", None).await;
    let entries = page["entries"].as_array().unwrap();
    assert_eq!(entries[0]["action"], "credential.create");
    assert_eq!(entries[1]["detail"], json!({"changed": ["comments"], "revision": 2}));
    let (_, rest) = own(&server, "GET", page["next"].as_str().unwrap(), None).await;
    let first = &rest["entries"][0];
    let expected = json!({
        "id": 1, "at": first["at"], "actor": "request", "credential": 1, "address": "192.0.2.7",
        "request_id": "mine-1", "action": "endpoint.create", "subject": "1",
        "detail": {"name": "n"},
    });
    assert_eq!((first, &rest["next"]), (&expected, &Value::Null));
    let (_, kind) = own(&server, "GET", "/v1/audit?action=endpoint.&subject=1", None).await;
    assert_eq!(kind["entries"].as_array().unwrap().len(), 2);

    let export = send(&server, SIMPLE_KEY, "GET", "/v1/audit/export?after=1", None).await;
    assert_eq!(export.headers["content-type"], "application/x-ndjson");
    let lines: Vec<Value> =
        export.body.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 3);
    assert_eq!((&lines[0], &lines[1]), (&entries[1], &entries[0]));
    assert_eq!(lines[2]["action"], "audit.export", "it is noted itself");
    assert!(!export.body.contains("canary"));
}

/// What changes nothing that an owner decides, or has a record of its own.
const NOT_NOTED: [&str; 5] =
    ["/v1/events", "/v1/event-batches", "/v1/rules/test", "/doctor", "/rows"];

#[tokio::test]
async fn every_change_is_noted() {
    let server = TestServer::start().await;
    let endpoint =
        json!({"url": "https://x.test/", "subscriptions": [{"event_type": "order_create"}]});
    own(&server, "POST", "/v1/endpoints", Some(endpoint)).await;
    let mut noted = Vec::new();
    let mut operations = walk::operations();
    // A thing is put in the trash before it is restored, and removed last.
    operations.sort_by_key(|operation| match operation.path.rsplit('/').next() {
        _ if operation.method == "DELETE" => 3,
        Some("restore") => 2,
        Some("trash") => 1,
        _ => 0,
    });
    for operation in operations.into_iter().filter(|operation| operation.method != "GET") {
        if NOT_NOTED.iter().any(|path| operation.path.ends_with(path)) {
            continue;
        }
        let path = operation.path.replace("{event_type}", "order_create");
        let parts = path.split('{').enumerate().map(|(index, part)| match index {
            0 => part.to_owned(),
            _ => format!("1{}", part.split_once('}').unwrap().1),
        });
        let path: String = parts.collect();
        let before = count(&server).await;
        let answer =
            send(&server, SIMPLE_KEY, &operation.method, &path, operation.body.as_ref()).await;
        let nothing = ["\"count\":0", "\"changed\":0", "{\"replays\":[]}"];
        let changed = answer.status.is_success()
            && !nothing.iter().any(|nothing| answer.body.contains(nothing));
        if changed && !operation.body.is_some_and(|body| body["dry_run"] == true) {
            let at = format!("{} {path}: {}", operation.method, answer.body);
            assert!(count(&server).await > before, "{at}");
            noted.push(at);
        }
    }
    assert!(noted.len() >= 15, "only these were changes: {noted:#?}");
}

async fn count(server: &TestServer) -> usize {
    let query = AuditQuery { limit: 10_000, ..AuditQuery::default() };
    server.store.audit(WORKSPACE, query).await.unwrap().entries.len()
}

#[tokio::test]
async fn a_workspace_has_what_its_quotas_let_it_have() {
    let server = TestServer::start().await;
    let store = &server.store;
    let quotas = QuotaSettings {
        endpoints: QuotaSetting::At(1),
        events_hour: QuotaSetting::At(2),
        stored_bytes: QuotaSetting::At(0),
        ..QuotaSettings::default()
    };
    store.set_quotas(WORKSPACE, quotas).await.unwrap();
    let endpoint = || Some(json!({"url": "https://93.184.215.14/hook"}));
    assert_eq!(own(&server, "POST", "/v1/endpoints", endpoint()).await.0, 201);
    let (status, problem) = own(&server, "POST", "/v1/endpoints", endpoint()).await;
    assert_eq!((status.as_u16(), &problem["code"]), (409, &json!("quota_exceeded")), "{problem}");
    assert_eq!(problem["field"], "endpoints");

    let publish = async |id: u32| {
        let event = json!({"specversion": "1.0", "id": id.to_string(), "source": "/s",
                           "type": "order_create", "data": {}});
        let request = Request::post("/v1/events")
            .header("x-ultracart-simple-key", SIMPLE_KEY)
            .header("content-type", "application/cloudevents+json")
            .body(Body::from(event.to_string()));
        server.send(request.unwrap()).await
    };
    assert_eq!(publish(1).await.status, 202);
    assert_eq!(publish(2).await.status, 202);
    let refused = publish(3).await;
    let after = refused.headers["retry-after"].to_str().unwrap();
    assert_eq!((refused.status.as_u16(), after), (429, "1800"));
    let (_, dataset) = own(&server, "POST", "/v1/datasets", Some(json!({"name": "d"}))).await;
    let rows = format!("/v1/datasets/{}/rows", dataset["id"]);
    server.clock.advance(std::time::Duration::from_secs(3_600));
    let (status, problem) = own(&server, "POST", &rows, Some(json!([1]))).await;
    assert_eq!((status.as_u16(), &problem["field"]), (409, &json!("stored_bytes")), "{problem}");
    let (_, shown) = own(&server, "GET", "/v1/workspace/quotas", None).await;
    assert_eq!(shown["endpoints"], json!({"limit": 1, "used": 1}));
    assert_eq!(shown["events_hour"]["limit"], 2);
    assert_eq!(shown["sources"], json!({"used": 0}));

    // Those of another process are followed within seconds.
    store.set_quotas(WORKSPACE, QuotaSettings::default()).await.unwrap();
    server.clock.advance(std::time::Duration::from_secs(6));
    for id in 4..10 {
        assert_eq!(publish(id).await.status, 202);
    }
    let journal_bytes = QuotaSetting::At(500);
    let quotas = QuotaSettings { journal_bytes, ..QuotaSettings::default() };
    store.set_quotas(WORKSPACE, quotas).await.unwrap();
    server.clock.advance(std::time::Duration::from_secs(6));
    let refused = publish(10).await;
    let problem: Value = serde_json::from_str(&refused.body).unwrap();
    assert_eq!((refused.status.as_u16(), &problem["field"]), (409, &json!("journal_bytes")));
    let (_, shown) = own(&server, "GET", "/v1/workspace/quotas", None).await;
    assert_eq!(shown["journal_bytes"]["limit"], 500);
    assert!(shown["journal_bytes"]["used"].as_u64().unwrap() > 500, "{shown}");
}
