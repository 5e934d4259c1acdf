use axum::http::StatusCode;
use serde_json::{Value, json};

use super::events::publish_json;
use super::{fault, own};
use crate::test_server::TestServer;

async fn endpoint(server: &TestServer, customer: Option<&str>) -> Value {
    let new = json!({"url": "https://x.test/h", "customer": customer,
        "subscriptions": [{"event_type": "order_create"}]});
    let (status, made) = own(server, "POST", "/v1/endpoints", Some(new)).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    assert_eq!(made.get("customer").and_then(Value::as_str), customer);
    made["id"].clone()
}

async fn publish(server: &TestServer, id: &str, customer: Option<&str>) -> Value {
    let mut event = json!({"specversion": "1.0", "id": id, "source": "/shop",
        "type": "order_create", "data": {}});
    if let Some(customer) = customer {
        event["customer"] = json!(customer);
    }
    publish_json(server, &event).await["matched"].clone()
}

#[tokio::test]
async fn customers_live() {
    let server = TestServer::start().await;
    let path = "/v1/customers/cus_9s6XKz";
    let body = json!({"name": "Acme", "metadata": {"plan": "gold", "crm": "7"}});
    let (status, made) = own(&server, "PUT", path, Some(body)).await;
    let expected = json!({"id": "cus_9s6XKz", "name": "Acme", "created_at": made["created_at"],
        "metadata": {"plan": "gold", "crm": "7"}, "endpoints": 0, "failing_endpoints": 0});
    assert_eq!((status, &made), (StatusCode::CREATED, &expected));
    assert_eq!(own(&server, "GET", path, None).await, (StatusCode::OK, made));
    let patch = json!({"name": null, "metadata": {"plan": "silver", "crm": null}});
    let (status, changed) = own(&server, "PATCH", path, Some(patch)).await;
    assert_eq!((status, changed.get("name")), (StatusCode::OK, None));
    assert_eq!(changed["metadata"], json!({"plan": "silver"}));
    let (status, replaced) = own(&server, "PUT", path, Some(json!({}))).await;
    assert_eq!((status, &replaced["metadata"]), (StatusCode::OK, &json!({})));

    for other in ["b", "a"] {
        endpoint(&server, Some(other)).await;
    }
    let (_, first) = own(&server, "GET", "/v1/customers?limit=2", None).await;
    let ids = |page: &Value| -> Vec<Value> {
        page["customers"].as_array().unwrap().iter().map(|one| one["id"].clone()).collect()
    };
    assert_eq!(ids(&first), ["a", "b"]);
    assert_eq!(first["customers"][0]["endpoints"], 1);
    let next = first["next"].as_str().unwrap();
    assert_eq!(next, "/v1/customers?after=b&limit=2");
    let (_, second) = own(&server, "GET", next, None).await;
    assert_eq!((ids(&second), second.get("next")), (vec![json!("cus_9s6XKz")], None));
    let (_, listed) = own(&server, "GET", "/v1/endpoints?customer=b", None).await;
    assert_eq!(listed["endpoints"].as_array().unwrap().len(), 1);
    assert_eq!(listed["endpoints"][0]["customer"], "b");
}

#[tokio::test]
async fn a_customer_is_removed_with_its_endpoints() {
    let server = TestServer::start().await;
    let (own_id, other) = (endpoint(&server, Some("acme")).await, endpoint(&server, None).await);
    publish(&server, "1", Some("acme")).await;
    let counted = |dry_run: bool| {
        json!({"endpoints": 1, "pending": 1, "dead_letters": 0,
        "dry_run": dry_run})
    };
    let dry = own(&server, "DELETE", "/v1/customers/acme?dry_run=true", None).await;
    assert_eq!(dry, (StatusCode::OK, counted(true)));
    let removed = own(&server, "DELETE", "/v1/customers/acme", None).await;
    assert_eq!(removed, (StatusCode::OK, counted(false)));
    for path in ["/v1/customers/acme".to_owned(), format!("/v1/endpoints/{own_id}")] {
        assert_eq!(own(&server, "GET", &path, None).await.0, StatusCode::NOT_FOUND, "{path}");
    }
    let (_, left) = own(&server, "GET", &format!("/v1/endpoints/{other}"), None).await;
    assert_eq!(left["queue"]["pending"], 1, "the owner gets the events of any customer");
    assert_eq!(publish(&server, "2", Some("acme")).await, 1);
}

#[tokio::test]
async fn events_reach_the_owner_and_their_own_customers_alone() {
    let server = TestServer::start().await;
    for customer in [None, Some("acme"), Some("Acme"), Some("other")] {
        endpoint(&server, customer).await;
    }
    for (customer, matched) in [(None, 1), (Some("acme"), 2), (Some("nobody"), 1), (Some("*"), 4)] {
        let id = format!("{customer:?}");
        assert_eq!(publish(&server, &id, customer).await, matched, "{customer:?}");
    }
    let (_, shown) = own(&server, "GET", "/v1/events?limit=1", None).await;
    assert_eq!(shown["events"][0]["event"]["customer"], "*");
}

#[tokio::test]
async fn bad_customers_are_refused_by_name() {
    let server = TestServer::start().await;
    let id = endpoint(&server, Some("acme")).await;
    let endpoint = format!("/v1/endpoints/{id}");
    let url = "https://x.test/h";
    let event = |customer: Value| {
        json!({"specversion": "1.0", "id": "x", "source": "/shop",
        "type": "order_create", "data": {}, "customer": customer})
    };
    let long = json!({"metadata": {"a": "x".repeat(4_090)}});
    for (method, path, body, field) in [
        ("PUT", "/v1/customers/a%20b", json!({}), "customer"),
        ("PUT", "/v1/customers/*", json!({}), "customer"),
        ("PUT", "/v1/customers/a", json!({"name": ""}), "name"),
        ("PUT", "/v1/customers/a", long.clone(), "metadata"),
        ("PATCH", "/v1/customers/acme", long, "metadata"),
        ("POST", "/v1/endpoints", json!({"url": url, "customer": "a/b"}), "customer"),
        ("POST", "/v1/endpoints", json!({"url": url, "customer": "*"}), "customer"),
        ("PATCH", &endpoint, json!({"customer": "other"}), "customer"),
        ("PATCH", &endpoint, json!({"customer": null}), "customer"),
        ("GET", "/v1/customers?after=a%2Fb", Value::Null, "after"),
    ] {
        let sent = (!body.is_null()).then(|| body.clone());
        let (status, problem) = own(&server, method, path, sent).await;
        let expected = (StatusCode::BAD_REQUEST, ("invalid_value", field));
        assert_eq!((status, fault(&problem)), expected, "{method} {path} {body}");
    }
    for customer in [json!("a/b"), json!(""), json!(7)] {
        let (status, problem) = super::events::try_publish(&server, &event(customer)).await;
        assert_eq!((status, fault(&problem).1), (StatusCode::BAD_REQUEST, "customer"));
    }
    for (method, path) in [
        ("GET", "/v1/customers/nobody"),
        ("GET", "/v1/customers/a%2Fb"),
        ("PATCH", "/v1/customers/nobody"),
        ("DELETE", "/v1/customers/nobody"),
    ] {
        let body = (method == "PATCH").then(|| json!({}));
        assert_eq!(own(&server, method, path, body).await.0, StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn the_ultracart_api_knows_no_customers() {
    let server = TestServer::start().await;
    let (acme, _) = (endpoint(&server, Some("acme")).await, endpoint(&server, None).await);
    let (status, listed) = own(&server, "GET", "/rest/v2/webhook/webhooks", None).await;
    assert_eq!(status, StatusCode::OK);
    let webhooks = listed["webhooks"].as_array().unwrap();
    assert_eq!(webhooks.len(), 1, "{listed}");
    assert_ne!(webhooks[0]["webhook_oid"], acme);
    let base = format!("/rest/v2/webhook/webhooks/{acme}");
    for (method, path, body) in [
        ("DELETE", base.clone(), None),
        ("PUT", base.clone(), Some(json!({"webhook_url": "https://y.test/"}))),
        ("GET", format!("{base}/logs"), None),
        ("GET", format!("{base}/logs/r1"), None),
        ("POST", format!("{base}/reflow/order_create"), None),
    ] {
        let unknown = path.replace(&format!("/{acme}"), "/99");
        let unknown = own(&server, method, &unknown, body.clone()).await;
        assert!(!unknown.0.is_success(), "{method} {path}");
        assert_eq!(own(&server, method, &path, body).await, unknown, "{method} {path}");
    }
    // Of two with the same target the owner's goes, though the customer's has the lower number.
    let target = Some(json!({"webhook_url": "https://x.test/h"}));
    let (status, gone) = own(&server, "DELETE", "/rest/v2/webhook/webhooks", target.clone()).await;
    assert_eq!((status, gone["webhook"]["webhook_oid"] == acme), (StatusCode::OK, false));
    let (status, _) = own(&server, "DELETE", "/rest/v2/webhook/webhooks", target).await;
    assert!(!status.is_success(), "{status}");
    let path = format!("/v1/endpoints/{acme}");
    assert_eq!(own(&server, "GET", &path, None).await.0, StatusCode::OK);
}
