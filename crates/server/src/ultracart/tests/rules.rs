//! Row 44 of the spec's acceptance calls: only what matches the rule is sent.

use serde_json::json;

use super::*;

/// As a person writes it, to be kept to the byte.
const RULE: &str = "{ \"current_stage\" : [\"Shipping Department\"] }\n";

fn webhook(rule: &str) -> String {
    json!({
        "webhook_url": "https://x.test/h",
        "event_categories": [{"events": [{"event_name": "order_create", "event_ruler": rule}]}],
    })
    .to_string()
}

fn subscription(webhook: &Value) -> &Value {
    let categories = webhook["event_categories"].as_array().unwrap().iter();
    let mut events = categories.flat_map(|category| category["events"].as_array().unwrap());
    events.find(|event| event["event_name"] == "order_create").unwrap()
}

/// Publishes orders in these stages; how many endpoints each matched.
async fn publish(server: &TestServer, run: &str, stages: &[&str]) -> Vec<u64> {
    let event = |(n, stage): (usize, &&str)| {
        json!({
            "specversion": "1.0", "id": format!("{run}{n}"), "source": "/shop",
            "type": "order_create", "data": {"order_id": n.to_string(), "current_stage": stage},
        })
    };
    let batch: Vec<_> = stages.iter().enumerate().map(event).collect();
    let request = Request::post("/v1/events")
        .header("x-ultracart-simple-key", SIMPLE_KEY)
        .header("content-type", "application/cloudevents-batch+json")
        .body(Body::from(Value::from(batch).to_string()));
    let answer = server.send(request.unwrap()).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.body);
    let receipts: Value = serde_json::from_str(&answer.body).unwrap();
    let matched = |receipt: &Value| receipt["matched"].as_u64().unwrap();
    receipts.as_array().unwrap().iter().map(matched).collect()
}

async fn pending(sdk: &Sdk<'_>) -> Value {
    sdk.get(LIST).await.ok()["webhooks"][0]["pending"].take()
}

#[tokio::test]
async fn only_matching_orders_are_queued_and_reflowed() {
    let server = TestServer::start().await;
    let sdk = Sdk::new(&server, NEWEST);
    let made = sdk.insert(&webhook(RULE)).await;
    assert_eq!(subscription(&made)["event_ruler"], RULE);
    let stages = ["Accounts Receivable", "Shipping Department", "Completed Order"];
    assert_eq!(publish(&server, "a", &stages).await, [0, 1, 0]);
    assert_eq!(pending(&sdk).await, 1);
    sdk.post(&format!("{}/reflow/order_create", path(&made)), "").await.ok();
    assert_eq!(pending(&sdk).await, 2);
    // Clients that know both answers see the first request: one order, not three.
    let legacy = Sdk::new(&server, SEED);
    let reply = legacy.post(&format!("{}/reflow/order_create", path(&made)), "").await.ok();
    let request = reply["webhook_sample_request"]["request"].as_str().unwrap();
    assert_eq!(request.matches(r#""order_id""#).count(), 1, "{request}");
}

#[tokio::test]
async fn a_rule_is_replaced_kept_and_taken_away() {
    let server = TestServer::start().await;
    let sdk = Sdk::new(&server, NEWEST);
    let made = sdk.insert(&webhook(RULE)).await;
    let kept = r#"{"event_categories":[{"events":[{"event_name":"order_create"}]}]}"#;
    let after = sdk.put(&path(&made), kept).await.ok();
    assert_eq!(subscription(&after["webhook"])["event_ruler"], RULE);
    assert_eq!(publish(&server, "a", &["x"]).await, [0]);
    for (run, none) in [("b", r#""event_ruler":null"#), ("c", r#""event_ruler":"""#)] {
        let event = format!(r#"{{"event_name":"order_create",{none}}}"#);
        let body = format!(r#"{{"event_categories":[{{"events":[{event}]}}]}}"#);
        let after = sdk.put(&path(&made), &body).await.ok();
        assert_eq!(subscription(&after["webhook"]).get("event_ruler"), None);
        assert_eq!(publish(&server, run, &["x"]).await, [1]);
        sdk.put(&path(&made), &webhook(RULE)).await.ok();
    }
}

#[tokio::test]
async fn an_invalid_rule_is_refused_with_its_path_its_value_and_the_fix() {
    let server = TestServer::start().await;
    let sdk = Sdk::new(&server, NEWEST);
    let made = sdk.insert(&webhook(RULE)).await;
    for (rule, at, value) in [
        (r#"{"a":1}"#, "a: ", "in 1"),
        (r#"{"a":{"b":[{"numeric":[">","5"]}]}}"#, "a.b: ", r#"in "5""#),
        (r#"{"a":[{"prefixed":"x"}]}"#, "a: ", "prefixed"),
        ("{}", "", ""),
        ("[]", "", ""),
        ("{", "", ""),
        (" ", "", ""),
    ] {
        for message in [
            sdk.post(LIST, &webhook(rule)).await.refused(400),
            sdk.put(&path(&made), &webhook(rule)).await.refused(400),
        ] {
            let start = format!("event_categories[0].events[0].event_ruler: {at}");
            assert!(message.starts_with(&start) && message.contains(value), "{rule}: {message}");
            assert!(message.contains('('), "no fix: {message}");
        }
    }
    assert_eq!(publish(&server, "a", &["x", "Shipping Department"]).await, [0, 1]);
    assert_eq!(sdk.get(LIST).await.ok()["webhooks"].as_array().unwrap().len(), 1);
}
