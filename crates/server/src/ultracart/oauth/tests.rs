//! The routes from the view of applications and browsers.

use std::time::Duration;

use axum::body::Body;
use hookyard_core::model::{
    Application, ApplicationChange, ApplicationSettings, CredentialKind, Scopes,
};
use hookyard_engine::oauth::Lifetimes;
use http::{Request, StatusCode};
use serde_json::{Value, json};

use super::{FAILURES_MAX, FORGOTTEN_AFTER};
use crate::Settings;
use crate::test_server::{
    API_KEY, API_SECRET, Answer, OTHER_KEY, READ_KEY, SIMPLE_KEY, TOKEN, TestServer, WORKSPACE,
    credential,
};

const AUTHORIZE: &str = "/rest/v2/oauth/authorize";
const TOKEN_ROUTE: &str = "/rest/v2/oauth/token";
const REVOKE: &str = "/rest/v2/oauth/revoke";
const DEVICE: &str = "/rest/v2/oauth/device";
const BACK: &str = "https://a.test/cb";
const NEWEST: &str = "OpenAPI-Generator/4.1.208/python";

async fn server() -> TestServer {
    let lifetimes = Lifetimes { access: jiff::SignedDuration::from_secs(3_600), refresh: None };
    TestServer::with(Settings { lifetimes, ..Settings::default() }).await
}

async fn application(server: &TestServer) -> Application {
    let text = |text: &str| Some(text.to_owned());
    let settings = ApplicationSettings {
        name: "<b>Reports</b> & \"more\"".to_owned(),
        developer: text("Example' Ltd"),
        url: text("https://reports.test/about?a=1&b=2"),
        logo_url: text("https://pictures.test/logo.png"),
        description: text("Counts <script>orders</script>"),
        redirect_uris: vec![BACK.to_owned(), "com.example.app:/back".to_owned()],
        require_pkce: false,
        device_flow: true,
    };
    let scopes = "webhook_read webhook_write".parse().unwrap();
    server.engine.create_application(WORKSPACE, scopes, settings).await.unwrap()
}

async fn disable(server: &TestServer, application: &Application) {
    let change = ApplicationChange { disabled: Some(true), ..ApplicationChange::default() };
    server.engine.update_application(WORKSPACE, application.id, change).await.unwrap();
}

fn query(pairs: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

async fn get(server: &TestServer, path: &str) -> Answer {
    server.send(Request::get(path).body(Body::empty()).unwrap()).await
}

async fn post(server: &TestServer, path: &str, pairs: &[(&str, &str)]) -> Answer {
    post_as(server, NEWEST, path, pairs).await
}

async fn post_as(server: &TestServer, agent: &str, path: &str, pairs: &[(&str, &str)]) -> Answer {
    let request = Request::post(path)
        .header("content-type", "application/x-www-form-urlencoded")
        .header("user-agent", agent)
        .header("sec-fetch-site", "same-origin")
        .header("host", "hooks.test:8080")
        .body(Body::from(query(pairs)));
    server.send(request.unwrap()).await
}

fn request(application: &Application) -> [(&'static str, &str); 4] {
    [
        ("response_type", "code"),
        ("client_id", &application.client_id),
        ("redirect_uri", BACK),
        ("state", "s\"1"),
    ]
}

/// Decides a request; where the browser is sent, or else the page.
async fn decide(
    server: &TestServer,
    application: &Application,
    more: &[(&str, &str)],
) -> Result<String, Answer> {
    let answer = post(server, AUTHORIZE, &[&request(application), more].concat()).await;
    match answer.headers.get("location") {
        Some(place) => {
            assert_eq!(answer.status, StatusCode::SEE_OTHER);
            assert_eq!(answer.headers["cache-control"], "no-store");
            Ok(place.to_str().unwrap().to_owned())
        }
        None => Err(answer),
    }
}

fn parameter(place: &str, name: &str) -> Option<String> {
    let (_, query) = place.split_once('?')?;
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

/// Lets the application in and answers the tokens.
async fn tokens(server: &TestServer, application: &Application) -> Value {
    let place = decide(server, application, &[("credential", SIMPLE_KEY)]).await.unwrap();
    let code = parameter(&place, "code").unwrap();
    let answer = redeem(server, application, &code).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    serde_json::from_str(&answer.body).unwrap()
}

async fn redeem(server: &TestServer, application: &Application, code: &str) -> Answer {
    let pairs = [
        ("client_id", &*application.client_id),
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", BACK),
    ];
    post(server, TOKEN_ROUTE, &pairs).await
}

async fn with_token(server: &TestServer, path: &str, token: &str) -> Answer {
    let request = Request::get(path).header("authorization", format!("Bearer {token}"));
    server.send(request.body(Body::empty()).unwrap()).await
}

/// The name of an OAuth error, in the form common to all such errors.
#[track_caller]
fn error(answer: &Answer, status: u16) -> String {
    assert_eq!(answer.status.as_u16(), status, "{}", answer.body);
    assert_eq!(answer.headers["cache-control"], "no-store");
    assert!(answer.headers.contains_key("uc-rest-error"));
    let json: Value = serde_json::from_str(&answer.body).unwrap();
    assert!(!json["error_description"].as_str().unwrap().is_empty());
    json["error"].as_str().unwrap().to_owned()
}

fn texts<'a>(json: &'a Value, name: &str) -> &'a str {
    json[name].as_str().unwrap_or_default()
}

#[tokio::test]
async fn the_page_shows_who_asks_and_nothing_runs_on_it() {
    let server = server().await;
    let application = application(&server).await;
    let page = get(&server, &format!("{AUTHORIZE}?{}", query(&request(&application)))).await;
    assert_eq!(page.status, StatusCode::OK);
    for part in [
        "Let &lt;b&gt;Reports&lt;/b&gt; &amp; &quot;more&quot; into DEMO?",
        "by Example&#39; Ltd",
        "href=\"https://reports.test/about?a=1&amp;b=2\"",
        "Counts &lt;script&gt;orders&lt;/script&gt;",
        "<code>webhook_read</code>",
        "name=\"state\" value=\"s&quot;1\"",
        "sent on to https://a.test/cb.",
    ] {
        assert!(page.body.contains(part), "{part} is missing in {}", page.body);
    }
    for part in ["<script", "<b>Reports", " onload", " onclick", "javascript:"] {
        assert!(!page.body.contains(part), "{part}");
    }
    assert!(!page.body.contains("<code>admin</code>"));
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    for part in [
        "default-src 'none'",
        "style-src 'sha256-",
        "img-src https://pictures.test;",
        "form-action 'self' https://a.test;",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    ] {
        assert!(policy.contains(part), "{part} is missing in {policy}");
    }
    assert!(!policy.contains("script-src") && !policy.contains("unsafe"));
    assert_eq!(page.headers["cache-control"], "no-store");
    assert_eq!(page.headers["x-frame-options"], "DENY");
    assert_eq!(page.headers["referrer-policy"], "same-origin");
    assert_eq!(page.headers["x-content-type-options"], "nosniff");
}

#[tokio::test]
async fn a_person_with_the_right_credential_lets_an_application_in() {
    let server = server().await;
    let application = application(&server).await;
    let pair = format!("{API_KEY}:{API_SECRET}");
    for typed in [SIMPLE_KEY, TOKEN, &pair, &format!(" {SIMPLE_KEY} ")] {
        let more = [("credential", typed), ("decision", "allow")];
        let place = decide(&server, &application, &more).await.unwrap();
        assert!(place.starts_with("https://a.test/cb?code="), "{place}");
        assert_eq!(parameter(&place, "state").as_deref(), Some("s\"1"));
    }
    let place = decide(&server, &application, &[("decision", "deny")]).await.unwrap();
    assert_eq!(parameter(&place, "error").as_deref(), Some("access_denied"));
    assert_eq!(parameter(&place, "state").as_deref(), Some("s\"1"));
}

#[tokio::test]
async fn nobody_else_does() {
    let server = server().await;
    let application = application(&server).await;
    let tokens = tokens(&server, &application).await;
    let little = credential(CredentialKind::Simple, "little", "admin".parse().unwrap());
    server.store.create_credential(WORKSPACE, little).await.unwrap();
    let own_token = texts(&tokens, "access_token");
    for (typed, status, says) in [
        ("", 400, "Type a credential"),
        (" ", 400, "Type a credential"),
        ("wrong", 401, "no credential of this workspace"),
        ("a:b", 401, "no credential of this workspace"),
        (OTHER_KEY, 401, "no credential of this workspace"),
        (READ_KEY, 403, "lacks webhook_write admin"),
        ("little", 403, "lacks webhook_read webhook_write"),
        (own_token, 403, "belongs to an application"),
    ] {
        let page = decide(&server, &application, &[("credential", typed)]).await.unwrap_err();
        assert_eq!(page.status.as_u16(), status, "{typed}");
        assert!(page.body.contains(says), "{typed}: {}", page.body);
        assert!(page.body.contains("role=\"alert\"") && page.body.contains("s&quot;1"));
        assert!(typed.trim().is_empty() || !page.body.contains(&format!("\"{typed}\"")));
    }
}

#[tokio::test]
async fn a_form_from_elsewhere_is_refused() {
    let server = server().await;
    let application = application(&server).await;
    let pairs = [&request(&application)[..], &[("credential", SIMPLE_KEY)]].concat();
    for (path, site) in
        [(AUTHORIZE, "cross-site"), (AUTHORIZE, "same-site"), (DEVICE, "cross-site")]
    {
        let request = Request::post(path)
            .header("content-type", "application/x-www-form-urlencoded")
            .header("sec-fetch-site", site)
            .body(Body::from(query(&pairs)));
        let answer = server.send(request.unwrap()).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN);
        assert!(!answer.headers.contains_key("location"));
    }
}

#[tokio::test]
async fn a_link_that_is_not_right_leads_nowhere_or_back() {
    let server = server().await;
    let application = application(&server).await;
    let [kind, client, uri, state] = request(&application);
    for pairs in [
        vec![kind, uri, state],
        vec![kind, ("client_id", "x"), uri, state],
        vec![kind, client, state],
        vec![kind, client, ("redirect_uri", "https://evil.test/"), state],
        vec![kind, client, uri, state, ("state", "2")],
    ] {
        let page = get(&server, &format!("{AUTHORIZE}?{}", query(&pairs))).await;
        assert_eq!(page.status, StatusCode::BAD_REQUEST, "{pairs:?}");
        assert!(!page.headers.contains_key("location"), "{pairs:?}");
        assert!(page.body.contains("This link does not work"));
    }
    let page = get(&server, &format!("{AUTHORIZE}?{}", query(&[kind, client, uri]))).await;
    let place = page.headers["location"].to_str().unwrap();
    assert_eq!(parameter(place, "error").as_deref(), Some("invalid_request"));
    disable(&server, &application).await;
    let page = get(&server, &format!("{AUTHORIZE}?{}", query(&request(&application)))).await;
    assert_eq!(page.status, StatusCode::GONE);
}

#[tokio::test]
async fn tokens_come_as_the_sdks_read_them() {
    let server = server().await;
    let application = application(&server).await;
    let tokens = tokens(&server, &application).await;
    assert_eq!((texts(&tokens, "token_type"), texts(&tokens, "expires_in")), ("bearer", "3600"));
    assert_eq!(texts(&tokens, "scope"), "webhook_read webhook_write");
    assert_eq!(texts(&tokens, "merchant_id"), "DEMO");
    assert_eq!(tokens.as_object().unwrap().len(), 6);
    let access = texts(&tokens, "access_token");
    let list = with_token(&server, "/rest/v2/webhook/webhooks", access).await;
    assert_eq!(list.status, StatusCode::OK);
    let events = with_token(&server, "/v1/events", access).await;
    assert_eq!(events.status, StatusCode::FORBIDDEN, "only what was granted");
    let me = with_token(&server, "/rest/v2/oauth/me", access).await;
    let me: Value = serde_json::from_str(&me.body).unwrap();
    let expected = json!({"merchant_id": "DEMO", "merchant_name": "DEMO",
        "client_id": application.client_id, "application_name": application.settings.name,
        "scopes": ["webhook_read", "webhook_write"]});
    assert_eq!(me, expected);
    let me = with_token(&server, "/rest/v2/oauth/me", TOKEN).await;
    assert!(me.status == StatusCode::OK && !me.body.contains("client_id"), "{}", me.body);

    let refresh = [
        ("client_id", &*application.client_id),
        ("grant_type", "refresh_token"),
        ("refresh_token", texts(&tokens, "refresh_token")),
    ];
    let java = post_as(&server, "OpenAPI-Generator/4.1.67/java", TOKEN_ROUTE, &refresh).await;
    let renewed: Value = serde_json::from_str(&java.body).unwrap();
    assert!(renewed["merchant_id"].is_null() && renewed["access_token"].is_string());
    assert_eq!(java.headers["cache-control"], "no-store");
    let again = post(&server, TOKEN_ROUTE, &refresh).await;
    assert_eq!(error(&again, 400), "invalid_grant");
    let ended = with_token(&server, "/rest/v2/webhook/webhooks", access).await;
    assert_eq!(ended.status, StatusCode::UNAUTHORIZED, "at once, although it was believed");
}

#[tokio::test]
async fn an_access_token_ends_with_its_time() {
    let server = server().await;
    let application = application(&server).await;
    let tokens = tokens(&server, &application).await;
    let access = texts(&tokens, "access_token");
    assert_eq!(with_token(&server, "/rest/v2/oauth/me", access).await.status, StatusCode::OK);
    server.clock.advance(Duration::from_secs(3_600));
    let late = with_token(&server, "/rest/v2/oauth/me", access).await;
    assert_eq!(late.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn what_is_wrong_is_told_in_the_words_of_the_standard() {
    let server = server().await;
    let application = application(&server).await;
    let client = ("client_id", &*application.client_id);
    let code = ("grant_type", "authorization_code");
    for (pairs, name) in [
        (vec![], "invalid_request"),
        (vec![client], "invalid_request"),
        (vec![client, code, ("code", "x")], "invalid_request"),
        (vec![client, code, ("redirect_uri", BACK)], "invalid_request"),
        (vec![client, client, code], "invalid_request"),
        (vec![client, ("grant_type", "refresh_token")], "invalid_request"),
        (vec![client, ("grant_type", "password")], "unsupported_grant_type"),
        (vec![client, code, ("code", "x"), ("redirect_uri", BACK)], "invalid_grant"),
        (vec![client, ("grant_type", "refresh_token"), ("refresh_token", "x")], "invalid_grant"),
        (vec![client, ("grant_type", "device_code"), ("device_code", "x")], "invalid_grant"),
        (vec![("client_id", "x"), code, ("code", "x"), ("redirect_uri", BACK)], "invalid_client"),
    ] {
        let answer = post(&server, TOKEN_ROUTE, &pairs).await;
        assert_eq!(error(&answer, 400), name, "{pairs:?}");
    }
    let json = Request::post(TOKEN_ROUTE).header("content-type", "application/json");
    let answer = server.send(json.body(Body::from("{}")).unwrap()).await;
    assert_eq!(error(&answer, 400), "invalid_request");
    disable(&server, &application).await;
    let pairs = [client, code, ("code", "x"), ("redirect_uri", BACK)];
    assert_eq!(error(&post(&server, TOKEN_ROUTE, &pairs).await, 410), "unauthorized_client");
    let pairs = [client, ("token", "x")];
    assert_eq!(error(&post(&server, REVOKE, &pairs).await, 410), "unauthorized_client");
}

#[tokio::test]
async fn tokens_are_given_back_once_and_for_all() {
    let server = server().await;
    let application = application(&server).await;
    let tokens = tokens(&server, &application).await;
    let access = texts(&tokens, "access_token");
    for token in [texts(&tokens, "refresh_token"), access, "unknown"] {
        let pairs = [("client_id", &*application.client_id), ("token", token)];
        let answer = post(&server, REVOKE, &pairs).await;
        let json: Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!((answer.status, &json["successful"]), (StatusCode::OK, &json!(true)));
        assert!(json["message"].is_string());
    }
    let ended = with_token(&server, "/rest/v2/oauth/me", access).await;
    assert_eq!(ended.status, StatusCode::UNAUTHORIZED);
    let nameless = post(&server, REVOKE, &[("token", access)]).await;
    assert_eq!(error(&nameless, 400), "invalid_request");
}

#[tokio::test]
async fn a_disabled_application_is_told_410_everywhere() {
    let server = server().await;
    let application = application(&server).await;
    let tokens = tokens(&server, &application).await;
    let access = texts(&tokens, "access_token");
    disable(&server, &application).await;
    for path in ["/rest/v2/webhook/webhooks", "/rest/v2/oauth/me", "/v1/endpoints"] {
        assert_eq!(with_token(&server, path, access).await.status, StatusCode::GONE, "{path}");
    }
}

#[tokio::test]
async fn a_device_is_let_in_by_its_code() {
    let server = server().await;
    let application = application(&server).await;
    let client = ("client_id", &*application.client_id);
    let wish = [client, ("scope", "webhook_read")];
    let begun = post(&server, &format!("{DEVICE}/authorize"), &wish).await;
    let begun: Value = serde_json::from_str(&begun.body).unwrap();
    assert_eq!((&begun["expires_in"], &begun["interval"]), (&json!(600), &json!(5)));
    let place = "http://hooks.test:8080/rest/v2/oauth/device";
    let user_code = texts(&begun, "user_code");
    assert_eq!(texts(&begun, "verification_uri"), place);
    let complete = format!("{place}?user_code={user_code}");
    assert_eq!(texts(&begun, "verification_uri_complete"), complete);
    let poll = async || {
        let device = ("device_code", texts(&begun, "device_code"));
        let urn = "urn:ietf:params:oauth:grant-type:device_code";
        post(&server, TOKEN_ROUTE, &[client, ("grant_type", urn), device]).await
    };
    assert_eq!(error(&poll().await, 400), "authorization_pending");
    assert_eq!(error(&poll().await, 400), "slow_down");

    assert_eq!(get(&server, DEVICE).await.status, StatusCode::OK);
    let typed = user_code.replace('-', "").to_lowercase();
    let page = get(&server, &format!("{DEVICE}?user_code={typed}")).await;
    assert!(page.body.contains(user_code) && page.body.contains("<code>webhook_read</code>"));
    assert!(!page.body.contains("webhook_write"));
    let wrong = get(&server, &format!("{DEVICE}?user_code=BBBB-BBBB")).await;
    assert_eq!(wrong.status, StatusCode::BAD_REQUEST);
    assert!(wrong.body.contains("No device waits"));
    let refused = post(&server, DEVICE, &[("user_code", user_code), ("credential", "x")]).await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    let done = post(&server, DEVICE, &[("user_code", user_code), ("credential", SIMPLE_KEY)]).await;
    assert!(done.status == StatusCode::OK && done.body.contains("was let in"), "{}", done.body);
    let again = post(&server, DEVICE, &[("user_code", user_code), ("decision", "deny")]).await;
    assert_eq!(again.status, StatusCode::BAD_REQUEST, "it is decided");
    let tokens = poll().await;
    assert_eq!(tokens.status, StatusCode::OK, "{}", tokens.body);
    assert!(tokens.body.contains("\"scope\":\"webhook_read\""));
}

#[tokio::test]
async fn one_address_does_not_take_all_places_of_devices() {
    let server = server().await;
    let application = application(&server).await;
    let begin = async |from: [u8; 4]| {
        let body = query(&[("client_id", &application.client_id)]);
        let request = Request::post(format!("{DEVICE}/authorize"))
            .header("host", "hooks.test")
            .header("content-type", "application/x-www-form-urlencoded")
            .extension(crate::peer::Peer(from.into()));
        server.send(request.body(Body::from(body)).unwrap()).await
    };
    let mut waiting = 0;
    // For the life of a code, so that no code has ended.
    for _ in 0..60 {
        for _ in 0..30 {
            waiting += u32::from(begin([192, 0, 2, 1]).await.status.is_success());
        }
        server.clock.advance(Duration::from_secs(10));
    }
    assert!((20..=41).contains(&waiting), "{waiting}");
    let refused = loop {
        let answer = begin([192, 0, 2, 1]).await;
        if !answer.status.is_success() {
            break answer;
        }
    };
    assert_eq!(error(&refused, 429), "slow_down");
    assert!(refused.headers.contains_key("retry-after"));
    assert_eq!(begin([192, 0, 2, 2]).await.status, StatusCode::OK, "others have their places");
}

#[tokio::test]
async fn a_device_is_sent_where_the_operator_says() {
    let public_url = Some("https://hooks.example.com".to_owned());
    let server = TestServer::with(Settings { public_url, ..Settings::default() }).await;
    let application = application(&server).await;
    let client = ("client_id", &*application.client_id);
    let begun = post(&server, &format!("{DEVICE}/authorize"), &[client]).await;
    let begun: Value = serde_json::from_str(&begun.body).unwrap();
    let place = "https://hooks.example.com/rest/v2/oauth/device";
    assert_eq!(texts(&begun, "verification_uri"), place);
    let user_code = texts(&begun, "user_code");
    let denied = post(&server, DEVICE, &[("user_code", user_code), ("decision", "deny")]).await;
    assert!(denied.body.contains("told no"), "{}", denied.body);
    let device = ("device_code", texts(&begun, "device_code"));
    let poll = [client, ("grant_type", "device_code"), device];
    assert_eq!(error(&post(&server, TOKEN_ROUTE, &poll).await, 400), "access_denied");
}

#[tokio::test]
async fn guessing_is_bounded_on_every_route() {
    let server = server().await;
    let application = application(&server).await;
    let place = decide(&server, &application, &[("credential", SIMPLE_KEY)]).await.unwrap();
    let code = parameter(&place, "code").unwrap();
    for number in 0..FAILURES_MAX {
        match number % 3 {
            0 => drop(decide(&server, &application, &[("credential", "x")]).await.unwrap_err()),
            1 => assert_eq!(error(&redeem(&server, &application, "x").await, 400), "invalid_grant"),
            _ => drop(get(&server, &format!("{DEVICE}?user_code=BBBB-BBBB")).await),
        }
    }
    let refused = redeem(&server, &application, &code).await;
    assert_eq!(error(&refused, 429), "slow_down");
    assert_eq!(refused.headers["retry-after"], "15");
    let page = decide(&server, &application, &[("credential", SIMPLE_KEY)]).await.unwrap_err();
    assert_eq!(page.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(page.headers["retry-after"], "15");
    let page = get(&server, &format!("{DEVICE}?user_code=BBBB-BBBB")).await;
    assert_eq!(page.status, StatusCode::TOO_MANY_REQUESTS);
    server.clock.advance(FORGOTTEN_AFTER);
    assert_eq!(redeem(&server, &application, &code).await.status, StatusCode::OK);
}

#[tokio::test]
async fn an_application_with_every_scope_is_marked() {
    let server = server().await;
    let settings = ApplicationSettings {
        name: "All".to_owned(),
        redirect_uris: vec![BACK.to_owned()],
        ..ApplicationSettings::default()
    };
    let application =
        server.engine.create_application(WORKSPACE, Scopes::all(), settings).await.unwrap();
    let page = get(&server, &format!("{AUTHORIZE}?{}", query(&request(&application)))).await;
    assert!(page.body.contains("<li class=\"strong\">manage the workspace:"), "{}", page.body);
    assert!(!page.body.contains("<img"));
}

#[tokio::test]
async fn a_webhook_shows_whose_token_made_it() {
    let server = server().await;
    let application = application(&server).await;
    let tokens = tokens(&server, &application).await;
    let webhooks = "/rest/v2/webhook/webhooks";
    let call = async |method: &str, path: &str, body: &str, header: (&str, String)| {
        let request = Request::builder().method(method).uri(path).header(header.0, header.1);
        let answer = server.send(request.body(Body::from(body.to_owned())).unwrap()).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        serde_json::from_str::<Value>(&answer.body).unwrap()
    };
    let key = || ("x-ultracart-simple-key", SIMPLE_KEY.to_owned());
    let bearer = ("authorization", format!("Bearer {}", texts(&tokens, "access_token")));
    let new = r#"{"webhook_url":"https://x.test/"}"#;
    let made = call("POST", webhooks, new, bearer).await;
    let profile = json!({
        "api_application_logo_url": "https://pictures.test/logo.png",
        "application_description": "Counts <script>orders</script>",
        "application_name": "<b>Reports</b> & \"more\"",
        "developer_name": "Example' Ltd",
        "developer_website": "https://reports.test/about?a=1&b=2",
    });
    assert_eq!(made["webhook"]["application_profile"], profile);
    call("POST", webhooks, new, key()).await;
    let listed = call("GET", webhooks, "", key()).await;
    let profiles: Vec<_> = listed["webhooks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["application_profile"])
        .collect();
    assert_eq!(profiles.iter().filter(|one| ***one == profile).count(), 1);
    assert_eq!(profiles.iter().filter(|one| one.is_null()).count(), 1);

    let path = format!("{webhooks}/{}", made["webhook"]["webhook_oid"]);
    let change = r#"{"name":"mine","application_profile":{"application_name":"Other"}}"#;
    let changed = call("PUT", &path, change, key()).await;
    assert_eq!(changed["webhook"]["application_profile"], profile, "it is not theirs to say");
    let plain = ApplicationChange {
        developer: Some(None),
        url: Some(None),
        logo_url: Some(None),
        description: Some(None),
        ..ApplicationChange::default()
    };
    server.engine.update_application(WORKSPACE, application.id, plain).await.unwrap();
    let changed = call("PUT", &path, "{}", key()).await;
    let name = json!({"application_name": "<b>Reports</b> & \"more\""});
    assert_eq!(changed["webhook"]["application_profile"], name);
    server.engine.delete_application(WORKSPACE, application.id).await.unwrap();
    let changed = call("PUT", &path, "{}", key()).await;
    assert!(changed["webhook"].get("application_profile").is_none());
}
