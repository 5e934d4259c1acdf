use axum::http::StatusCode;
use hookyard_core::id::ApplicationId;
use hookyard_core::model::{Credential, CredentialKind};
use hookyard_engine::access::Presented;
use hookyard_engine::oauth::{Exchange, Lifetimes, Request, Tokens};
use serde_json::{Value, json};

use super::{fault, own};
use crate::test_server::{SIMPLE_KEY, TestServer, WORKSPACE};

const BACK: &str = "https://a.test/cb";

async fn register(server: &TestServer, body: Value) -> (StatusCode, Value) {
    own(server, "POST", "/v1/applications", Some(body)).await
}

fn plain(name: &str) -> Value {
    json!({"name": name, "redirect_uris": [BACK], "scopes": ["webhook_read"]})
}

/// Tokens that a person allowed the application.
async fn granted(server: &TestServer, application: &Value) -> Tokens {
    let id = ApplicationId(i32::try_from(application["id"].as_i64().unwrap()).unwrap());
    let text = |text: &str| Some(text.to_owned());
    let request = Request {
        client_id: text(application["client_id"].as_str().unwrap()),
        response_type: text("code"),
        redirect_uri: text(BACK),
        state: text("s"),
        ..Request::default()
    };
    let person = server.engine.access().admit(Presented::Simple(SIMPLE_KEY)).await.unwrap();
    let asked = server.engine.authorization(request).await.unwrap().unwrap();
    let place = server.engine.approve(&asked, &person).await.unwrap();
    let code = place.split(['=', '&']).nth(1).unwrap().to_owned();
    let application = server.engine.application(WORKSPACE, id).await.unwrap();
    let exchange = Exchange::Code { code, redirect_uri: BACK.to_owned(), verifier: None };
    server.engine.exchange(&application, exchange, Lifetimes::default()).await.unwrap()
}

async fn opens(server: &TestServer, tokens: &Tokens) -> Option<Credential> {
    server.engine.access().admit(Presented::Token(&tokens.access)).await.ok()
}

#[tokio::test]
async fn an_application_lives_as_long_as_it_is_wanted() {
    let server = TestServer::start().await;
    let new = json!({
        "name": "Reports", "developer": "Example", "url": "https://a.test/",
        "logo_url": "https://a.test/logo.png", "description": "Counts",
        "redirect_uris": [BACK, "http://127.0.0.1:4711/cb", "com.example.app:/cb"],
        "scopes": ["webhook_write", "webhook_read"], "require_pkce": true, "device_flow": true,
    });
    let (status, made) = register(&server, new.clone()).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    assert_eq!(made["client_id"].as_str().unwrap().len(), 32);
    assert_eq!(made["scopes"], json!(["webhook_read", "webhook_write"]));
    for member in ["name", "developer", "url", "logo_url", "description", "redirect_uris"] {
        assert_eq!(made[member], new[member], "{member}");
    }
    assert!(made["disabled"] == false && made["require_pkce"] == true);
    let path = format!("/v1/applications/{}", made["id"]);
    assert_eq!(own(&server, "GET", &path, None).await, (StatusCode::OK, made.clone()));

    let patch = json!({"developer": null, "description": "Counts more", "disabled": true,
                       "require_pkce": null, "redirect_uris": [BACK]});
    let (status, changed) = own(&server, "PATCH", &path, Some(patch)).await;
    assert_eq!(status, StatusCode::OK, "{changed}");
    let same = ["id", "client_id", "created_at", "name", "url", "logo_url", "scopes"];
    assert!(same.iter().all(|member| changed[member] == made[member]), "{changed}");
    assert!(changed["developer"].is_null() && changed["description"] == "Counts more");
    assert!(changed["disabled"] == true && changed["require_pkce"] == false);
    assert_eq!(changed["redirect_uris"], json!([BACK]));

    assert_eq!(own(&server, "DELETE", &path, None).await.0, StatusCode::NO_CONTENT);
    for method in ["GET", "DELETE"] {
        assert_eq!(own(&server, method, &path, None).await.0, StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn values_that_cannot_be_used_are_named() {
    let server = TestServer::start().await;
    let with = |member: &str, value: Value| {
        let mut body = plain("x");
        body[member] = value;
        body
    };
    for (body, field) in [
        (json!({}), "name"),
        (with("name", json!("")), "name"),
        (with("name", json!(5)), "name"),
        (with("scopes", json!([])), "scopes"),
        (with("scopes", json!(["webhook_read", "order_read"])), "scopes[1]"),
        (with("redirect_uris", json!([])), "redirect_uris"),
        (with("redirect_uris", json!(["http://a.test/"])), "redirect_uris[0]"),
        (with("redirect_uris", json!([BACK, "javascript:alert(1)"])), "redirect_uris[1]"),
        (with("url", json!("http://a.test/")), "url"),
        (with("logo_url", json!("x")), "logo_url"),
        (with("client_id", json!("mine")), "client_id"),
    ] {
        let (status, problem) = register(&server, body.clone()).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{body}");
        assert_eq!(fault(&problem), ("invalid_value", field), "{body}");
    }
    let (_, made) = register(&server, plain("x")).await;
    let path = format!("/v1/applications/{}", made["id"]);
    for (patch, field) in [
        (json!({"name": null}), "name"),
        (json!({"redirect_uris": null}), "redirect_uris"),
        (json!({"redirect_uris": ["x"]}), "redirect_uris[0]"),
        (json!({"scopes": ["admin"]}), "scopes"),
        (json!({"disabled": "yes"}), "disabled"),
    ] {
        let (status, problem) = own(&server, "PATCH", &path, Some(patch.clone())).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{patch}");
        assert_eq!(fault(&problem), ("invalid_value", field), "{patch}");
    }
    assert_eq!(own(&server, "GET", &path, None).await.1, made, "nothing is half done");
}

#[tokio::test]
async fn pages_follow_each_other() {
    let server = TestServer::start().await;
    for number in 0..5 {
        register(&server, plain(&number.to_string())).await;
    }
    let mut names = Vec::new();
    let mut path = "/v1/applications?limit=2".to_owned();
    loop {
        let (status, page) = own(&server, "GET", &path, None).await;
        assert_eq!(status, StatusCode::OK, "{page}");
        let shown = page["applications"].as_array().unwrap();
        assert!(shown.len() <= 2);
        names.extend(shown.iter().map(|one| one["name"].as_str().unwrap().to_owned()));
        match page["next"].as_str() {
            Some(next) => path = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(names, ["0", "1", "2", "3", "4"]);
    for query in ["limit=0", "limit=201", "after=-1", "x=1"] {
        let (status, _) = own(&server, "GET", &format!("/v1/applications?{query}"), None).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{query}");
    }
}

#[tokio::test]
async fn grants_are_seen_and_taken_back() {
    let server = TestServer::start().await;
    let (_, made) = register(&server, plain("x")).await;
    let grants = format!("/v1/applications/{}/grants", made["id"]);
    assert_eq!(own(&server, "GET", &grants, None).await.1, json!({"grants": []}));
    let (first, second) = (granted(&server, &made).await, granted(&server, &made).await);
    let person = server.engine.access().admit(Presented::Simple(SIMPLE_KEY)).await.unwrap();
    assert_eq!(person.kind, CredentialKind::Simple);
    let (_, page) = own(&server, "GET", &format!("{grants}?limit=1"), None).await;
    let shown = &page["grants"][0];
    assert_eq!((&shown["via"], &shown["scopes"]), (&json!("code"), &json!(["webhook_read"])));
    assert_eq!(shown["approved_by"], person.id.0);
    let (_, rest) = own(&server, "GET", page["next"].as_str().unwrap(), None).await;
    assert_eq!(rest["grants"].as_array().unwrap().len(), 1);
    assert!(opens(&server, &first).await.is_some() && opens(&server, &second).await.is_some());

    let path = format!("{grants}/{}", shown["id"]);
    assert_eq!(own(&server, "DELETE", &path, None).await.0, StatusCode::NO_CONTENT);
    assert!(opens(&server, &first).await.is_none() && opens(&server, &second).await.is_some());
    for gone in [&path, &format!("{grants}/x"), "/v1/applications/99/grants/1"] {
        assert_eq!(own(&server, "DELETE", gone, None).await.0, StatusCode::NOT_FOUND, "{gone}");
    }
    let list = own(&server, "GET", "/v1/applications/99/grants", None).await;
    assert_eq!(list.0, StatusCode::NOT_FOUND);
}
