//! The native API over the real router.

mod access;
mod applications;
mod customers;
mod datasets;
pub(crate) mod dead_letters;
mod endpoints;
mod event_types;
pub(crate) mod events;
mod folders;
mod openapi;
mod options;
mod origins;
mod replays;
mod rules;
mod scopes;
mod sources;
mod trash;
mod verification;
pub(crate) mod walk;

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use serde_json::Value;

use crate::test_server::{Answer, SIMPLE_KEY, TestServer};

/// Sends a request with the key; a body goes as JSON.
async fn send(
    server: &TestServer,
    key: &str,
    method: &str,
    path: &str,
    body: Option<&Value>,
) -> Answer {
    let request = Request::builder().method(method).uri(path);
    let request = request.header("x-ultracart-simple-key", key);
    let request = match body {
        Some(body) => request
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from(body.to_string())),
        None => request.body(Body::empty()),
    };
    server.send(request.unwrap()).await
}

/// The answer as the owner of the workspace gets it, its body as JSON.
async fn own(
    server: &TestServer,
    method: &str,
    path: &str,
    body: Option<Value>,
) -> (StatusCode, Value) {
    let answer = send(server, SIMPLE_KEY, method, path, body.as_ref()).await;
    (answer.status, serde_json::from_str(&answer.body).unwrap_or_default())
}

/// The code and the field of a problem.
fn fault(problem: &Value) -> (&str, &str) {
    let text = |name: &str| problem[name].as_str().unwrap_or_default();
    (text("code"), text("field"))
}
