//! The API through the real router over the real store.

use axum::body::Body;
use http::{Method, Request};
use serde_json::{Value, json};

use crate::Settings;
use crate::test_server::{API_KEY, API_SECRET, Answer, TestServer};

mod access;
mod datasets;
mod errors;
mod folders;
mod newer_clients;
mod trash;
mod webhooks;

/// Where the tests' webhooks are.
pub(crate) const WEBHOOKS: &str = "/workspaces/1/projects/1/webhooks";
pub(crate) const DATASETS: &str = "/workspaces/1/projects/1/datasets";

/// The headers of the key pair.
pub(crate) const PAIR: [(&str, &str); 2] = [("x-api-key", API_KEY), ("x-api-secret", API_SECRET)];

/// A server with the calls that these tests make.
pub(crate) struct Api {
    pub(crate) server: TestServer,
}

impl Api {
    pub(crate) async fn start() -> Self {
        Self { server: TestServer::start().await }
    }

    pub(crate) async fn with(settings: Settings) -> Self {
        Self { server: TestServer::with(settings).await }
    }

    /// Any request.
    pub(crate) async fn send(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Answer {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let request = Request::builder().method(method).uri(target);
        let request =
            headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        self.server.send(request.body(body.into()).unwrap()).await
    }

    /// A call with the key pair: its status and its answer's JSON, `null` when there is none.
    pub(crate) async fn call(&self, method: &str, target: &str, body: Value) -> (u16, Value) {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let answer = self.send(method, target, &PAIR, body).await;
        (answer.status.as_u16(), json_of(&answer))
    }

    pub(crate) async fn get(&self, target: &str) -> (u16, Value) {
        self.call("GET", target, Value::Null).await
    }

    /// A new webhook.
    pub(crate) async fn create(&self, spec: Value) -> Value {
        let (status, mut answer) = self.call("POST", WEBHOOKS, spec).await;
        assert_eq!(status, 201, "{answer}");
        answer["webhook"].take()
    }

    /// Changes a webhook.
    pub(crate) async fn patch(&self, webhook: &Value, changes: &[(&str, Value)]) -> (u16, Value) {
        let operation =
            |(path, value): &(&str, Value)| json!({"op": "replace", "path": path, "value": value});
        let patch = json!({"patch": changes.iter().map(operation).collect::<Vec<_>>()});
        self.call("PATCH", &format!("{WEBHOOKS}/{}", webhook["id"]), patch).await
    }

    /// The cells of a webhook's dataset.
    pub(crate) async fn cells(&self, webhook: &Value) -> Vec<String> {
        let (status, answer) = self.get(&format!("{DATASETS}/{}/data", webhook["ds_id"])).await;
        assert_eq!(status, 200, "{answer}");
        let rows = answer["data"].as_object().unwrap();
        (1..=rows.len())
            .map(|number| rows[&number.to_string()][0].as_str().unwrap().to_owned())
            .collect()
    }
}

/// The path that a webhook's sender uses.
pub(crate) fn url(webhook: &Value) -> String {
    let key = webhook["uri"].as_str().unwrap().rsplit('/').next().unwrap();
    format!("/webhooks/data/{key}")
}

pub(crate) fn json_of(answer: &Answer) -> Value {
    if answer.body.is_empty() {
        return Value::Null;
    }
    assert_eq!(answer.headers["content-type"], "application/json", "{}", answer.body);
    serde_json::from_str(&answer.body).unwrap()
}

/// Asserts that an answer is a refusal in the API's form, with these words.
pub(crate) fn assert_refused(answer: &Answer, status: u16, detail: &str) {
    assert_eq!(answer.status.as_u16(), status, "{}", answer.body);
    let wire = json_of(answer);
    assert_eq!(wire["status_code"], status);
    assert_eq!(wire["detail"], detail);
    assert_eq!(wire["message"], detail);
    assert!(wire.get("extra").is_some());
    assert!(answer.headers.contains_key("x-request-id"));
}
