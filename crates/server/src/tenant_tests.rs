//! Another workspace's credential on every route of every API with every id, and every route of one
//! project with the ids of another: nothing is to be read, and nothing changes.

use axum::body::Body;
use axum::http::{Request, header};
use serde_json::{Value, json};

use crate::native::tests::walk;
use crate::test_server::{
    API_KEY, API_SECRET, Answer, OTHER_API_KEY, OTHER_KEY, SIMPLE_KEY, TestServer,
};

/// What everything of the workspace under test has in its texts.
const CANARY: &str = "canary";

/// What every part of a path that varies is tried with: numbers of what there is, and names.
const IDS: [&str; 8] = ["1", "2", "3", "4", "5", "order_create", "canary_type", "canary_event"];

const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];

/// The route tables of the compatible APIs, as they are written.
const ULTRACART: &str = include_str!("ultracart/mod.rs");
const MAMMOTH: &str = include_str!("mammoth/mod.rs");

/// Who asks, with which headers.
type Headers = [(&'static str, &'static str)];
const OWN: &Headers = &[("x-ultracart-simple-key", SIMPLE_KEY)];
const OTHER: &Headers = &[("x-ultracart-simple-key", OTHER_KEY)];
const OWN_PAIR: &Headers = &[("x-api-key", API_KEY), ("x-api-secret", API_SECRET)];
const OTHER_PAIR: &Headers = &[("x-api-key", OTHER_API_KEY), ("x-api-secret", API_SECRET)];

/// A request in the making.
#[derive(Debug, Clone)]
struct Call {
    method: String,
    path: String,
    content_type: String,
    body: Option<Value>,
}

impl Call {
    fn new(method: &str, path: &str, body: Option<Value>) -> Self {
        let content_type = "application/json".to_owned();
        Self { method: method.to_owned(), path: path.to_owned(), content_type, body }
    }

    /// The call with every choice of ids.
    fn filled(&self) -> Vec<Self> {
        let Some(start) = self.path.find('{') else { return vec![self.clone()] };
        let end = start + self.path[start..].find('}').unwrap();
        let with = |id: &&str| {
            let path = format!("{}{id}{}", &self.path[..start], &self.path[end + 1..]);
            Self { path, ..self.clone() }.filled()
        };
        IDS.iter().flat_map(with).collect()
    }

    async fn send(&self, server: &TestServer, headers: &Headers) -> Answer {
        let mut request = Request::builder().method(self.method.as_str()).uri(&self.path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if self.body.is_some() {
            request = request.header(header::CONTENT_TYPE, &self.content_type);
        }
        let body = self.body.as_ref().map_or(Body::empty(), |body| Body::from(body.to_string()));
        server.send(request.body(body).unwrap()).await
    }
}

/// The native operations, with bodies in which the texts are canaries.
fn native() -> Vec<Call> {
    let calls = walk::operations().into_iter().map(|operation| {
        let walk::Operation { method, path, content_type, mut body, .. } = operation;
        if let Some(body) = &mut body {
            mark(body);
        }
        Call { method, path, content_type, body }
    });
    calls.collect()
}

/// Puts the canary into what people name things by.
fn mark(value: &mut Value) {
    match value {
        Value::Array(values) => values.iter_mut().for_each(mark),
        Value::Object(members) => {
            for (name, value) in members {
                match name.as_str() {
                    "name" | "description" | "comments" if value.is_string() => {
                        *value = json!(CANARY);
                    }
                    _ => mark(value),
                }
            }
        }
        _ => {}
    }
}

/// The paths of a route table: what is written in it between quotes and begins with a slash.
fn paths(table: &'static str) -> Vec<&'static str> {
    let code = table.split("#[cfg(test)]\nmod tests {").next().unwrap();
    let literals = code.split('"').skip(1).step_by(2);
    literals.filter(|text| text.starts_with('/')).collect()
}

fn ultracart() -> Vec<Call> {
    let body = json!({"webhook_url": "https://canary.test/other", "disabled": true});
    let paths = paths(ULTRACART).into_iter().filter(|path| path.starts_with("/webhook"));
    every_method(paths.map(|path| format!("/rest/v2{}", path.replace("{*", "{"))), &body)
}

/// The routes of the Mammoth API in a project of a workspace.
fn mammoth(workspace: u8, project: u8) -> Vec<Call> {
    let body = json!({"patch": [{"op": "replace", "path": "mode", "value": "combine"}]});
    let in_project = format!("/workspaces/{workspace}/projects/{project}");
    let paths = paths(MAMMOTH).into_iter();
    let paths = paths.filter(|path| !path.contains("_id}/projects") && !path.contains('*'));
    every_method(paths.map(|path| format!("{in_project}{path}")), &body)
}

fn every_method(paths: impl Iterator<Item = String>, body: &Value) -> Vec<Call> {
    let calls = |path: String| {
        METHODS.map(|method| {
            let body = (method != "GET").then(|| body.clone());
            Call::new(method, &path, body)
        })
    };
    paths.flat_map(calls).collect()
}

/// A server whose first workspace has one of everything that a route can make.
async fn furnished() -> TestServer {
    let server = TestServer::start().await;
    let own = async |method: &str, path: &str, body: Value| {
        let answer = Call::new(method, path, Some(body)).send(&server, OWN).await;
        assert!(answer.status.is_success(), "{method} {path}: {}", answer.body);
        serde_json::from_str::<Value>(&answer.body).unwrap_or_default()
    };
    own("PATCH", "/v1/workspace", json!({"name": CANARY})).await;
    own("POST", "/v1/projects", json!({"id": 2, "name": CANARY})).await;
    own("POST", "/v1/event-types", json!({"name": "canary_type"})).await;
    let subscriptions = json!([{"event_type": "order_create"}, {"event_type": "canary_type"}]);
    let url = "https://canary.test/h";
    let endpoint = json!({"url": url, "name": CANARY, "subscriptions": subscriptions});
    own("POST", "/v1/endpoints", endpoint).await;
    let webhook = json!({"name": CANARY, "mode": "combine"});
    let made = Call::new("POST", "/workspaces/1/projects/1/webhooks", Some(webhook));
    let made: Value = serde_json::from_str(&made.send(&server, OWN_PAIR).await.body).unwrap();
    let key = made["webhook"]["uri"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    let row = json!({"text": CANARY});
    Call::new("POST", &format!("/webhook/data/{key}"), Some(row)).send(&server, &[]).await;
    let event = json!({"specversion": "1.0", "id": "canary_event", "source": "/canary",
                       "type": "order_create", "data": {"order_id": CANARY}});
    let content_type = "application/cloudevents+json".to_owned();
    let publish = Call { content_type, ..Call::new("POST", "/v1/events", Some(event)) };
    assert!(publish.send(&server, OWN).await.status.is_success());
    // Whatever else can be made, some of it of what was made just now.
    for call in native().iter().filter(|call| call.method == "POST") {
        let ones = call.path.replace("{event_type}", "order_create").replace("{seq}", "1");
        let path = ones.split('{').enumerate().map(|(index, part)| match index {
            0 => part.to_owned(),
            _ => format!("1{}", part.split_once('}').unwrap().1),
        });
        let call = Call { path: path.collect(), ..call.clone() };
        call.send(&server, OWN).await;
    }
    server
}

/// What reading says, for each call that reads.
async fn read(server: &TestServer, calls: &[Call], headers: &Headers) -> Vec<(String, String)> {
    let mut said = Vec::new();
    for call in calls.iter().filter(|call| call.method == "GET").flat_map(Call::filled) {
        let answer = call.send(server, headers).await;
        said.push((call.path, format!("{} {}", answer.status, answer.body)));
    }
    said
}

/// Makes every call with every id; nothing that is said may have the canary in it.
async fn try_all(server: &TestServer, calls: &[Call], headers: &Headers) {
    for call in calls.iter().flat_map(Call::filled) {
        let answer = call.send(server, headers).await;
        let at = format!("{} {}", call.method, call.path);
        assert!(answer.status.as_u16() < 500, "{at}: {}", answer.body);
        // A refusal may repeat what the caller said, and a list is of the caller's own things.
        let asked = call.body.as_ref().map(Value::to_string).unwrap_or_default() + &call.path;
        if !asked.contains(CANARY) {
            assert!(!answer.body.contains(CANARY), "{at}: {}", answer.body);
        }
    }
}

fn assert_same(before: &[(String, String)], after: &[(String, String)]) {
    for (before, after) in before.iter().zip(after) {
        assert_eq!(before, after);
    }
}

/// How many of the answers show something of the workspace under test: a walk that never comes near
/// anything would prove nothing.
fn canaries(said: &[(String, String)]) -> usize {
    said.iter().filter(|(_, said)| said.starts_with("200") && said.contains(CANARY)).count()
}

#[tokio::test]
async fn another_workspace_reads_and_changes_nothing() {
    let server = furnished().await;
    let calls = [
        (native(), OWN, OTHER, 12),
        (ultracart(), OWN, OTHER, 1),
        (mammoth(1, 1), OWN_PAIR, OTHER_PAIR, 4),
    ];
    let mut before = Vec::new();
    for (calls, own, _, least) in &calls {
        let said = read(&server, calls, own).await;
        let seen = canaries(&said);
        assert!(seen >= *least, "only {seen} answers of {:?} show anything", calls[0].path);
        before.push(said);
    }
    // What the other one makes for itself must not be taken for what it has read.
    let readers: Vec<_> = native().into_iter().filter(|call| call.method == "GET").collect();
    try_all(&server, &readers, OTHER).await;
    for (calls, _, other, _) in &calls {
        for call in calls.iter().flat_map(Call::filled) {
            let answer = call.send(&server, other).await;
            let at = format!("{} {}", call.method, call.path);
            assert!(answer.status.as_u16() < 500, "{at}: {}", answer.body);
        }
    }
    try_all(&server, &mammoth(2, 1), OTHER_PAIR).await;
    for ((calls, own, _, _), before) in calls.iter().zip(&before) {
        assert_same(before, &read(&server, calls, own).await);
    }
}

#[tokio::test]
async fn another_project_reads_and_changes_nothing() {
    let server = furnished().await;
    // What both are in is no secret of either.
    for path in ["/v1/workspace", "/v1/projects/2"] {
        let call = Call::new("PATCH", path, Some(json!({"name": "Both"})));
        assert_eq!(call.send(&server, OWN).await.status, 200);
    }
    let before = read(&server, &mammoth(1, 1), OWN_PAIR).await;
    assert!(canaries(&before) >= 4);
    try_all(&server, &mammoth(1, 2), OWN_PAIR).await;
    assert_same(&before, &read(&server, &mammoth(1, 1), OWN_PAIR).await);
}
