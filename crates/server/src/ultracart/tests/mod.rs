//! The API as its clients see it: through the real router, over the real store.

mod conventions;
mod logs;
mod reflow;
mod rules;
mod secrets;
mod webhooks;

use axum::body::Body;
use http::{HeaderMap, Method, Request, StatusCode};
use serde_json::Value;

use crate::test_server::{SIMPLE_KEY, TestServer};

const LIST: &str = "/rest/v2/webhook/webhooks";

const SEED: &str = "Swagger-Codegen/1.0.0/python";
const NEWEST: &str = "OpenAPI-Generator/4.1.208/python";
const JAVA: &str = "OpenAPI-Generator/4.1.67/java";

/// An answer that kept to what every answer must keep to.
struct Reply {
    status: StatusCode,
    headers: HeaderMap,
    text: String,
    json: Value,
}

impl Reply {
    /// The body of a success.
    #[track_caller]
    fn ok(self) -> Value {
        assert_eq!(self.status, StatusCode::OK, "{}", self.text);
        assert_eq!(self.json["success"], true, "{}", self.text);
        self.json
    }

    /// The message of an answer that says no with this status.
    #[track_caller]
    fn refused(self, status: u16) -> String {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        let error = &self.json["error"];
        assert_eq!(self.json["success"], false);
        assert_eq!(self.json["metadata"], serde_json::json!({}));
        assert_eq!(error["error_code"], status.to_string());
        assert_eq!(error["user_message"], error["developer_message"]);
        let message = error["developer_message"].as_str().unwrap().to_owned();
        assert_eq!(self.headers["uc-rest-error"], message.as_str());
        message
    }
}

/// A client with a simple key.
struct Sdk<'a> {
    server: &'a TestServer,
    agent: &'static str,
    key: &'static str,
}

impl<'a> Sdk<'a> {
    fn new(server: &'a TestServer, agent: &'static str) -> Self {
        Self { server, agent, key: SIMPLE_KEY }
    }

    async fn get(&self, path: &str) -> Reply {
        self.call(Method::GET, path, "").await
    }

    async fn post(&self, path: &str, body: &str) -> Reply {
        self.call(Method::POST, path, body).await
    }

    async fn put(&self, path: &str, body: &str) -> Reply {
        self.call(Method::PUT, path, body).await
    }

    async fn delete(&self, path: &str, body: &str) -> Reply {
        self.call(Method::DELETE, path, body).await
    }

    /// Registers a webhook; the answer is the webhook.
    #[track_caller]
    fn insert(&self, body: &str) -> impl Future<Output = Value> {
        let body = body.to_owned();
        async move { self.post(LIST, &body).await.ok()["webhook"].take() }
    }

    async fn call(&self, method: Method, path: &str, body: &str) -> Reply {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("user-agent", self.agent)
            .header("x-ultracart-simple-key", self.key)
            .body(Body::from(body.to_owned()));
        send(self.server, request.unwrap()).await
    }
}

/// Sends a request and checks what must hold of every answer.
async fn send(server: &TestServer, request: Request<Body>) -> Reply {
    let answer = server.send(request).await;
    let id = answer.headers["x-ultracart-request-id"].to_str().unwrap();
    assert_eq!(id.len(), 31, "{id}");
    assert!(id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'A'..=b'F')), "{id}");
    let json = if answer.status == StatusCode::NO_CONTENT {
        assert_eq!(answer.body, "");
        assert!(!answer.headers.contains_key("content-type"));
        Value::Null
    } else {
        assert_eq!(answer.headers["content-type"], "application/json; charset=UTF-8");
        let json = serde_json::from_str(&answer.body).unwrap();
        check_values(&json, &answer.body);
        json
    };
    Reply { status: answer.status, headers: answer.headers, text: answer.body, json }
}

/// No null at any depth, and no number beyond 32 bits (docs/spec/ultracart.md#trap-1,
/// docs/spec/ultracart.md#trap-11).
fn check_values(value: &Value, body: &str) {
    match value {
        Value::Null => panic!("a null in {body}"),
        Value::Number(number) => {
            let whole = number.as_i64().and_then(|number| i32::try_from(number).ok());
            assert!(whole.is_some(), "{number} in {body}");
        }
        Value::Array(values) => values.iter().for_each(|value| check_values(value, body)),
        Value::Object(map) => map.values().for_each(|value| check_values(value, body)),
        Value::Bool(_) | Value::String(_) => {}
    }
}

/// The path of a webhook.
fn path(webhook: &Value) -> String {
    format!("{LIST}/{}", webhook["webhook_oid"])
}
