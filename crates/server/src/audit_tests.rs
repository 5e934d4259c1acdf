//! Every changing route of every API, and the route's note in the audit log. The routes come from the APIs'
//! own tables, so a new route without a call here fails the test.

use std::collections::BTreeSet;

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use hookyard_core::id::EndpointId;
use hookyard_store::{AuditEntry, AuditQuery};
use serde_json::{Value, json};

use crate::native::tests::{dead_letters, events, walk};
use crate::peer::Peer;
use crate::test_server::{API_KEY, API_SECRET, Answer, SIMPLE_KEY, TestServer, WORKSPACE};
use crate::{mammoth, ultracart};

/// Routes that change nothing of an owner's decisions. Publishing and receiving have records of their own,
/// questions and trials keep nothing, and a device's request is noted at a person's decision.
const NOT_NOTED: [&str; 8] = [
    "POST /v1/events",
    "POST /v1/event-batches",
    "POST /v1/datasets/{id}/rows",
    "POST /v1/sql",
    "POST /workspaces/{workspace_id}/projects/{project_id}/resources/bulk",
    "POST /v1/rules/test",
    "POST /v1/sources/{id}/doctor",
    "POST /rest/v2/oauth/device/authorize",
];

const ADDRESS: [u8; 4] = [192, 0, 2, 7];

/// The caller.
#[derive(Debug, Clone, Copy)]
enum Who {
    Key,
    Pair,
    /// A caller without a credential in a header.
    Anyone,
}

struct Scenario {
    server: TestServer,
    /// The called routes, as `POST /v1/events`.
    called: BTreeSet<String>,
}

impl Scenario {
    async fn start() -> Self {
        Self { server: TestServer::start().await, called: BTreeSet::new() }
    }

    /// Calls a route with ids filled in, and expects the given actions in the log, with actor, address and
    /// request.
    async fn call(
        &mut self,
        who: Who,
        route: &str,
        ids: &[&str],
        body: Value,
        actions: &[&str],
    ) -> Value {
        let (route, query) = route.split_once('?').unwrap_or((route, ""));
        self.called.insert(route.to_owned());
        let (method, pattern) = route.split_once(' ').unwrap();
        let path = filled(pattern, ids);
        let before = self.entries().await.last().map_or(0, |entry| entry.id);
        let answer = self.send(who, method, &format!("{path}?{query}"), body).await;
        let status = answer.status;
        assert!(status.is_success() || status == 303, "{route}: {status} {}", answer.body);
        let entries = self.entries().await;
        let new: Vec<_> = entries.iter().filter(|entry| entry.id > before).collect();
        let noted: Vec<_> = new.iter().map(|entry| entry.action.as_str()).collect();
        assert_eq!(noted, actions, "{route}");
        for entry in new {
            assert_eq!(entry.address, Some(ADDRESS.into()), "{route}");
            assert_eq!(entry.request_id.as_deref(), Some(id_of(&answer)), "{route}");
            assert_eq!(entry.at, self.server.engine.clock().now(), "{route}");
            let expected = match who {
                Who::Key => Some(1),
                Who::Pair => Some(2),
                Who::Anyone => entry.credential.map(|id| id.0),
            };
            assert_eq!(entry.credential.map(|id| id.0), expected, "{route}");
            serde_json::from_str::<serde_json::Map<_, _>>(&entry.detail).unwrap();
        }
        match answer.headers.get(header::LOCATION) {
            Some(place) if status == StatusCode::SEE_OTHER => json!(place.to_str().unwrap()),
            _ => serde_json::from_str(&answer.body).unwrap_or_default(),
        }
    }

    async fn send(&self, who: Who, method: &str, target: &str, body: Value) -> Answer {
        let request = Request::builder().method(method).uri(target).extension(Peer(ADDRESS.into()));
        let request = request.header(header::HOST, "hooks.test");
        let request = match who {
            Who::Key => request.header("x-ultracart-simple-key", SIMPLE_KEY),
            Who::Pair => request.header("x-api-key", API_KEY).header("x-api-secret", API_SECRET),
            Who::Anyone => request,
        };
        let (kind, body) = match body {
            Value::Null => return self.server.send(request.body(Body::empty()).unwrap()).await,
            Value::String(form) => ("application/x-www-form-urlencoded", form),
            body => ("application/json", body.to_string()),
        };
        self.server
            .send(request.header(header::CONTENT_TYPE, kind).body(body.into()).unwrap())
            .await
    }

    async fn entries(&self) -> Vec<AuditEntry> {
        let query = AuditQuery { limit: 1_000, ..AuditQuery::default() };
        self.server.store.audit(WORKSPACE, query).await.unwrap().entries
    }

    /// A call of the native API, where most things have a number.
    async fn native(&mut self, route: &str, ids: &[&str], body: Value, action: &str) -> Value {
        self.call(Who::Key, route, ids, body, &[action]).await
    }

    /// A call of the Mammoth API in the workspace's project.
    async fn mammoth(&mut self, route: &str, ids: &[&str], body: Value, action: &str) -> Value {
        let (method, path) = route.split_once(' ').unwrap();
        let route = format!("{method} /workspaces/{{workspace_id}}/projects/{{project_id}}{path}");
        self.call(Who::Pair, &route, &[&["1", "1"], ids].concat(), body, &[action]).await
    }

    /// Asserts that each route was called or is known to change nothing.
    fn assert_complete(&self, routes: &BTreeSet<String>) {
        assert!(!routes.is_empty());
        let known =
            |route: &&String| self.called.contains(*route) || NOT_NOTED.contains(&route.as_str());
        let forgotten: Vec<_> = routes.iter().filter(|route| !known(route)).collect();
        assert!(forgotten.is_empty(), "say what these note: {forgotten:?}");
        let gone: Vec<_> = self.called.iter().filter(|called| !routes.contains(*called)).collect();
        assert!(gone.is_empty(), "there are no such routes: {gone:?}");
    }

    /// The changing methods of an API's paths, as routes.
    async fn changing(&self, paths: impl Iterator<Item = String>) -> BTreeSet<String> {
        let mut routes = BTreeSet::new();
        for path in paths {
            // The answer to an unknown method names the methods of a path.
            let target = filled(&path, &["1"; 5]);
            let answer = self.send(Who::Anyone, "TRACE", &target, Value::Null).await;
            assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{path}");
            let methods = answer.headers[header::ALLOW].to_str().unwrap().split(',');
            let changing = methods.filter(|method| !["GET", "HEAD", "OPTIONS"].contains(method));
            routes.extend(changing.map(|method| format!("{method} {path}")));
        }
        routes
    }
}

/// A pattern with ids in place of the names in braces.
fn filled(pattern: &str, ids: &[&str]) -> String {
    let mut ids = ids.iter();
    let part = |(index, part): (usize, &str)| match (index, part.split_once('}')) {
        (0, _) | (_, None) => part.to_owned(),
        (_, Some((_, rest))) => format!("{}{rest}", ids.next().unwrap()),
    };
    pattern.split('{').enumerate().map(part).collect()
}

fn id_of(answer: &Answer) -> &str {
    answer.headers["x-request-id"].to_str().unwrap()
}

fn one(value: &Value) -> String {
    value.as_i64().unwrap().to_string()
}

#[tokio::test]
async fn what_is_seen_of_secrets_and_whole_logs_is_noted() {
    let mut scenario = Scenario::start().await;
    let endpoint = json!({"url": "https://x.test/", "auth":
        {"kind": "basic", "username": "u", "password": "p"}});
    scenario.native("POST /v1/endpoints", &[], endpoint, "endpoint.create").await;
    let source = json!({"secure": true});
    scenario.native("POST /v1/sources", &[], source, "source.create").await;
    for (route, ids, action) in [
        ("GET /v1/endpoints/{id}/secret", &["1"] as &[_], "endpoint.read_secret"),
        ("GET /v1/sources/{id}/secret", &["1"], "source.read_secret"),
        ("GET /v1/datasets/{id}/export?format=csv", &["1"], "dataset.export"),
        ("GET /v1/audit/export", &[], "audit.export"),
    ] {
        for _ in 0..2 {
            scenario.native(route, ids, Value::Null, action).await;
        }
    }
    scenario.native("POST /v1/datasets", &[], json!({"name": "other"}), "dataset.create").await;
    // Lists read again and again by programs are noted once an hour, rows for each dataset.
    let webhooks = "/workspaces/1/projects/1/webhooks";
    let data = "/workspaces/1/projects/1/datasets/1/data";
    for _ in 0..2 {
        for again in 0..3 {
            for (who, path, action) in [
                (Who::Key, "/rest/v2/webhook/webhooks", "endpoint.list_passwords"),
                (Who::Pair, webhooks, "source.list_secrets"),
                (Who::Key, "/v1/datasets/1/rows", "dataset.read_rows"),
                (Who::Key, "/v1/datasets/2/rows", "dataset.read_rows"),
                (Who::Pair, data, "dataset.read_rows"),
                (Who::Key, "/v1/events", "event.read"),
            ] {
                let noted = if again == 0 { vec![action] } else { Vec::new() };
                scenario.call(who, &format!("GET {path}"), &[], Value::Null, &noted).await;
            }
        }
        scenario.server.clock.advance(std::time::Duration::from_secs(3_600));
    }
    let reads = ["GET /v1/endpoints/{id}", "GET /v1/sources/{id}", "GET /v1/audit"];
    for (route, ids) in reads.into_iter().zip([&["1"] as &[_], &["1"], &[]]) {
        scenario.call(Who::Key, route, ids, Value::Null, &[]).await;
    }
}

#[tokio::test]
async fn native_changes_are_noted() {
    let mut all = Scenario::start().await;
    let mut routes = BTreeSet::new();
    for walk::Operation { method, path, .. } in walk::operations() {
        if method != "GET" {
            routes.insert(format!("{method} {path}"));
        }
    }
    endpoints(&mut all).await;
    customers(&mut all).await;
    dead_letters_of_two(&mut all).await;
    sources(&mut all).await;
    datasets(&mut all).await;
    access(&mut all).await;
    all.assert_complete(&routes);
}

async fn endpoints(all: &mut Scenario) {
    all.native("POST /v1/event-types", &[], json!({"name": "tea_made"}), "event_type.create").await;
    let subscriptions = json!([{"event_type": "order_create"}]);
    let new = json!({"url": "https://x.test/", "subscriptions": subscriptions});
    all.native("POST /v1/endpoints", &[], new, "endpoint.create").await;
    let named = json!({"name": "shop"});
    all.native("PATCH /v1/endpoints/{id}", &["1"], named, "endpoint.update").await;
    let subscription = "/v1/endpoints/{id}/subscriptions/{event_type}";
    let of_tea = ["1", "tea_made"];
    for (method, body) in [("PUT", json!({})), ("DELETE", Value::Null)] {
        let route = format!("{method} {subscription}");
        all.native(&route, &of_tea, body, "endpoint.update").await;
    }
    let rotate = "POST /v1/endpoints/{id}/secret/rotate";
    all.native(rotate, &["1"], json!({}), "endpoint.update").await;
    events::publish_order(&all.server, "order 1", &json!({"n": 1})).await;
    all.native("POST /v1/endpoints/{id}/replays", &["1"], json!({}), "replay.start").await;
    for verb in ["pause", "resume", "cancel"] {
        let route = format!("POST /v1/endpoints/{{id}}/replays/{{replay}}/{verb}");
        all.native(&route, &["1", "1"], Value::Null, "replay.change").await;
    }
    for disabled in [true, false] {
        let change = json!({"disabled": disabled});
        all.native("PATCH /v1/endpoints/{id}", &["1"], change, "endpoint.update").await;
        events::publish_order(&all.server, &format!("{disabled}"), &json!({})).await;
    }
    all.native("POST /v1/endpoints/{id}/recover", &["1"], Value::Null, "replay.start").await;
    all.native("DELETE /v1/endpoints/{id}", &["1"], Value::Null, "endpoint.delete").await;
}

async fn customers(all: &mut Scenario) {
    let route = |method: &str| format!("{method} /v1/customers/{{customer}}");
    let (named, acme) = (json!({"name": "Acme"}), ["acme"]);
    all.native(&route("PUT"), &acme, named.clone(), "customer.create").await;
    all.native(&route("PUT"), &acme, named.clone(), "customer.update").await;
    all.native(&route("PATCH"), &acme, named, "customer.update").await;
    all.native(&route("DELETE"), &acme, Value::Null, "customer.delete").await;
}

async fn dead_letters_of_two(all: &mut Scenario) {
    for endpoint in [2, 3] {
        let subscriptions = json!([{"event_type": "order_create"}]);
        let new = json!({"url": "https://x.test/", "subscriptions": subscriptions});
        all.native("POST /v1/endpoints", &[], new, "endpoint.create").await;
        for n in 0..2 {
            let id = format!("{endpoint} {n}");
            events::publish_order(&all.server, &id, &json!({"n": n})).await;
        }
        dead_letters::park(&all.server, EndpointId(endpoint), 2).await;
    }
    let path = "/v1/endpoints/{id}/dead-letters";
    let (_, letters) = all.read(&filled(path, &["2"])).await;
    let seqs = [0, 1].map(|n| one(&letters["dead_letters"][n]["seq"]));
    let [redeliver, drop] = ["dead_letter.redeliver", "dead_letter.drop"];
    let first = ["2", &*seqs[0]];
    all.native(&format!("POST {path}/{{seq}}/redeliver"), &first, Value::Null, redeliver).await;
    let second = ["2", &*seqs[1]];
    all.native(&format!("DELETE {path}/{{seq}}"), &second, Value::Null, drop).await;
    all.native(&format!("POST {path}/redeliver"), &["3"], Value::Null, redeliver).await;
    let subscriptions = json!([{"event_type": "order_create"}]);
    let new = json!({"url": "https://x.test/", "subscriptions": subscriptions});
    all.native("POST /v1/endpoints", &[], new, "endpoint.create").await;
    events::publish_order(&all.server, "last", &json!({})).await;
    dead_letters::park(&all.server, EndpointId(4), 1).await;
    all.native(&format!("DELETE {path}"), &["4"], Value::Null, drop).await;
}

impl Scenario {
    /// The answer to a reading owner.
    async fn read(&self, path: &str) -> (StatusCode, Value) {
        let answer = self.send(Who::Key, "GET", path, Value::Null).await;
        (answer.status, serde_json::from_str(&answer.body).unwrap_or_default())
    }

    /// Delivers to a source's URL, without any credential.
    async fn deliver(&self, url: &Value, count: usize) {
        let url = url.as_str().unwrap();
        let path = &url[url.find("/webhook").unwrap()..];
        for n in 0..count {
            let answer = self.send(Who::Anyone, "POST", path, json!({"n": n})).await;
            assert!(answer.status.is_success(), "{path}: {} {}", answer.status, answer.body);
        }
    }
}

async fn sources(all: &mut Scenario) {
    let new = json!({"name": "till", "mode": "replace"});
    let made = all.native("POST /v1/sources", &[], new, "source.create").await;
    let url = made["path"].clone();
    all.deliver(&url, 3).await;
    let (id, dataset) = (one(&made["id"]), one(&made["dataset"]));
    let id = [id.as_str()];
    let versions = "/v1/datasets/{id}/versions/{version}";
    let (_, there) = all.read(&filled("/v1/datasets/{id}/versions", &[&dataset])).await;
    let number = |place: usize| one(&there["versions"][place]["id"]);
    let (oldest, restored) = (number(2), number(1));
    let route = format!("POST {versions}/restore");
    let at = [dataset.as_str(), &restored];
    all.native(&route, &at, Value::Null, "dataset.restore_version").await;
    let at = [dataset.as_str(), &oldest];
    all.native(&format!("DELETE {versions}"), &at, Value::Null, "dataset.delete_version").await;

    let update = "source.update";
    all.native("PATCH /v1/sources/{id}", &id, json!({"mode": "combine"}), update).await;
    let secret = "POST /v1/sources/{id}/secret/rotate";
    all.native(secret, &id, json!({}), update).await;
    let made = all.native("POST /v1/sources/{id}/key/rotate", &id, Value::Null, update).await;
    assert_ne!(made["path"], url);
    for what in ["key", "secret"] {
        let route = format!("DELETE /v1/sources/{{id}}/{what}/previous");
        all.native(&route, &id, Value::Null, update).await;
    }
    let verification = "/v1/sources/{id}/verification";
    let stripe = json!({"provider": "stripe", "secrets": ["whsec_one"]});
    all.native(&format!("PUT {verification}"), &id, stripe, update).await;
    let next = json!({"secret": "whsec_two", "keep": 1});
    all.native(&format!("POST {verification}/secrets"), &id, next, update).await;
    all.native(&format!("DELETE {verification}"), &id, Value::Null, update).await;
    all.native("DELETE /v1/sources/{id}", &id, Value::Null, "source.delete").await;
}

async fn datasets(all: &mut Scenario) {
    let made = all.native("POST /v1/folders", &[], json!({"name": "a"}), "folder.create").await;
    let folder = one(&made["id"]);
    let folder = [folder.as_str()];
    all.native("PATCH /v1/folders/{id}", &folder, json!({"name": "b"}), "folder.update").await;
    all.native("DELETE /v1/folders/{id}", &folder, Value::Null, "folder.delete").await;
    let made = all.native("POST /v1/folders", &[], json!({"name": "a"}), "folder.create").await;
    let folder = one(&made["id"]);
    let route = "POST /v1/folders/{id}/trash";
    all.native(route, &[folder.as_str()], Value::Null, "folder.trash").await;
    let made = all.native("POST /v1/datasets", &[], json!({"name": "a"}), "dataset.create").await;
    let id = one(&made["id"]);
    let id = [id.as_str()];
    all.native("PATCH /v1/datasets/{id}", &id, json!({"name": "b"}), "dataset.update").await;
    for (way, action) in [("trash", "dataset.trash"), ("restore", "dataset.restore")] {
        let route = format!("POST /v1/datasets/{{id}}/{way}");
        all.native(&route, &id, Value::Null, action).await;
    }
    all.native("DELETE /v1/datasets/{id}", &id, Value::Null, "dataset.delete").await;

    let made =
        all.native("POST /v1/sources", &[], json!({"mode": "combine"}), "source.create").await;
    all.deliver(&made["path"], 1).await;
    let dataset = one(&made["dataset"]);
    let (_, there) = all.read(&filled("/v1/datasets/{id}/batches", &[&dataset])).await;
    let batch = one(&there["batches"][0]["id"]);
    let at = [dataset.as_str(), &batch];
    let path = "/v1/datasets/{id}/batches/{batch}";
    let change = "dataset.change_batches";
    all.native(&format!("POST {path}/suspend"), &at, Value::Null, change).await;
    all.native(&format!("POST {path}/restore"), &at, Value::Null, change).await;
    let route = "POST /v1/datasets/{id}/batches/change";
    let many = json!({"change": "suspend", "where": {}});
    all.native(route, &[&dataset], many, change).await;
    all.native(&format!("DELETE {path}"), &at, Value::Null, change).await;
}

async fn access(all: &mut Scenario) {
    all.native("PATCH /v1/workspace", &[], json!({"name": "Shop"}), "workspace.rename").await;
    let project = "/v1/projects/{id}";
    all.native("POST /v1/projects", &[], json!({"name": "a"}), "project.create").await;
    all.native(&format!("PATCH {project}"), &["2"], json!({"name": "b"}), "project.rename").await;
    all.native(&format!("DELETE {project}"), &["2"], Value::Null, "project.delete").await;

    let scopes = json!({"scopes": ["data_read"]});
    let made = all.native("POST /v1/credentials", &[], scopes, "credential.create").await;
    let id = one(&made["id"]);
    let id = [id.as_str()];
    let path = "/v1/credentials/{id}";
    all.native(&format!("PATCH {path}"), &id, json!({"disabled": true}), "credential.update").await;
    all.native(&format!("POST {path}/rotate"), &id, json!({}), "credential.rotate").await;
    all.native(&format!("DELETE {path}"), &id, Value::Null, "credential.revoke").await;

    let client_id = register(all).await;
    let answer = tokens(all, &client_id).await;
    assert!(answer["access_token"].is_string());
    let path = "/v1/applications/{id}";
    let revoke = format!("DELETE {path}/grants/{{grant}}");
    all.native(&revoke, &["1", "1"], Value::Null, "grant.revoke").await;
    let change = json!({"require_pkce": true});
    all.native(&format!("PATCH {path}"), &["1"], change, "application.update").await;
    all.native(&format!("DELETE {path}"), &["1"], Value::Null, "application.delete").await;
    // Routes of the other API.
    all.called.retain(|route| !route.contains("/rest/v2"));
}

/// Registers an application and answers the client id.
async fn register(all: &mut Scenario) -> String {
    let new = json!({"name": "Reports", "redirect_uris": ["https://a.test/"],
                     "scopes": ["webhook_read"], "device_flow": true});
    let made = all.native("POST /v1/applications", &[], new, "application.create").await;
    made["client_id"].as_str().unwrap().to_owned()
}

fn form(pairs: &[(&str, &str)]) -> Value {
    json!(form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish())
}

/// Lets an application in and answers the tokens.
async fn tokens(all: &mut Scenario, client_id: &str) -> Value {
    let authorize = "POST /rest/v2/oauth/authorize";
    let asked = [
        ("client_id", client_id),
        ("response_type", "code"),
        ("redirect_uri", "https://a.test/"),
        ("state", "s"),
    ];
    let no = form(&[&asked[..], &[("decision", "deny")]].concat());
    all.call(Who::Anyone, authorize, &[], no, &["application.deny"]).await;
    let yes = form(&[&asked[..], &[("credential", SIMPLE_KEY)]].concat());
    let place = all.call(Who::Anyone, authorize, &[], yes, &["application.approve"]).await;
    let person = all.entries().await.pop().unwrap();
    assert_eq!(person.credential.map(|id| id.0), Some(1), "it is known who said yes");
    let place = place.as_str().unwrap();
    let code = place.split(['=', '&']).nth(1).unwrap();
    let pairs = [
        ("client_id", client_id),
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", "https://a.test/"),
    ];
    let route = "POST /rest/v2/oauth/token";
    all.call(Who::Anyone, route, &[], form(&pairs), &["token.issue"]).await
}

#[tokio::test]
async fn ultracart_changes_are_noted() {
    let mut all = Scenario::start().await;
    let paths = ultracart::routes().into_iter();
    let paths = paths.map(|(path, _)| format!("{}{path}", ultracart::BASE_PATH));
    let routes = all.changing(paths).await;
    let webhooks = "/rest/v2/webhook/webhooks";
    let new = json!({"webhook_url": "https://x.test/", "event_categories": [
        {"event_category": "item", "events": [{"event_name": "item_update", "subscribed": true}]},
    ]});
    for _ in 0..2 {
        let route = format!("POST {webhooks}");
        all.call(Who::Key, &route, &[], new.clone(), &["endpoint.create"]).await;
    }
    let one = format!("{webhooks}/{{webhook_oid}}");
    let named = json!({"name": "shop"});
    all.call(Who::Key, &format!("PUT {one}"), &["1"], named, &["endpoint.update"]).await;
    let item = json!({"specversion": "1.0", "id": "1", "source": "/shop", "type": "item_update",
                      "data": {"merchant_item_oid": 1}});
    events::publish_json(&all.server, &item).await;
    let reflow = format!("POST {one}/reflow/{{event_name}}");
    let of_items = ["1", "item_update"];
    all.call(Who::Key, &reflow, &of_items, Value::Null, &["endpoint.reflow"]).await;
    let delete = ["endpoint.delete"];
    all.call(Who::Key, &format!("DELETE {one}"), &["1"], Value::Null, &delete).await;
    let by_url = json!({"webhook_url": "https://x.test/"});
    all.call(Who::Key, &format!("DELETE {webhooks}"), &[], by_url, &delete).await;

    let client_id = register(&mut all).await;
    let answer = tokens(&mut all, &client_id).await;
    let refresh = answer["refresh_token"].as_str().unwrap();
    let client = ("client_id", client_id.as_str());
    let pairs = form(&[client, ("grant_type", "refresh_token"), ("refresh_token", refresh)]);
    let route = "POST /rest/v2/oauth/token";
    let answer = all.call(Who::Anyone, route, &[], pairs, &["token.refresh"]).await;
    let token = answer["access_token"].as_str().unwrap();
    let pairs = form(&[client, ("token", token)]);
    all.call(Who::Anyone, "POST /rest/v2/oauth/revoke", &[], pairs, &["grant.revoke"]).await;
    let begin = "POST /rest/v2/oauth/device/authorize";
    for (decision, action) in [("allow", "application.approve"), ("deny", "application.deny")] {
        let begun = all.call(Who::Anyone, begin, &[], form(&[client]), &[]).await;
        let code = ("user_code", begun["user_code"].as_str().unwrap());
        let answer = form(&[code, ("credential", SIMPLE_KEY), ("decision", decision)]);
        all.call(Who::Anyone, "POST /rest/v2/oauth/device", &[], answer, &[action]).await;
    }
    all.called.retain(|route| !route.contains("/v1/"));
    all.assert_complete(&routes);
}

#[tokio::test]
async fn mammoth_changes_are_noted() {
    let mut all = Scenario::start().await;
    let routes = all.changing(mammoth::routes().into_iter()).await;
    let mut datasets = Vec::new();
    for n in 0..3 {
        let new = json!({"name": format!("till {n}"), "mode": "combine"});
        let made = all.mammoth("POST /webhooks", &[], new, "source.create").await;
        datasets.push(one(&made["webhook"]["ds_id"]));
        all.deliver(&made["webhook"]["uri"], 3).await;
    }
    let mode = json!({"patch": [{"op": "replace", "path": "mode", "value": "replace"}]});
    all.mammoth("PATCH /webhooks/{webhook_id}", &["1"], mode, "source.update").await;

    let dataset = datasets[1].as_str();
    let path = format!("/workspaces/1/projects/1/datasets/{dataset}/batches");
    let answer = all.send(Who::Pair, "GET", &path, Value::Null).await;
    let there: Value = serde_json::from_str(&answer.body).unwrap();
    let batch = |n: usize| one(&there["batches"][n]["id"]);
    let (batches, change) = ("/datasets/{dataset_id}/batches", "dataset.change_batches");
    for word in ["suspend", "restore"] {
        let ids = [there["batches"][0]["id"].clone()];
        let patch = json!({"patch": {"op": "replace", "path": "batches", "value": {word: ids}}});
        all.mammoth(&format!("PATCH {batches}"), &[dataset], patch, change).await;
    }
    let patch = json!({"patch": {"op": "remove", "value": [there["batches"][0]["id"]]}});
    all.mammoth(&format!("PATCH {batches}"), &[dataset], patch, change).await;
    let list = format!("DELETE {batches}?ids={}", batch(1));
    all.mammoth(&list, &[dataset], Value::Null, change).await;
    let route = format!("DELETE {batches}/{{batch_id}}");
    all.mammoth(&route, &[dataset, &batch(2)], Value::Null, change).await;
    mammoth_datasets(&mut all, &datasets).await;
    let (projects, new) = ("/workspaces/{workspace_id}/projects", json!({"name": "more"}));
    let made = format!("POST {projects}");
    all.call(Who::Pair, &made, &["1"], new, &["project.create"]).await;
    let name = json!({"patches": [{"op": "replace", "path": "name", "value": "Main"}]});
    all.mammoth("PATCH ", &[], name, "project.rename").await;
    all.mammoth("DELETE /webhooks/{webhook_id}", &["3"], Value::Null, "source.delete").await;
    all.assert_complete(&routes);
}

async fn mammoth_trash(all: &mut Scenario, dataset: &str) {
    let id: i32 = dataset.parse().unwrap();
    let items = json!({"items": [{"type": "dataset", "id": id}]});
    for (way, one, action) in
        [("", "trash", "dataset.trash"), ("/restore", "restore", "dataset.restore")]
    {
        all.mammoth(&format!("POST /trash{way}"), &[], items.clone(), action).await;
        // A change without an effect is not noted.
        let path = format!("/workspaces/1/projects/1/datasets/{dataset}/{one}");
        let before = all.entries().await.len();
        assert!(all.send(Who::Pair, "POST", &path, Value::Null).await.status.is_success());
        assert_eq!(all.entries().await.len(), before);
    }
    for (one, action) in [("trash", "dataset.trash"), ("restore", "dataset.restore")] {
        let route = format!("POST /datasets/{{dataset_id}}/{one}");
        all.mammoth(&route, &[dataset], Value::Null, action).await;
    }
    let new = json!({"name": "c"});
    let made = all.mammoth("POST /folders", &[], new, "folder.create").await;
    let folder = one(&made["folder"]["id"]);
    let route = "POST /folders/{folder_id}/trash";
    all.mammoth(route, &[folder.as_str()], Value::Null, "folder.trash").await;
}

async fn mammoth_datasets(all: &mut Scenario, datasets: &[String]) {
    for n in 0..2 {
        let new = json!({"name": format!("folder {n}")});
        all.mammoth("POST /folders", &[], new, "folder.create").await;
    }
    let resource = format!("datasource_{}", datasets[0]);
    let moved = json!({"operation": "move", "resource_ids": [resource],
                       "target_folder_resource_id": "label_1"});
    all.mammoth("PATCH /folders", &[], moved, "dataset.update").await;
    let name = json!({"patch": [{"op": "replace", "path": "name", "value": "shelf"}]});
    all.mammoth("PATCH /folders/{folder_id}", &["1"], name, "folder.update").await;
    all.mammoth("DELETE /folders/{folder_id}", &["1"], Value::Null, "folder.delete").await;
    all.mammoth("DELETE /folders?ids=2", &[], Value::Null, "folder.delete").await;

    let name = json!({"patch": [{"op": "replace", "path": "name", "value": "tills"}]});
    let first = [datasets[0].as_str()];
    all.mammoth("PATCH /datasets/{dataset_id}", &first, name, "dataset.update").await;
    let path = format!("/{}", datasets[1]);
    let rename = json!({"patch": [{"op": "rename_dataset", "path": path, "value": "more"}]});
    all.mammoth("PATCH /datasets", &[], rename, "dataset.update").await;
    mammoth_trash(all, &datasets[0]).await;
    all.mammoth("DELETE /datasets/{dataset_id}", &first, Value::Null, "dataset.delete").await;
    let list = format!("DELETE /datasets?ids={}", datasets[1]);
    all.mammoth(&list, &[], Value::Null, "dataset.delete").await;
}
