//! Another workspace's credential, and a credential of another project, on every route of every API with
//! every id: such callers read nothing and change nothing.

use axum::body::Body;
use axum::http::{Request, header};
use hookyard_core::id::ProjectId;
use hookyard_core::model::{CredentialKind, Scopes};
use hookyard_store::NewCredential;
use serde_json::{Value, json};

use crate::native::tests::walk;
use crate::test_server::{
    API_KEY, API_SECRET, Answer, OTHER_API_KEY, OTHER_KEY, SIMPLE_KEY, TestServer, WORKSPACE,
    credential,
};
use crate::{mammoth, ultracart};

/// A word in every text of the workspace under test.
const CANARY: &str = "canary";

/// Trial values for every variable part of a path: numbers of existing things, and names.
const IDS: [&str; 9] =
    ["1", "2", "3", "4", "5", "order_create", "canary_type", "canary_event", "canary_customer"];

const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];

/// The caller's headers.
type Headers<'a> = [(&'static str, &'a str)];
const OWN: &Headers<'_> = &[("x-ultracart-simple-key", SIMPLE_KEY)];
const OTHER: &Headers<'_> = &[("x-ultracart-simple-key", OTHER_KEY)];
const OWN_PAIR: &Headers<'_> = &[("x-api-key", API_KEY), ("x-api-secret", API_SECRET)];
const OTHER_PAIR: &Headers<'_> = &[("x-api-key", OTHER_API_KEY), ("x-api-secret", API_SECRET)];

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

    async fn send(&self, server: &TestServer, headers: &Headers<'_>) -> Answer {
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

/// The native operations, with canaries in the texts of the bodies.
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

/// Puts the canary into names given by people.
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

/// The routes of the UltraCart API without OAuth2, which takes no credential of a workspace.
fn ultracart() -> Vec<Call> {
    let body = json!({"webhook_url": "https://canary.test/other", "disabled": true});
    let paths = ultracart::routes().into_iter().map(|(path, _)| path);
    let paths = paths.filter(|path| !path.starts_with("/oauth") || *path == "/oauth/me");
    let below = |path: &str| format!("{}{}", ultracart::BASE_PATH, path.replace("{*", "{"));
    every_method(paths.map(below), &body)
}

/// The routes of the Mammoth API in a project of a workspace.
fn mammoth(workspace: u8, project: u8) -> Vec<Call> {
    let body = json!({"patch": [{"op": "replace", "path": "mode", "value": "combine"}]});
    let there = |path: String| {
        path.replace("{workspace_id}", &workspace.to_string())
            .replace("{project_id}", &project.to_string())
    };
    every_method(mammoth::routes().into_iter().map(there), &body)
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

/// A server whose first workspace has one of every kind of thing made by a route.
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
    own("PUT", "/v1/customers/canary_customer", json!({"name": CANARY})).await;
    let theirs = json!({"url": url, "name": CANARY, "customer": "canary_customer",
                        "subscriptions": [{"event_type": "order_create"}]});
    own("POST", "/v1/endpoints", theirs).await;
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
    // All other things, some of which are parts of the things just made.
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

/// The answers to all reading calls.
async fn read(server: &TestServer, calls: &[Call], headers: &Headers<'_>) -> Vec<(String, String)> {
    let mut said = Vec::new();
    for call in calls.iter().filter(|call| call.method == "GET").flat_map(Call::filled) {
        let answer = call.send(server, headers).await;
        // After many requests with a credential unknown to this API, the answer is 429.
        let is_unknown = [401, 429].contains(&answer.status.as_u16());
        let text = format!("{} {}", answer.status, answer.body);
        said.push((call.path, if is_unknown { "unknown".to_owned() } else { text }));
    }
    said
}

/// Makes every call with every id; no answer may contain the canary.
async fn try_all(server: &TestServer, calls: &[Call], headers: &Headers<'_>) {
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
        // The owner's reading of secrets is noted there.
        if !before.0.starts_with("/v1/audit") {
            assert_eq!(before, after);
        }
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
    // Things made by the other caller must not count as things read.
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

/// A key and a pair for one project alone; the headers of each.
async fn limited(server: &TestServer, project: i32) -> [Vec<(&'static str, String)>; 2] {
    let (key, pair) = (format!("key for {project}"), format!("pair for {project}"));
    for (kind, text) in [(CredentialKind::Simple, &key), (CredentialKind::Pair, &pair)] {
        let project = Some(ProjectId(project));
        let new = credential(kind, text, Scopes::of_a_project());
        let new = NewCredential { project, ..new };
        server.store.create_credential(WORKSPACE, new).await.unwrap();
    }
    let pair = vec![("x-api-key", pair), ("x-api-secret", API_SECRET.to_owned())];
    [vec![("x-ultracart-simple-key", key)], pair]
}

fn borrowed<'a>(headers: &'a [(&'static str, String)]) -> Vec<(&'static str, &'a str)> {
    headers.iter().map(|(name, value)| (*name, value.as_str())).collect()
}

#[tokio::test]
async fn another_project_reads_and_changes_nothing() {
    let server = furnished().await;
    // The common workspace of both projects is no secret.
    for path in ["/v1/workspace", "/v1/projects/2"] {
        let call = Call::new("PATCH", path, Some(json!({"name": "Both"})));
        assert_eq!(call.send(&server, OWN).await.status, 200);
    }
    let [own_key, own_pair] = limited(&server, 1).await;
    let [other_key, other_pair] = limited(&server, 2).await;
    let in_projects: Vec<_> = [mammoth(1, 1), mammoth(1, 2)].concat();
    let calls = [
        (native(), borrowed(&own_key), borrowed(&other_key), 4),
        (ultracart(), borrowed(&own_key), borrowed(&other_key), 0),
        (in_projects, borrowed(&own_pair), borrowed(&other_pair), 4),
    ];
    // The owner of the workspace reads the things outside projects, except the audit log and the quotas.
    let of_all: Vec<_> = walk::operations()
        .into_iter()
        .filter(|one| one.method == "GET" && !Scopes::of_a_project().has(one.scope))
        .filter(|one| !one.path.starts_with("/v1/audit") && one.path != "/v1/workspace/quotas")
        .map(|one| Call::new("GET", &one.path, None))
        .chain(ultracart())
        .collect();
    let whole = read(&server, &of_all, OWN).await;
    let mut before = Vec::new();
    for (calls, own, _, least) in &calls {
        let said = read(&server, calls, own).await;
        let seen = canaries(&said);
        assert!(seen >= *least, "only {seen} answers of {:?} show anything", calls[0].path);
        before.push(said);
    }
    // Things made by the other caller must not count as things read.
    for (calls, _, other, _) in &calls {
        let readers: Vec<_> = calls.iter().filter(|call| call.method == "GET").cloned().collect();
        try_all(&server, &readers, other).await;
    }
    let mut made = 0;
    for (calls, _, other, _) in &calls {
        for call in calls.iter().flat_map(Call::filled) {
            let answer = call.send(&server, other).await;
            let at = format!("{} {}", call.method, call.path);
            assert!(answer.status.as_u16() < 500, "{at}: {}", answer.body);
            made += u32::from(answer.status == 201);
        }
    }
    assert!(made >= 3, "in its own project it may");
    for ((calls, own, _, _), before) in calls.iter().zip(&before) {
        assert_same(before, &read(&server, calls, own).await);
    }
    assert_same(&whole, &read(&server, &of_all, OWN).await);
}

#[tokio::test]
async fn a_credential_for_a_project_proves_deliveries_there_alone() {
    let server = TestServer::start().await;
    Call::new("POST", "/v1/projects", Some(json!({"name": "Other"}))).send(&server, OWN).await;
    let secure = json!({"name": "x", "is_secure": true});
    let made = Call::new("POST", "/workspaces/1/projects/1/webhooks", Some(secure));
    let made: Value = serde_json::from_str(&made.send(&server, OWN_PAIR).await.body).unwrap();
    let key = made["webhook"]["uri"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    for (project, status) in [(1, 201), (2, 401)] {
        let [_, pair] = limited(&server, project).await;
        let deliver = Call::new("POST", &format!("/webhook/data/{key}"), Some(json!({"n": 1})));
        let answer = deliver.send(&server, &borrowed(&pair)).await;
        assert_eq!(answer.status.as_u16(), status, "{}", answer.body);
    }
}

#[tokio::test]
async fn a_source_of_one_project_publishes_for_nobody_else() {
    let server = TestServer::start().await;
    let [key, _] = limited(&server, 1).await;
    let republish = json!({"republish": {"event_type": "order_create"}});
    let make = Call::new("POST", "/v1/sources", Some(republish.clone()));
    let answer = make.send(&server, &borrowed(&key)).await;
    assert_eq!(answer.status, 403, "{}", answer.body);
    assert!(answer.body.contains("for project 1 alone"), "{}", answer.body);
    let plain = Call::new("POST", "/v1/sources", Some(json!({})));
    assert_eq!(plain.send(&server, &borrowed(&key)).await.status, 201);
    let change = Call::new("PATCH", "/v1/sources/1", Some(republish));
    assert_eq!(change.send(&server, &borrowed(&key)).await.status, 403);
    assert_eq!(change.send(&server, OWN).await.status, 200);
    let off = Call::new("PATCH", "/v1/sources/1", Some(json!({"republish": null})));
    assert_eq!(off.send(&server, &borrowed(&key)).await.status, 200);
}
