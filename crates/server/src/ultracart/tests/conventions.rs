//! Credentials, routes, errors.

use super::*;
use crate::test_server::{OTHER_KEY, READ_KEY, TOKEN};

fn request(method: Method, path: &str, headers: &[(&str, &str)], body: &str) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Body::from(body.to_owned())).unwrap()
}

async fn list_with(server: &TestServer, headers: &[(&str, &str)]) -> Reply {
    send(server, request(Method::GET, LIST, headers, "")).await
}

#[tokio::test]
async fn every_way_to_present_a_credential_works() {
    let server = TestServer::start().await;
    let bearer = format!("Bearer {TOKEN}");
    let prefixed = format!("Key {SIMPLE_KEY}");
    for headers in [
        &[("x-ultracart-simple-key", SIMPLE_KEY)][..],
        &[("x-ultracart-simple-key", SIMPLE_KEY), ("authorization", "Bearer ")],
        &[("x-ultracart-simple-key", SIMPLE_KEY), ("authorization", "Bearer wrong")],
        &[("x-ultracart-simple-key", prefixed.as_str())],
        &[("authorization", bearer.as_str())],
        &[("authorization", TOKEN)],
        &[("x-ultracart-simple-key", ""), ("authorization", bearer.as_str())],
    ] {
        list_with(&server, headers).await.ok();
    }
}

#[tokio::test]
async fn without_a_good_credential_there_is_nothing() {
    let server = TestServer::start().await;
    let bearer = format!("Bearer {TOKEN}");
    let key_as_token = format!("Bearer {SIMPLE_KEY}");
    for headers in [
        &[][..],
        &[("authorization", "Bearer ")],
        &[("x-ultracart-simple-key", "wrong")],
        &[("x-ultracart-simple-key", "wrong"), ("authorization", bearer.as_str())],
        &[("x-ultracart-simple-key", TOKEN)],
        &[("authorization", key_as_token.as_str())],
        &[("x-ultracart-browser-key", SIMPLE_KEY)],
    ] {
        let reply = list_with(&server, headers).await;
        assert_eq!(reply.headers["www-authenticate"], "Bearer");
        reply.refused(401);
    }
}

#[tokio::test]
async fn a_missing_scope_is_named() {
    let server = TestServer::start().await;
    let reader = Sdk { key: READ_KEY, ..Sdk::new(&server, NEWEST) };
    reader.get(LIST).await.ok();
    reader.get("/rest/v2/webhook/webhook_event_categories").await.ok();
    let oid = format!("{LIST}/1");
    for refused in [
        reader.post(LIST, "{}").await,
        reader.delete(LIST, "{}").await,
        reader.put(&oid, "{}").await,
        reader.delete(&oid, "").await,
        reader.post(&format!("{oid}/reflow/item_update"), "").await,
    ] {
        assert!(refused.refused(403).contains("webhook_write"));
    }
}

#[tokio::test]
async fn another_workspace_is_not_there() {
    let server = TestServer::start().await;
    let sdk = Sdk::new(&server, NEWEST);
    let webhook = sdk.insert(r#"{"webhook_url":"https://x.test/h"}"#).await;
    let other = Sdk { key: OTHER_KEY, ..Sdk::new(&server, NEWEST) };
    assert_eq!(other.get(LIST).await.ok()["webhooks"], serde_json::json!([]));
    let path = path(&webhook);
    other.put(&path, "{}").await.refused(400);
    other.delete(&path, "").await.refused(400);
    other.get(&format!("{path}/logs")).await.refused(400);
    other.delete(LIST, r#"{"webhook_url":"https://x.test/h"}"#).await.refused(400);
    assert_eq!(sdk.get(LIST).await.ok()["webhooks"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn unknown_routes_and_methods_answer_in_the_same_form() {
    let server = TestServer::start().await;
    let sdk = Sdk::new(&server, NEWEST);
    for path in ["/rest/v2", "/rest/v2/", "/rest/v2/webhook", "/rest/v2/order/orders"] {
        sdk.get(path).await.refused(404);
    }
    let reply = sdk.put(LIST, "{}").await;
    assert_eq!(reply.headers["allow"], "GET,HEAD,POST,DELETE");
    reply.refused(405);
    let reply = sdk.get(&format!("{LIST}/1")).await;
    assert_eq!(reply.headers["allow"], "DELETE,PUT");
    reply.refused(405);
}

#[tokio::test]
async fn a_slash_at_the_end_leads_to_the_same_place() {
    let server = TestServer::start().await;
    let sdk = Sdk::new(&server, NEWEST);
    let webhook = sdk.post(&format!("{LIST}/"), r#"{"webhook_url":"https://x.test/h"}"#).await.ok()
        ["webhook"]
        .take();
    let path = path(&webhook);
    sdk.get("/rest/v2/webhook/webhook_event_categories/").await.ok();
    sdk.get(&format!("{path}/logs/")).await.ok();
    let message = sdk.get(&format!("{path}/logs/a%20b/c%2Bd/")).await.refused(400);
    assert_eq!(message, "Server side object 'webhook_log' could not be read.  It does not exist.");
    assert_eq!(sdk.delete(&format!("{path}/"), "").await.status, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn unknown_objects_are_400_in_the_live_servers_words() {
    let server = TestServer::start().await;
    let sdk = Sdk::new(&server, NEWEST);
    let path = format!("{LIST}/999999999");
    assert_eq!(
        sdk.put(&path, "{}").await.refused(400),
        "Server side object 'webhook' could not be updated.  It does not exist."
    );
    assert_eq!(
        sdk.delete(&path, "").await.refused(400),
        "Server side object 'webhook' could not be deleted.  It does not exist."
    );
    for missing in [
        sdk.get(&format!("{path}/logs")).await,
        sdk.get(&format!("{path}/logs/x")).await,
        sdk.post(&format!("{path}/reflow/item_update"), "").await,
        sdk.delete(LIST, r#"{"webhook_url":"https://nobody.test"}"#).await,
    ] {
        assert!(missing.refused(400).ends_with("It does not exist."));
    }
    assert!(sdk.delete(&format!("{LIST}/x"), "").await.refused(400).starts_with("webhookOid: "));
    assert!(sdk.delete(&format!("{LIST}/%FF"), "").await.refused(400).starts_with("path: "));
}

#[tokio::test]
async fn bodies_are_bounded_and_must_be_objects() {
    let server = TestServer::start().await;
    let sdk = Sdk::new(&server, NEWEST);
    let huge = format!(r#"{{"webhook_url":"{}"}}"#, "x".repeat(1 << 20));
    sdk.post(LIST, &huge).await.refused(413);
    for body in ["", "[]", "nonsense", r#"{"webhook_url":"https://x.test/h""#] {
        let message = sdk.post(LIST, body).await.refused(400);
        assert!(message.starts_with("the body cannot be read: "), "{message}");
    }
}

/// Row 36 of the spec's acceptance calls, and the parameters that must be refused.
#[tokio::test]
async fn every_spelling_of_a_parameter_is_read() {
    let server = TestServer::start().await;
    let sdk = Sdk::new(&server, NEWEST);
    for query in [
        "_placeholders=1",
        "_placeholders=TRUE",
        "_placeholders=null",
        "_sort=null",
        "_sort=",
        "_limit=100&_offset=0&_sort=None&_placeholders=None",
        "_limit=50&_offset=10&_sort=%2Bwebhook_url%2C-disabled&_placeholders=True",
        "unknown=1",
    ] {
        sdk.get(&format!("{LIST}?{query}")).await.ok();
    }
    for query in ["_limit=0", "_limit=201", "_offset=-1", "_placeholders=x", "_sort=%2Bnope"] {
        let message = sdk.get(&format!("{LIST}?{query}")).await.refused(400);
        let name = query.split('=').next().unwrap();
        assert!(message.starts_with(&format!("{name}: ")), "{message}");
    }
}

#[tokio::test]
async fn a_store_that_cannot_commit_asks_to_come_again() {
    let server = TestServer::start().await;
    let sdk = Sdk::new(&server, NEWEST);
    sdk.get(LIST).await.ok();
    server.store.close().await.unwrap();
    let reply = sdk.post(LIST, r#"{"webhook_url":"https://x.test/h"}"#).await;
    assert_eq!(reply.headers["retry-after"], "1");
    reply.refused(503);
}
