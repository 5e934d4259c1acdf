use super::*;

const LIST: &str = "https://a.example, https://*.b.example";

/// A webhook that only pages of [`LIST`] may deliver to.
async fn listed(api: &Api) -> (Value, String) {
    let webhook = api.create(json!({"mode": "combine", "origins": LIST})).await;
    let target = url(&webhook);
    (webhook, target)
}

#[tokio::test]
async fn listed_pages_deliver_and_read_the_answer() {
    let api = Api::start().await;
    let (webhook, target) = listed(&api).await;
    for origin in ["https://a.example", "https://x.b.example"] {
        for (body, status) in [("1", 201), ("{bad", 400)] {
            let headers = [("origin", origin), ("content-type", "application/json")];
            let answer = api.send("POST", &target, &headers, body).await;
            assert_eq!(answer.status.as_u16(), status);
            assert_eq!(answer.headers["access-control-allow-origin"], origin);
            assert_eq!(answer.headers["vary"], "Origin");
            assert!(!answer.headers.contains_key("access-control-allow-credentials"));
        }
    }
    assert_eq!(api.cells(&webhook).await.len(), 2);
}

#[tokio::test]
async fn other_pages_are_refused_and_store_nothing() {
    let api = Api::start().await;
    let (webhook, target) = listed(&api).await;
    for origin in ["https://evil.example", "https://b.example", "null"] {
        for (method, query) in [("POST", ""), ("GET", "?a=1")] {
            let headers = [("origin", origin)];
            let refused = api.send(method, &format!("{target}{query}"), &headers, "1").await;
            assert_refused(&refused, 403, "Forbidden");
            assert!(!refused.headers.contains_key("access-control-allow-origin"));
            assert_eq!(refused.headers["vary"], "Origin");
        }
    }
    // Servers send no origin and are never blocked.
    let answer = api.send("POST", &target, &[], "1").await;
    assert_eq!(answer.status, 201);
    assert!(!answer.headers.contains_key("access-control-allow-origin"));
    assert_eq!(api.cells(&webhook).await, ["1"]);
}

#[tokio::test]
async fn a_webhook_without_a_list_takes_every_page() {
    let api = Api::start().await;
    let (_, target) = combining(&api).await;
    let answer = api.send("POST", &target, &[("origin", "null")], "1").await;
    assert_eq!(answer.status, 201);
    assert_eq!(answer.headers["access-control-allow-origin"], "*");
}

#[tokio::test]
async fn preflights_are_answered_without_the_secret() {
    let api = Api::start().await;
    let (webhook, target) = listed(&api).await;
    api.patch(&webhook, &[("is_secure", json!(true))]).await;
    let preflight = |origin| {
        [
            ("origin", origin),
            ("access-control-request-method", "POST"),
            ("access-control-request-headers", "content-type, x-webhook-secret"),
        ]
    };
    let allowed = api.send("OPTIONS", &target, &preflight("https://a.example"), "").await;
    assert_eq!((allowed.status.as_u16(), allowed.body.as_str()), (204, ""));
    for (name, value) in [
        ("access-control-allow-origin", "https://a.example"),
        ("access-control-allow-methods", "GET, POST, OPTIONS"),
        ("access-control-allow-headers", "content-type, x-webhook-secret"),
        ("access-control-max-age", "600"),
        ("vary", "Origin, Access-Control-Request-Method, Access-Control-Request-Headers"),
    ] {
        assert_eq!(allowed.headers[name], value, "{name}");
    }
    let denied = api.send("OPTIONS", &target, &preflight("https://evil.example"), "").await;
    assert_refused(&denied, 403, "Forbidden");
    assert!(!denied.headers.contains_key("access-control-allow-origin"));
    // The list counts from the next request on.
    api.patch(&webhook, &[("origins", json!("https://evil.example"))]).await;
    let now = api.send("OPTIONS", &target, &preflight("https://evil.example"), "").await;
    assert_eq!(now.status, 204);
}

#[tokio::test]
async fn plain_options_tell_the_methods() {
    let api = Api::start().await;
    let (_, target) = combining(&api).await;
    let answer = api.send("OPTIONS", &target, &[], "").await;
    assert_eq!(answer.status, 204);
    assert_eq!(answer.headers["allow"], "GET, POST, OPTIONS, HEAD");
    assert!(!answer.headers.contains_key("access-control-allow-methods"));
}

#[tokio::test]
async fn a_foreign_page_learns_nothing_of_the_secret() {
    let api = Api::start().await;
    let webhook = api.create(json!({"origins": "", "is_secure": true})).await;
    let headers = [("origin", "https://a.example"), ("x-webhook-secret", "wrong")];
    let refused = api.send("POST", &url(&webhook), &headers, "1").await;
    assert_refused(&refused, 403, "Forbidden");
}
