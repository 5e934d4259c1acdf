//! Every operation of the description, with each kind of wrong credential.

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use hookyard_core::model::{CredentialKind, Scope};
use serde_json::{Value, json};

use super::{own, send};
use crate::native::document;
use crate::test_server::{OTHER_KEY, TestServer, WORKSPACE, credential};

/// One operation as a request.
struct Call {
    method: String,
    path: String,
    scope: Scope,
    content_type: String,
    body: Option<Value>,
}

/// Every operation that needs a credential, about these.
fn calls(made: &Made) -> Vec<Call> {
    let document = document::whole();
    let mut calls = Vec::new();
    for (path, method, operation) in document::each_operation(&document) {
        let Some(scope) = document::scope_of(operation) else { continue };
        let path = path
            .replace("/events/{id}", "/events/a")
            .replace("/sources/{id}", &format!("/sources/{}", made.source))
            .replace("/datasets/{id}", &format!("/datasets/{}", made.dataset))
            .replace("/folders/{id}", &format!("/folders/{}", made.folder))
            .replace("{batch}", "1")
            .replace("{version}", "1")
            .replace("/applications/{id}", &format!("/applications/{}", made.application))
            .replace("{grant}", "1")
            .replace("{id}", &made.endpoint.to_string())
            .replace("{event_type}", "order_create")
            .replace("{seq}", "1")
            .replace("{replay}", "1")
            .replace("{delivery}", "1")
            .replace("{request_id}", "AAAAAAAAAAAAAA0199D2A3B4C5D80011");
        let content = operation["requestBody"]["content"].as_object();
        let (content_type, body) = match content.and_then(|content| content.iter().next()) {
            Some((kind, content)) => (kind.clone(), Some(example(&document, &content["schema"]))),
            None => (String::new(), None),
        };
        let method = method.to_uppercase();
        calls.push(Call { method, path, scope, content_type, body });
    }
    assert!(calls.len() > 10);
    calls
}

fn example(document: &Value, schema: &Value) -> Value {
    if schema["items"].is_object() {
        return json!([example(document, &schema["items"])]);
    }
    let name = schema["$ref"].as_str().unwrap().rsplit('/').next().unwrap();
    document["components"]["schemas"][name]["examples"][0].clone()
}

impl Call {
    fn with(&self, key: Option<&str>) -> Request<Body> {
        let mut request = Request::builder().method(self.method.as_str()).uri(&self.path);
        if let Some(key) = key {
            request = request.header("x-ultracart-simple-key", key);
        }
        if self.body.is_some() {
            request = request.header(header::CONTENT_TYPE, &self.content_type);
        }
        let body = self.body.as_ref().map_or(Body::empty(), |body| Body::from(body.to_string()));
        request.body(body).unwrap()
    }
}

/// The numbers of what the operations are about.
struct Made {
    endpoint: Value,
    source: Value,
    dataset: Value,
    folder: Value,
    application: Value,
}

async fn made(server: &TestServer) -> Made {
    let body = json!({
        "url": "https://x.test/h",
        "subscriptions": [{"event_type": "order_create"}],
    });
    let (status, made) = own(server, "POST", "/v1/endpoints", Some(body)).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    let (status, source) =
        own(server, "POST", "/v1/sources", Some(json!({"name": "x.test"}))).await;
    assert_eq!(status, StatusCode::CREATED, "{source}");
    let named = Some(json!({"name": "x.test"}));
    let (status, folder) = own(server, "POST", "/v1/folders", named).await;
    assert_eq!(status, StatusCode::CREATED, "{folder}");
    let application =
        json!({"name": "x.test", "redirect_uris": ["https://x.test/"], "scopes": ["data_read"]});
    let (status, application) = own(server, "POST", "/v1/applications", Some(application)).await;
    assert_eq!(status, StatusCode::CREATED, "{application}");
    Made {
        endpoint: made["id"].clone(),
        source: source["id"].clone(),
        dataset: source["dataset"].clone(),
        folder: folder["id"].clone(),
        application: application["id"].clone(),
    }
}

#[tokio::test]
async fn every_operation_wants_a_credential_with_its_scope() {
    let server = TestServer::start().await;
    let made = made(&server).await;
    for scope in Scope::ALL {
        let others = Scope::ALL.into_iter().filter(|other| *other != scope).collect();
        let without = credential(CredentialKind::Simple, &format!("no {scope:?}"), others);
        server.engine.store().create_credential(WORKSPACE, without).await.unwrap();
    }
    for call in calls(&made) {
        let at = format!("{} {}", call.method, call.path);
        for key in [None, Some("nobody's")] {
            let answer = server.send(call.with(key)).await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{at}");
        }
        let key = format!("no {:?}", call.scope);
        let answer = server.send(call.with(Some(&key))).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{at}");
        assert!(answer.body.contains(call.scope.as_str()), "{at}: {}", answer.body);
        let problem = &answer.headers[header::CONTENT_TYPE];
        assert_eq!(problem, "application/problem+json", "{at}");
    }
}

#[tokio::test]
async fn another_workspace_finds_nothing() {
    let server = TestServer::start().await;
    let made = made(&server).await;
    let endpoint = format!("/v1/endpoints/{}", made.endpoint);
    let before = own(&server, "GET", &endpoint, None).await;
    let event = json!({"specversion": "1.0", "id": "a", "source": "/shop", "type": "order_create",
                       "data": {}});
    let publish = Request::post("/v1/events")
        .header("x-ultracart-simple-key", crate::test_server::SIMPLE_KEY)
        .header(header::CONTENT_TYPE, "application/cloudevents+json")
        .body(Body::from(event.to_string()));
    assert_eq!(server.send(publish.unwrap()).await.status, StatusCode::ACCEPTED);
    for call in calls(&made) {
        let at = format!("{} {}", call.method, call.path);
        let names_one =
            ["/events/a", "/endpoints/", "/sources/", "/datasets/", "/folders/", "/applications/"];
        let names_one = names_one.into_iter().any(|part| call.path.contains(part));
        if names_one {
            let answer = server.send(call.with(Some(OTHER_KEY))).await;
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{at}: {}", answer.body);
        } else if call.method == "GET" {
            let answer = server.send(call.with(Some(OTHER_KEY))).await;
            assert_eq!(answer.status, StatusCode::OK, "{at}: {}", answer.body);
            assert!(!answer.body.contains("x.test") && !answer.body.contains("/shop"), "{at}");
        }
    }
    let after = own(&server, "GET", &endpoint, None).await;
    assert_eq!((before.0, &before.1["revision"]), (after.0, &after.1["revision"]));
    let added = json!({"name": "secret_type"});
    let added = send(&server, OTHER_KEY, "POST", "/v1/event-types", Some(&added)).await;
    assert_eq!(added.status, StatusCode::CREATED);
    let own_types = own(&server, "GET", "/v1/event-types", None).await.1.to_string();
    assert!(!own_types.contains("secret_type"));
}
