//! The vectors of the providers through the real router, and what a sender must not learn.

use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hookyard_core::id::{DatasetId, ProjectId, SourceId, WorkspaceId};
use hookyard_core::model::SourceChange;
use http::{Request, StatusCode};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::assert_refused;
use crate::Settings;
use crate::mammoth::tests::Api;
use crate::test_server::{Answer, SIMPLE_KEY};

/// Where the vectors' senders reach the server, and the key of the source that they send to.
const PUBLIC_URL: &str = "https://hooks.example.com";
const KEY: &str = "g7rHe3mUqUGPEpnc4XxeDWJa";

/// A server with one source, which has the vectors' key.
struct Hooks {
    api: Api,
    webhook: Value,
}

impl Hooks {
    async fn start(origins: &str) -> Self {
        let public_url = Some(PUBLIC_URL.to_owned());
        let api = Api::with(Settings { public_url, ..Settings::default() }).await;
        let webhook = api.create(json!({"mode": "combine", "origins": origins})).await;
        let id = SourceId(i32::try_from(webhook["id"].as_i64().unwrap()).unwrap());
        let change = SourceChange { key: Some(KEY.to_owned()), ..SourceChange::default() };
        let store = &api.server.store;
        store.update_source(WorkspaceId(1), ProjectId(1), id, change).await.unwrap();
        Self { api, webhook }
    }

    async fn native(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let path = format!("/v1/sources/{}{path}", self.webhook["id"]);
        let headers =
            [("x-ultracart-simple-key", SIMPLE_KEY), ("content-type", "application/json")];
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let answer = self.api.send(method, &path, &headers, body).await;
        (answer.status.as_u16(), serde_json::from_str(&answer.body).unwrap_or_default())
    }

    /// Rows of the source's dataset.
    async fn rows(&self) -> u64 {
        let id = DatasetId(i32::try_from(self.webhook["ds_id"].as_i64().unwrap()).unwrap());
        let store = &self.api.server.store;
        store.dataset(WorkspaceId(1), ProjectId(1), id).await.unwrap().unwrap().stats.rows
    }

    async fn set(&self, verification: &Value) {
        let (status, shown) = self.native("PUT", "/verification", verification).await;
        assert_eq!(status, 200, "{verification}: {shown}");
    }

    /// Sends a vector's request at its moment.
    async fn send(&self, case: &Value) -> Answer {
        let now = Timestamp::from_second(case["now"].as_i64().unwrap()).unwrap();
        self.api.server.clock.set(now);
        let target = case["url"].as_str().unwrap().strip_prefix(PUBLIC_URL).unwrap();
        let mut request = Request::builder().method(case["method"].as_str().unwrap()).uri(target);
        for header in case["headers"].as_array().unwrap() {
            request = request.header(header[0].as_str().unwrap(), header[1].as_str().unwrap());
        }
        let body = STANDARD.decode(case["body_base64"].as_str().unwrap()).unwrap();
        self.api.server.send(request.body(Body::from(body)).unwrap()).await
    }
}

fn vectors() -> Vec<Value> {
    let all = include_str!("../../../../core/tests/vectors/providers.json");
    let all: Vec<Value> = serde_json::from_str(all).unwrap();
    // The others are of a server with another public URL, or none.
    let here = |case: &Value| case["url"].as_str().is_some_and(|url| url.starts_with(PUBLIC_URL));
    all.into_iter().filter(here).collect()
}

/// The setting that a vector is judged by.
fn setting(case: &Value) -> Value {
    let mut setting = json!({"provider": case["provider"], "secrets": case["secrets"]});
    for member in ["handshake_secret", "header", "settings"] {
        if !case[member].is_null() {
            setting[member] = case[member].clone();
        }
    }
    setting
}

#[tokio::test]
async fn every_vector_is_answered_as_it_should() {
    let hooks = Hooks::start("*").await;
    // Many vectors are of one delivery.
    let patch = json!({"keep_repeats": true});
    assert_eq!(hooks.native("PATCH", "", &patch).await.0, 200);
    let mut stored = 0;
    let mut current = Value::Null;
    for case in vectors() {
        let name = format!("{}: {}", case["provider"], case["name"]);
        let wanted = setting(&case);
        if wanted != current || case["secrets"] == json!([]) {
            // Secrets that are not given would stay.
            hooks.native("DELETE", "/verification", &Value::Null).await;
            hooks.set(&wanted).await;
            current = wanted;
        }
        let answer = hooks.send(&case).await;
        let mut wanted_rows = stored;
        match &case["expect"] {
            Value::String(word) if word == "verified" => {
                assert!(answer.status.is_success(), "{name}: {answer:?}");
                let posted = case["method"] == "POST" && case["body_base64"] != "";
                wanted_rows += u64::from(posted || answer.body.contains("\"rows\":1"));
            }
            Value::String(_) => assert_refused(&answer, 401, "Unauthorized"),
            wanted => check_answer(&name, wanted, &answer),
        }
        stored = hooks.rows().await;
        assert_eq!(stored, wanted_rows, "{name}");
    }
    assert!(stored > 150, "{stored}");
}

fn check_answer(name: &str, wanted: &Value, answer: &Answer) {
    assert_eq!(answer.status.as_u16(), wanted["status"], "{name}: {answer:?}");
    assert_eq!(answer.body, wanted["body"].as_str().unwrap(), "{name}");
    let kind = answer.headers.get("content-type").map(|kind| kind.to_str().unwrap());
    assert_eq!(kind, wanted["content_type"].as_str(), "{name}");
    for header in wanted["headers"].as_array().into_iter().flatten() {
        let name = header[0].as_str().unwrap();
        assert_eq!(answer.headers[name], header[1].as_str().unwrap(), "{name}");
    }
}

#[tokio::test]
async fn a_verification_replaces_every_other_proof() {
    let hooks = Hooks::start("*").await;
    hooks.set(&json!({"provider": "header-token", "secrets": ["right"]})).await;
    let target = format!("/webhook/data/{KEY}");
    let post = async |headers: &[(&str, &str)]| {
        hooks.api.send("POST", &target, headers, "1").await.status.as_u16()
    };
    assert_eq!(post(&[("x-webhook-secret", "right")]).await, 201);
    assert_eq!(post(&[("authorization", "Bearer right")]).await, 401);
    assert_eq!(post(&crate::mammoth::tests::PAIR).await, 401);
    assert_eq!(post(&[]).await, 401);
    let (status, _) = hooks.native("DELETE", "/verification", &Value::Null).await;
    assert_eq!((status, post(&[]).await), (204, 201), "the source is open again");
}

#[tokio::test]
async fn the_order_of_checks_stays() {
    let hooks = Hooks::start("https://page.example").await;
    hooks.set(&json!({"provider": "github", "secrets": ["s"]})).await;
    let target = format!("/webhook/data/{KEY}");
    let huge = ("content-length", "99999999999");
    let send = async |target: &str, headers: &[(&str, &str)]| {
        hooks.api.send("POST", target, headers, "").await.status.as_u16()
    };
    assert_eq!(send("/webhook/data/nobody", &[huge]).await, 404);
    assert_eq!(send(&target, &[("origin", "https://other.example"), huge]).await, 403);
    // Without a signature the body is not read; with one its size comes before the proof.
    assert_eq!(send(&target, &[huge]).await, 401);
    assert_eq!(send(&target, &[("x-hub-signature-256", "sha256=00"), huge]).await, 413);
}

#[tokio::test]
async fn a_secret_in_the_query_is_not_data() {
    let hooks = Hooks::start("*").await;
    hooks.set(&json!({"provider": "docker-hub", "secrets": ["s e"]})).await;
    let target = format!("/webhook/data/{KEY}?a=1&%74oken=s%20e&b=2");
    assert_eq!(hooks.api.send("GET", &target, &[], "").await.status, StatusCode::OK);
    assert_eq!(hooks.api.cells(&hooks.webhook).await, [r#"{"a":"1","b":"2"}"#]);
}

#[tokio::test]
async fn a_browser_is_still_told_what_it_may() {
    let hooks = Hooks::start("*").await;
    hooks.set(&json!({"provider": "cloudevents", "secrets": ["s"]})).await;
    let target = format!("/webhook/data/{KEY}");
    let preflight = [("origin", "https://a.example"), ("access-control-request-method", "POST")];
    let answer = hooks.api.send("OPTIONS", &target, &preflight, "").await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    assert!(!answer.headers.contains_key("webhook-allowed-origin"));
}

#[tokio::test]
async fn the_doctor_sees_what_the_receiver_sees() {
    let hooks = Hooks::start("*").await;
    hooks.set(&json!({"provider": "github", "secrets": ["an old secret"]})).await;
    let question = json!({
        "headers": [{"name": "X-Hub-Signature-256",
            "value": "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"}],
        "body_base64": STANDARD.encode("Hello, World!\n"),
    });
    let (status, answer) = hooks.native("POST", "/doctor", &question).await;
    assert_eq!((status, &answer["cause"]), (200, &json!("wrong_secret")), "{answer}");
    assert_eq!((&answer["verified"], &answer["certain"]), (&json!(false), &json!(false)));
    let add = json!({"secret": "It's a Secret to Everybody"});
    let (status, shown) = hooks.native("POST", "/verification/secrets", &add).await;
    assert_eq!((status, &shown["secrets"]), (200, &json!(2)), "{shown}");
    let (_, answer) = hooks.native("POST", "/doctor", &question).await;
    assert_eq!((&answer["cause"], &answer["certain"]), (&json!("body_changed"), &json!(true)));
    assert!(answer["explanation"].as_str().unwrap().contains("white space at its end"), "{answer}");
    let (status, shown) = hooks.native("GET", "/verification", &Value::Null).await;
    assert_eq!(status, 200);
    assert!(!shown.to_string().contains("Everybody"), "{shown}");
    assert_eq!(hooks.api.cells(&hooks.webhook).await, [] as [String; 0]);
}

#[tokio::test]
async fn the_doctor_knows_the_usual_proofs_too() {
    let hooks = Hooks::start("*").await;
    let ask = async |headers: Value| {
        let question = json!({"headers": headers, "body_base64": STANDARD.encode("{}")});
        hooks.native("POST", "/doctor", &question).await.1
    };
    let nothing = json!([]);
    assert_eq!(ask(nothing.clone()).await["verified"], true, "an open source asks for nothing");
    let secret = json!({"secret": "topsecret"});
    assert_eq!(hooks.native("POST", "/secret/rotate", &secret).await.0, 200);
    assert_eq!(ask(nothing).await["cause"], "missing_signature");
    let shown = json!([{"name": "x-webhook-secret", "value": "topsecret"}]);
    assert_eq!(ask(shown).await["verified"], true);
    let stripe = json!([{"name": "stripe-signature", "value": "t=1,v1=00"}]);
    let stale = ask(stripe).await;
    assert_eq!(stale["cause"], "stale_timestamp");
    assert!(stale["skew_seconds"].as_i64().unwrap() < -300, "{stale}");
    let gitlab = json!([{"name": "x-gitlab-token", "value": "topsecret"}]);
    let foreign = ask(gitlab).await;
    assert_eq!(foreign["cause"], "other_provider");
    assert!(foreign["explanation"].as_str().unwrap().contains("gitlab"), "{foreign}");
}

#[tokio::test]
async fn the_log_of_rejections_says_what_the_verifier_found() {
    let hooks = Hooks::start("*").await;
    hooks.set(&json!({"provider": "stripe", "secrets": ["whsec_1"]})).await;
    let target = format!("/webhook/data/{KEY}");
    let stale = [("stripe-signature", "t=1,v1=00")];
    assert_eq!(hooks.api.send("POST", &target, &stale, "{}").await.status.as_u16(), 401);
    hooks.api.server.engine.write_rejections().await.unwrap();
    let (status, log) = hooks.native("GET", "/rejections", &Value::Null).await;
    assert_eq!(status, 200);
    let line = &log["rejections"][0];
    assert_eq!(line["cause"], "proof", "{log}");
    assert!(line["detail"].as_str().unwrap().starts_with("stale_timestamp: it is "), "{log}");
}

#[tokio::test]
async fn the_providers_own_id_makes_a_repetition_known() {
    let hooks = Hooks::start("*").await;
    let case =
        vectors().into_iter().find(|it| it["provider"] == "mailgun" && it["name"] == "valid");
    let case = case.unwrap();
    hooks.set(&setting(&case)).await;
    for _ in 0..2 {
        assert_eq!(hooks.send(&case).await.status.as_u16(), 201);
    }
    assert_eq!(hooks.rows().await, 1, "a token of Mailgun counts once");
}

#[tokio::test]
async fn tokens_are_masked_where_requests_are_kept() {
    let hooks = Hooks::start("*").await;
    let scheme =
        json!({"algorithm": "token", "signature": {"from": ["query:pass", "header:x-pass"]}});
    hooks.set(&json!({"scheme": scheme, "secrets": ["open sesame"]})).await;
    let target = format!("/webhook/data/{KEY}");
    let shown = [("x-pass", "open sesame")];
    assert_eq!(hooks.api.send("POST", &target, &shown, "{}").await.status.as_u16(), 201);
    let in_query = format!("{target}?pass=open+sesame&a=1");
    assert_eq!(hooks.api.send("POST", &in_query, &[], "{}").await.status.as_u16(), 201);
    let (status, kept) = hooks.native("GET", "/deliveries", &Value::Null).await;
    assert_eq!((status, kept["deliveries"].as_array().unwrap().len()), (200, 2), "{kept}");
    assert!(!kept.to_string().contains("sesame"), "{kept}");
}
