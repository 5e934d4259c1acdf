use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::{Value, json};

use super::{fault, own, send};
use crate::Settings;
use crate::test_server::{OTHER_KEY, READ_KEY, TestServer};

async fn made(server: &TestServer) -> String {
    let (status, source) = own(server, "POST", "/v1/sources", Some(json!({}))).await;
    assert_eq!(status, StatusCode::CREATED, "{source}");
    format!("/v1/sources/{}", source["id"])
}

#[tokio::test]
async fn providers_are_listed_with_what_they_need() {
    let server = TestServer::start().await;
    let (status, all) = own(&server, "GET", "/v1/providers", None).await;
    assert_eq!(status, StatusCode::OK);
    let all = all["providers"].as_array().unwrap();
    assert!(all.len() >= 45);
    let named = |name: &str| all.iter().find(|it| it["name"] == name).unwrap();
    assert_eq!(named("meta")["handshake_secret"], true);
    assert_eq!(named("asana")["learns"], true);
    assert_eq!(named("square")["signs_url"], true);
    assert_eq!(named("paypal")["settings"], json!(["webhook_id"]));
    assert_eq!(named("slack")["handshakes"], json!(["url_verification"]));
    assert_eq!(
        (&named("forgejo")["confirmed"], &named("xero")["confirmed"]),
        (&json!(false), &json!(true))
    );
    let (status, stripe) = own(&server, "GET", "/v1/providers/stripe", None).await;
    assert_eq!(
        (status, &stripe["scheme"]["signed"]),
        (StatusCode::OK, &json!("{timestamp}.{body}"))
    );
    assert_eq!(own(&server, "GET", "/v1/providers/nobody", None).await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_verification_is_set_rotated_and_taken_away() {
    let server = TestServer::start().await;
    let source = made(&server).await;
    let path = format!("{source}/verification");
    assert_eq!(own(&server, "GET", &path, None).await.0, StatusCode::NOT_FOUND);
    let wanted = json!({"provider": "stripe", "secrets": ["whsec_1"], "tolerance_seconds": 60});
    let (status, set) = own(&server, "PUT", &path, Some(wanted)).await;
    assert_eq!((status, &set["secrets"]), (StatusCode::OK, &json!(1)), "{set}");
    assert!(!set.to_string().contains("whsec_1"), "{set}");
    assert_eq!(own(&server, "GET", &path, None).await, (StatusCode::OK, set));
    assert_eq!(own(&server, "GET", &source, None).await.1["provider"], "stripe");

    // The same provider keeps its secrets, another one does not.
    let again = json!({"provider": "stripe"});
    let (_, kept) = own(&server, "PUT", &path, Some(again)).await;
    assert_eq!((&kept["secrets"], &kept["tolerance_seconds"]), (&json!(1), &Value::Null));
    let other = own(&server, "PUT", &path, Some(json!({"provider": "github"}))).await;
    assert_eq!((other.0, fault(&other.1)), (StatusCode::BAD_REQUEST, ("invalid_value", "secrets")));

    let secrets = format!("{path}/secrets");
    for (body, count) in [
        (json!({"secret": "whsec_2"}), 2),
        (json!({"secret": "whsec_3"}), 2),
        (json!({"secret": "whsec_3", "keep": 9}), 2),
        (json!({"secret": "whsec_4", "keep": 0}), 1),
    ] {
        let (status, shown) = own(&server, "POST", &secrets, Some(body)).await;
        assert_eq!((status, &shown["secrets"]), (StatusCode::OK, &json!(count)), "{shown}");
    }
    assert_eq!(own(&server, "GET", &format!("{path}/learnt"), None).await.0, StatusCode::NOT_FOUND);
    assert_eq!(own(&server, "DELETE", &path, None).await.0, StatusCode::NO_CONTENT);
    assert_eq!(own(&server, "GET", &path, None).await.0, StatusCode::NOT_FOUND);
    let (status, _) = own(&server, "POST", &secrets, Some(json!({"secret": "s"}))).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_scheme_of_the_owners_own_can_be_set() {
    let server = TestServer::start().await;
    let source = made(&server).await;
    let path = format!("{source}/verification");
    let scheme = json!({
        "algorithm": "hmac-sha1",
        "signature": {"from": "header:X-Ours", "prefix": "v="},
        "encoding": "base64",
        "signed": "{header:x-id}|{body}",
    });
    let wanted = json!({"scheme": scheme, "secrets": ["s"]});
    let (status, set) = own(&server, "PUT", &path, Some(wanted)).await;
    assert_eq!(
        (status, &set["scheme"]["algorithm"]),
        (StatusCode::OK, &json!("hmac-sha1")),
        "{set}"
    );
    assert_eq!(own(&server, "GET", &source, None).await.1["provider"], "custom");
}

#[tokio::test]
async fn settings_that_prove_nothing_are_named() {
    let server = TestServer::start().await;
    let source = made(&server).await;
    let path = format!("{source}/verification");
    let scheme = |signed: &str| {
        json!({
            "algorithm": "hmac-sha256", "signature": {"from": "header:x-s"}, "signed": signed,
        })
    };
    for (body, field) in [
        (json!({}), "provider"),
        (json!({"provider": "nobody"}), "provider"),
        (json!({"provider": "square", "secrets": ["s"]}), "provider"),
        (json!({"provider": "github"}), "secrets"),
        (json!({"provider": "github", "secrets": [""]}), "secrets"),
        (json!({"provider": "adyen", "secrets": ["no hex"]}), "secrets"),
        (json!({"provider": "paypal", "secrets": ["AAAA"]}), "settings"),
        (
            json!({"provider": "github", "secrets": ["s"], "handshake_secret": "t"}),
            "handshake_secret",
        ),
        (
            json!({"provider": "github", "secrets": ["s"], "tolerance_seconds": 5}),
            "tolerance_seconds",
        ),
        (json!({"provider": "github", "secrets": ["s"], "header": "a b"}), "header"),
        (json!({"scheme": scheme("{timestamp}"), "secrets": ["s"]}), "scheme"),
        (json!({"scheme": scheme("{url}{body}"), "secrets": ["s"]}), "scheme"),
        (json!({"scheme": scheme("{nothing}"), "secrets": ["s"]}), "scheme.signed"),
        (json!({"provider": "github", "secrets": ["s"], "color": "red"}), "color"),
    ] {
        let (status, problem) = own(&server, "PUT", &path, Some(body.clone())).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{body}: {problem}");
        assert_eq!(fault(&problem), ("invalid_value", field), "{body}: {problem}");
    }
    let doctor = format!("{source}/doctor");
    for (body, field) in [
        (json!({"headers": [{"name": "a b", "value": ""}]}), "headers[0].name"),
        (json!({"headers": [{"name": "a", "value": "\n"}]}), "headers[0].value"),
        (json!({"headers": [], "body_base64": "!"}), "body_base64"),
        (json!({"headers": [], "method": "PUT"}), "method"),
    ] {
        let (status, problem) = own(&server, "POST", &doctor, Some(body.clone())).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{body}: {problem}");
        assert_eq!(fault(&problem).1, field, "{body}");
    }
}

#[tokio::test]
async fn a_provider_that_signs_the_url_needs_the_public_one() {
    let public_url = Some("https://hooks.example.com".to_owned());
    let server = TestServer::with(Settings { public_url, ..Settings::default() }).await;
    let source = made(&server).await;
    let wanted = json!({"provider": "square", "secrets": ["s"]});
    let (status, set) = own(&server, "PUT", &format!("{source}/verification"), Some(wanted)).await;
    assert_eq!(status, StatusCode::OK, "{set}");
}

#[tokio::test]
async fn a_learnt_secret_can_be_read_by_who_may_write() {
    let server = TestServer::start().await;
    let source = made(&server).await;
    let path = format!("{source}/verification");
    own(&server, "PUT", &path, Some(json!({"provider": "notion"}))).await;
    let learnt = format!("{path}/learnt");
    assert_eq!(own(&server, "GET", &learnt, None).await, (StatusCode::OK, json!({})));
    let target = own(&server, "GET", &source, None).await.1["path"].as_str().unwrap().to_owned();
    let token = json!({"verification_token": "secret_1"});
    let answer = send(&server, "", "POST", &target, Some(&token)).await;
    assert_eq!((answer.status, answer.body.as_str()), (StatusCode::OK, ""));
    assert_eq!(own(&server, "GET", &learnt, None).await.1, json!({"secret": "secret_1"}));
    // Another one is not believed any more.
    let token = json!({"verification_token": "secret_2"});
    assert_eq!(
        send(&server, "", "POST", &target, Some(&token)).await.status,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(own(&server, "GET", &learnt, None).await.1, json!({"secret": "secret_1"}));
    assert_eq!(send(&server, READ_KEY, "GET", &learnt, None).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn strangers_see_and_change_nothing() {
    let server = TestServer::start().await;
    let source = made(&server).await;
    let path = format!("{source}/verification");
    let wanted = json!({"provider": "github", "secrets": ["s"]});
    own(&server, "PUT", &path, Some(wanted.clone())).await;
    let question = json!({"headers": []});
    let secret = json!({"secret": "t"});
    for (method, path, body) in [
        ("GET", path.clone(), None),
        ("PUT", path.clone(), Some(&wanted)),
        ("DELETE", path.clone(), None),
        ("POST", format!("{path}/secrets"), Some(&secret)),
        ("GET", format!("{path}/learnt"), None),
        ("POST", format!("{source}/doctor"), Some(&question)),
    ] {
        let answer = send(&server, OTHER_KEY, method, &path, body).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{method} {path}");
        let read_only = send(&server, READ_KEY, method, &path, body).await.status;
        let readable = method == "GET" && !path.ends_with("learnt");
        let wanted = if readable { StatusCode::OK } else { StatusCode::FORBIDDEN };
        assert_eq!(read_only, wanted, "{method} {path}");
    }
    assert_eq!(own(&server, "GET", &path, None).await.1["secrets"], 1);
}

#[tokio::test]
async fn a_refused_request_is_kept_shown_and_diagnosed() {
    let server = TestServer::start().await;
    let (_, made) = own(&server, "POST", "/v1/sources", Some(json!({"name": "gitlab"}))).await;
    let source = format!("/v1/sources/{}", made["id"]);
    let wanted = json!({"provider": "gitlab", "secrets": ["other"]});
    own(&server, "PUT", &format!("{source}/verification"), Some(wanted)).await;
    let url = format!("{}?token=t&a=1", made["path"].as_str().unwrap());
    let refuse = async |token: &str| {
        let request = Request::post(&url)
            .header("x-gitlab-token", token)
            .header("x-api-key", "of-somebody")
            .header("content-type", "application/json");
        let request = request.body(Body::from("{\"a\" : 1}")).unwrap();
        assert_eq!(server.send(request).await.status, StatusCode::UNAUTHORIZED);
    };
    refuse("right").await;
    let (_, log) = own(&server, "GET", &format!("{source}/rejections"), None).await;
    let line = &log["rejections"][0];
    assert_eq!((&line["cause"], &line["has_request"]), (&json!("proof"), &json!(true)), "{log}");
    let path = format!("{source}/rejections/{}", line["id"]);
    let (status, shown) = own(&server, "GET", &path, None).await;
    assert_eq!((status, &shown["id"]), (StatusCode::OK, &line["id"]), "{shown}");
    // Nothing of it tells a secret, the body is as it came.
    let request = &shown["request"];
    assert!(request["target"].as_str().unwrap().ends_with("?token=***&a=1"), "{shown}");
    for secret in ["right", "of-somebody"] {
        assert!(!shown.to_string().contains(secret), "{shown}");
    }
    assert_eq!(
        (&request["body_base64"], &request["bytes"]),
        (&json!("eyJhIiA6IDF9"), &json!(9)),
        "{shown}"
    );

    let doctor = format!("{source}/doctor");
    let ask = async |body: Value| own(&server, "POST", &doctor, Some(body)).await;
    let (status, found) = ask(json!({"rejection": line["id"]})).await;
    assert_eq!((status, &found["cause"]), (StatusCode::OK, &json!("wrong_secret")), "{found}");
    // The settings that are there now count.
    let wanted = json!({"provider": "gitlab", "secrets": ["right"]});
    own(&server, "PUT", &format!("{source}/verification"), Some(wanted)).await;
    let (_, found) = ask(json!({"rejection": line["id"]})).await;
    assert_eq!(found["verified"], true, "{found}");
    for wrong in [
        json!({"rejection": 999}),
        json!({"rejection": line["id"], "headers": []}),
        json!({"rejection": line["id"], "url": "https://a.test/"}),
    ] {
        let (_, problem) = ask(wrong).await;
        assert_eq!(fault(&problem), ("invalid_value", "rejection"));
    }
    assert_eq!(fault(&ask(json!({})).await.1), ("invalid_value", "headers"));
    let answer = send(&server, OTHER_KEY, "GET", &path, None).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    let missing = own(&server, "GET", &format!("{source}/rejections/999"), None).await;
    assert_eq!(missing.0, StatusCode::NOT_FOUND);

    // A source that keeps nothing for inspection keeps nothing of this either.
    own(&server, "PATCH", &source, Some(json!({"inspection_seconds": 0}))).await;
    refuse("wrong").await;
    let (_, log) = own(&server, "GET", &format!("{source}/rejections"), None).await;
    assert_eq!(log["rejections"][0]["has_request"], false);
    let body = json!({"rejection": log["rejections"][0]["id"]});
    assert_eq!(fault(&ask(body).await.1), ("invalid_value", "rejection"));
}
