//! Every operation of the description, with each kind of wrong credential.

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use hookyard_core::model::{CredentialKind, Scope};
use serde_json::{Value, json};

use super::{own, walk};
use crate::test_server::{SIMPLE_KEY, TestServer, WORKSPACE, credential};

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
    let operations = walk::operations().into_iter().map(|operation| {
        let walk::Operation { method, path, scope, content_type, body } = operation;
        let path = path
            .replace("/events/{id}", "/events/a")
            .replace("/sources/{id}", &format!("/sources/{}", made.source))
            .replace("/datasets/{id}", &format!("/datasets/{}", made.dataset))
            .replace("/export", "/export?format=ndjson")
            .replace("/folders/{id}", &format!("/folders/{}", made.folder))
            .replace("{batch}", "1")
            .replace("{version}", "1")
            .replace("/applications/{id}", &format!("/applications/{}", made.application))
            .replace("{grant}", "1")
            .replace("{id}", &made.endpoint.to_string())
            .replace("{event_type}", "order_create")
            .replace("{seq}", "1")
            .replace("{replay}", "1")
            .replace("{customer}", "acme")
            .replace("{delivery}", "1")
            .replace("{rejection}", "1")
            .replace("{name}", "stripe")
            .replace("{request_id}", "AAAAAAAAAAAAAA0199D2A3B4C5D80011");
        Call { method, path, scope, content_type, body }
    });
    operations.collect()
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
        server.store.create_credential(WORKSPACE, without).await.unwrap();
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
async fn no_operation_takes_a_parameter_that_it_does_not_know() {
    let server = TestServer::start().await;
    let made = made(&server).await;
    for mut call in calls(&made) {
        let (path, query) = call.path.split_once('?').unwrap_or((&call.path, ""));
        call.path = format!("{path}?nonsense=1&{query}");
        let answer = server.send(call.with(Some(SIMPLE_KEY))).await;
        let at = format!("{} {}: {}", call.method, call.path, answer.body);
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{at}");
        assert!(answer.body.contains(r#""field":"nonsense""#), "{at}");
    }
}
