//! Sending history again.

use super::logs::{id_of, publish};
use super::*;

const BODY: &str = r#"{"webhook_url":"https://x.test/h","authentication_type":"basic",
    "basic_password":"hidden","event_categories":[{"events":[{"event_name":"item_update"},
    {"event_name":"order_ship"}]}]}"#;

async fn pending(sdk: &Sdk<'_>) -> i64 {
    sdk.get(LIST).await.ok()["webhooks"][0]["pending"].as_i64().unwrap()
}

#[tokio::test]
async fn java_gets_the_answer_of_its_version_alone() {
    let server = TestServer::start().await;
    let webhook = Sdk::new(&server, NEWEST).insert(BODY).await;
    publish(&server, id_of(&webhook), "item_update", r#"{"merchant_item_oid":7}"#).await;
    let path = format!("{}/reflow/item_update", path(&webhook));
    for agent in [JAVA, "OpenAPI-Generator/4.0.242/java"] {
        let reply = Sdk::new(&server, agent).post(&path, "").await;
        assert_eq!(
            reply.text,
            r#"{"reflow":{"event_name":"item_update","queued":true},"success":true,"metadata":{"payload_name":"reflow"}}"#
        );
    }
    for agent in ["OpenAPI-Generator/4.0.241/java", "OpenAPI-Generator/4.0.15-RC/java"] {
        let reply = Sdk::new(&server, agent).post(&path, "").await;
        assert!(
            reply.text.starts_with(r#"{"webhook_sample_request":{"request":"#),
            "{}",
            reply.text
        );
        let end = r#"},"success":true,"metadata":{"payload_name":"webhook_sample_request"}}"#;
        assert!(reply.text.ends_with(end), "{}", reply.text);
        assert!(!reply.text.contains("\"reflow\""), "{}", reply.text);
    }
    assert_eq!(pending(&Sdk::new(&server, NEWEST)).await, 2, "the second was the first again");
}

#[tokio::test]
async fn all_other_clients_get_both_answers() {
    for agent in [SEED, NEWEST, "OpenAPI-Generator/4.0.100-RC/csharp", "RestSharp/105.1.0.0"] {
        both_answers(agent).await;
    }
}

async fn both_answers(agent: &'static str) {
    let server = TestServer::start().await;
    let sdk = Sdk::new(&server, agent);
    let webhook = sdk.insert(BODY).await;
    let path = format!("{}/reflow/item_update", path(&webhook));
    let sample = async || {
        let reply = sdk.post(&path, "").await;
        assert!(reply.text.starts_with(
            r#"{"reflow":{"event_name":"item_update","queued":true},"webhook_sample_request":{"request":"{\"events\":["#
        ));
        assert!(reply.text.ends_with(
            r#","uri":"https://x.test/h"},"success":true,"metadata":{"payload_name":"reflow"}}"#
        ));
        assert!(!reply.text.contains("hidden"), "{}", reply.text);
        reply.ok()["webhook_sample_request"].take()
    };
    let empty = sample().await;
    assert_eq!(empty["request"], r#"{"events":[]}"#);
    let headers = empty["request_headers"].as_array().unwrap();
    let value = |name: &str| {
        let found = headers.iter().find(|header| header["name"] == name);
        found.unwrap_or_else(|| panic!("no {name}"))["value"].as_str().unwrap()
    };
    assert_eq!(value("Content-Type"), "application/json; charset=UTF-8");
    assert_eq!(value("X-UltraCart-Request-Id"), empty["request_id"]);
    value("Authorization");

    publish(&server, id_of(&webhook), "item_update", r#"{"merchant_item_oid":7}"#).await;
    publish(&server, id_of(&webhook), "item_update", r#"{"merchant_item_oid":8}"#).await;
    assert_eq!(
        sample().await["request"],
        r#"{"events":[{"item_update":{"merchant_item_oid":7}},{"item_update":{"merchant_item_oid":8}}]}"#
    );
}

/// Row 37 of the spec's acceptance calls.
#[tokio::test]
async fn the_body_does_not_matter() {
    let server = TestServer::start().await;
    let sdk = Sdk::new(&server, NEWEST);
    let webhook = sdk.insert(BODY).await;
    let path = format!("{}/reflow/item_update", path(&webhook));
    for body in ["", "{}", "nonsense"] {
        sdk.post(&path, body).await.ok();
        let request = Request::post(&path)
            .header("x-ultracart-simple-key", SIMPLE_KEY)
            .header("content-type", "application/json")
            .body(Body::from(body));
        send(&server, request.unwrap()).await.ok();
    }
}

#[tokio::test]
async fn what_cannot_be_sent_again_is_refused() {
    let server = TestServer::start().await;
    let sdk = Sdk::new(&server, NEWEST);
    let webhook = sdk.insert(BODY).await;
    let path = path(&webhook);
    for event in ["order_ship", "order_create", "nope"] {
        let message = sdk.post(&format!("{path}/reflow/{event}"), "").await.refused(400);
        assert!(message.starts_with("eventName: ") && message.contains(event), "{message}");
    }
    let cancelled = r#"{"event_categories":[]}"#;
    sdk.put(&path, cancelled).await.ok();
    sdk.post(&format!("{path}/reflow/item_update"), "").await.refused(400);
}

#[tokio::test]
async fn a_disabled_webhook_queues_nothing() {
    let server = TestServer::start().await;
    let sdk = Sdk::new(&server, NEWEST);
    let webhook = sdk.insert(BODY).await;
    publish(&server, id_of(&webhook), "item_update", "{}").await;
    sdk.put(&path(&webhook), r#"{"disabled":true}"#).await.ok();
    let reply = sdk.post(&format!("{}/reflow/item_update", path(&webhook)), "").await.ok();
    assert_eq!(reply["reflow"]["queued"], false);
    assert_eq!(pending(&sdk).await, 1);
}
