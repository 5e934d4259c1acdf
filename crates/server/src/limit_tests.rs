//! Callers that come too often, or with too large heads, at each API.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use hookyard_engine::limits::{Limits, Rates};
use http::Request;
use http::request::Builder;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::peer::Peer;
use crate::test_server::{API_KEY, API_SECRET, Answer, OTHER_KEY, SIMPLE_KEY, TOKEN, TestServer};
use crate::{Bounds, Settings};

const FORM: &str = "application/x-www-form-urlencoded";

const CREDENTIAL: &str = r#""credential-hour";q=2;w=3600"#;

fn hourly(turns: u32) -> Rates {
    Rates { hour: Some(turns), day: None }
}

async fn limited(credential: Rates, address: Rates) -> TestServer {
    TestServer::limited(Settings::default(), Limits { credential, address }).await
}

fn ultracart() -> Builder {
    Request::get("/rest/v2/webhook/webhooks").header("x-ultracart-simple-key", SIMPLE_KEY)
}

fn mammoth() -> Builder {
    Request::get("/api/v2/workspaces/1/projects/1/webhooks")
        .header("x-api-key", API_KEY)
        .header("x-api-secret", API_SECRET)
}

fn native() -> Builder {
    Request::get("/v1/endpoints").header("authorization", format!("Bearer {TOKEN}"))
}

async fn send(server: &TestServer, request: Builder) -> Answer {
    server.send(request.body(Body::empty()).unwrap()).await
}

fn json(answer: &Answer) -> Value {
    serde_json::from_str(&answer.body).unwrap()
}

fn header<'a>(answer: &'a Answer, name: &str) -> &'a str {
    answer.headers.get(name).map_or("", |value| value.to_str().unwrap())
}

#[tokio::test]
async fn each_api_refuses_in_its_own_form() {
    let server = limited(hourly(2), Rates::default()).await;
    let mut refused = Vec::new();
    for request in [ultracart, mammoth, native] {
        for left in ["1", "0"] {
            let answer = send(&server, request()).await;
            assert_eq!(
                (answer.status.as_u16(), header(&answer, "ratelimit-policy")),
                (200, CREDENTIAL)
            );
            let limit = header(&answer, "ratelimit");
            assert!(limit.starts_with(&format!("\"credential-hour\";r={left};t=")), "{limit}");
        }
        let answer = send(&server, request()).await;
        assert_eq!((answer.status.as_u16(), header(&answer, "retry-after")), (429, "1800"));
        assert_eq!(header(&answer, "ratelimit-policy"), CREDENTIAL);
        assert_eq!(header(&answer, "ratelimit"), "\"credential-hour\";r=0;t=3600");
        refused.push(answer);
    }
    let words = "rate of 2 per 3600 second(s) exceeded.";
    let [ultracart_said, mammoth_said, native_said] = &refused[..] else { panic!() };
    let error = json(ultracart_said);
    assert_eq!(
        (&error["error"]["developer_message"], &error["error"]["user_message"]),
        (&json!(words), &json!(words))
    );
    assert_eq!((&error["error"]["error_code"], &error["success"]), (&json!("429"), &json!(false)));
    assert_eq!(header(ultracart_said, "uc-rest-error"), words);
    let error = json(mammoth_said);
    assert_eq!((&error["detail"], &error["status_code"]), (&json!(words), &json!(429)));
    let error = json(native_said);
    assert_eq!((&error["code"], &error["detail"]), (&json!("too_many_requests"), &json!(words)));
    assert_eq!(header(native_said, "content-type"), "application/problem+json");

    server.clock.advance(Duration::from_secs(1_801));
    assert_eq!(send(&server, ultracart()).await.status, 200);
    assert_eq!(send(&server, ultracart()).await.status, 429);
}

#[tokio::test]
async fn addresses_are_limited_whoever_comes_from_them() {
    let server = limited(Rates::default(), Rates { hour: None, day: Some(3) }).await;
    let from = |last: u8, request: Builder| request.extension(Peer([192, 0, 2, last].into()));
    assert_eq!(send(&server, from(1, ultracart())).await.status, 200);
    assert_eq!(send(&server, from(1, native())).await.status, 200);
    assert_eq!(send(&server, from(1, Request::get("/rest/v2/webhook/webhooks"))).await.status, 401);
    for path in ["/rest/v2/oauth/token", "/rest/v2/oauth/token/"] {
        let answer = send(&server, from(1, Request::post(path))).await;
        assert_eq!((answer.status.as_u16(), header(&answer, "retry-after")), (429, "28800"));
        let words = "rate of 3 per 86400 second(s) exceeded.";
        assert_eq!(json(&answer), json!({"error": "slow_down", "error_description": words}));
        assert_eq!(header(&answer, "ratelimit-policy"), "\"address-day\";q=3;w=86400");
    }
    for path in ["/", "/nothing", "/v1/openapi.json"] {
        let answer = send(&server, from(1, Request::get(path))).await;
        assert_eq!(json(&answer)["code"], "too_many_requests", "{path}");
    }
    assert_eq!(json(&send(&server, from(1, mammoth())).await)["status_code"], 429);
    assert_eq!(send(&server, from(2, mammoth())).await.status, 200);
}

#[tokio::test]
async fn probes_and_deliveries_are_not_counted() {
    let server = limited(hourly(1), hourly(2)).await;
    let made = Request::post("/workspaces/1/projects/1/webhooks")
        .header("x-api-key", API_KEY)
        .header("x-api-secret", API_SECRET)
        .header("content-type", "application/json")
        .body(Body::from(r#"{"name":"in"}"#))
        .unwrap();
    let made = server.send(made).await;
    assert!(made.status.is_success(), "{}", made.body);
    let url = json(&made)["webhook"]["uri"].as_str().unwrap().to_owned();
    for _ in 0..5 {
        for path in ["/livez", "/readyz"] {
            let answer = send(&server, Request::get(path)).await;
            assert_eq!((answer.status.as_u16(), header(&answer, "ratelimit")), (200, ""));
        }
        let delivery = Request::post(&url)
            .header("x-api-key", API_KEY)
            .header("x-api-secret", API_SECRET)
            .header("content-type", "application/json");
        let answer = server.send(delivery.body(Body::from("{}")).unwrap()).await;
        assert_eq!((answer.status.as_u16(), header(&answer, "ratelimit")), (201, ""));
    }
    assert_eq!(send(&server, mammoth()).await.status, 429);
    // The address had one turn left, and the credential's refusal took the turn.
    assert_eq!(send(&server, ultracart()).await.status, 429);
}

#[tokio::test]
async fn without_limits_nothing_is_said_of_them() {
    let server = TestServer::start().await;
    let answer = send(&server, ultracart()).await;
    assert_eq!((header(&answer, "ratelimit"), header(&answer, "ratelimit-policy")), ("", ""));
}

#[tokio::test]
async fn large_heads_are_refused_in_each_apis_form() {
    let bounds = Bounds { uri_bytes_max: 200, header_bytes_max: 2_000, ..Bounds::default() };
    let server = TestServer::with(Settings { bounds, ..Settings::default() }).await;
    for path in [
        "/rest/v2/webhook/webhooks",
        "/rest/v2/oauth/token",
        "/workspaces",
        "/webhooks/data/x",
        "/v1/endpoints",
    ] {
        let long = format!("{path}?{}", "x".repeat(200 - path.len()));
        let fits = &long[..200];
        assert!(send(&server, Request::get(fits)).await.status != 414, "{path}");
        let answer = send(&server, Request::get(&long)).await;
        assert_eq!(answer.status, 414, "{path}");
        assert!(answer.body.contains("path and query have more than 200 bytes"), "{}", answer.body);
        let large = Request::get(path).header("x-large", "x".repeat(2_000));
        assert_eq!(send(&server, large).await.status, 431, "{path}");
        let many =
            (0..101).fold(Request::get(path), |request, n| request.header(format!("x-{n}"), "1"));
        let answer = send(&server, many).await;
        assert_eq!(answer.status, 431, "{path}");
        let body = json(&answer);
        let form = match path {
            "/rest/v2/webhook/webhooks" => body["error"]["error_code"] == "431",
            "/rest/v2/oauth/token" => body["error"] == "invalid_request",
            "/v1/endpoints" => body["code"] == "headers_too_large",
            _ => body["status_code"] == 431,
        };
        assert!(form, "{path}: {body}");
    }
}

/// Whether a body is a refusal in the form of the API.
type Form = fn(&Value) -> bool;

/// A body that sends its first bytes and then stalls; `reached` counts bodies whose first bytes were taken.
fn held_body(bytes: usize, reached: &Arc<AtomicUsize>) -> Body {
    let reached = Arc::clone(reached);
    let first = stream::once(async move { Ok::<_, Infallible>(Bytes::from(vec![b'['; bytes])) });
    let rest = stream::once(async move {
        reached.fetch_add(1, Ordering::Relaxed);
        std::future::pending().await
    });
    Body::from_stream(first.chain(rest))
}

#[tokio::test]
async fn bodies_beyond_the_budget_are_refused_in_each_apis_form() {
    // Four of the largest bodies: the least budget.
    let bounds = Bounds { body_bytes_total: 0, ..Bounds::default() };
    let server = TestServer::with(Settings {
        bounds,
        event_bytes_max: 100_000,
        batch_bytes_max: 250_000,
        receive_bytes_max: 100_000,
        ..Settings::default()
    });
    let server = server.await;
    let from = |last: u8, request: Builder| request.extension(Peer([192, 0, 2, last].into()));
    let batch = |request: Builder| {
        request
            .header("authorization", format!("Bearer {TOKEN}"))
            .header("content-type", "application/cloudevents-batch+json")
    };
    // The budget is a million bytes; one address may have half.
    let reached = Arc::default();
    let held: Vec<_> = (0..5)
        .map(|_| {
            let request = from(1, batch(Request::post("/v1/events")));
            let request = request.body(held_body(98_000, &reached)).unwrap();
            tokio::spawn(server.router.clone().oneshot(request))
        })
        .collect();
    while reached.load(Ordering::Relaxed) < held.len() {
        tokio::task::yield_now().await;
    }
    let large = |request: Builder| request.body(held_body(32_000, &reached)).unwrap();
    let forms: [(&str, Form); 4] = [
        ("/rest/v2/webhook/webhooks", |body| body["error"]["error_code"] == "503"),
        ("/rest/v2/oauth/token", |body| body["error"] == "temporarily_unavailable"),
        ("/workspaces/1/projects/1/webhooks", |body| body["status_code"] == 503),
        ("/v1/endpoints", |body| body["code"] == "unavailable"),
    ];
    for (path, form) in forms {
        let kind = if path.ends_with("token") { FORM } else { "application/json" };
        let request = from(1, Request::post(path).header("content-type", kind))
            .header("x-ultracart-simple-key", SIMPLE_KEY)
            .header("x-api-key", API_KEY)
            .header("x-api-secret", API_SECRET);
        let answer = server.send(large(request)).await;
        assert_eq!((answer.status.as_u16(), header(&answer, "retry-after")), (503, "1"), "{path}");
        assert_eq!(header(&answer, "connection"), "close", "{path}");
        assert!(form(&json(&answer)), "{path}: {}", answer.body);
    }
    // Another workspace at another address goes on.
    let other = from(2, Request::post("/v1/event-types"))
        .header("x-ultracart-simple-key", OTHER_KEY)
        .header("content-type", "application/json")
        .body(Body::from(r#"{"name":"parcel_lost","category":"order"}"#));
    let answer = server.send(other.unwrap()).await;
    assert!(answer.status.is_success() || answer.status == 400, "{}", answer.body);
    for request in held {
        request.abort();
        assert!(request.await.is_err());
    }
    let request = batch(from(1, Request::post("/v1/events"))).body(Body::from("[]")).unwrap();
    assert_eq!(server.send(request).await.status, 202);
}
