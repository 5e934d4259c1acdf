//! Who sees a webhook's secrets, and where they stay.

use serde_json::{Value, json};

use super::super::webhook::MASK;
use super::*;
use crate::test_server::READ_KEY;

const BASIC: &str = r#"{"webhook_url":"https://x.test/h","authentication_type":"basic"}"#;

#[tokio::test]
async fn a_password_is_shown_to_those_who_may_change_it() {
    let server = TestServer::start().await;
    for agent in [SEED, NEWEST, JAVA] {
        let sdk = Sdk::new(&server, agent);
        let made = sdk.insert(BASIC).await;
        let password = made["basic_password"].as_str().unwrap().to_owned();
        let reader = Sdk { key: READ_KEY, ..Sdk::new(&server, agent) };
        for (client, shown) in [(&sdk, &*password), (&reader, MASK)] {
            let reply = client.get(LIST).await;
            assert_eq!(reply.headers["cache-control"], "no-store");
            let text = reply.text.clone();
            let hooks = reply.ok()["webhooks"].take();
            let hook = hooks.as_array().unwrap().last().unwrap();
            assert_eq!(hook["basic_password"], shown);
            assert_eq!(hook["basic_username"], made["basic_username"]);
            assert_eq!(text.contains(&password), shown != MASK);
        }
        // Whoever reads with one key and writes with another sends the mask.
        let masked = json!({"basic_password": MASK, "name": "n"}).to_string();
        let after = sdk.put(&path(&made), &masked).await.ok()["webhook"].take();
        assert_eq!(after["basic_password"], *password);
        sdk.delete(&path(&made), "").await;
    }
}

#[tokio::test]
async fn a_webhook_that_moves_gets_a_new_password_unless_it_brings_one() {
    let server = TestServer::start().await;
    let sdk = Sdk::new(&server, NEWEST);
    let made = sdk.insert(BASIC).await;
    let at = path(&made);
    let put = async |body: Value| {
        let answer = sdk.put(&at, &body.to_string()).await.ok()["webhook"].take();
        answer["basic_password"].as_str().unwrap().to_owned()
    };
    let first = made["basic_password"].as_str().unwrap();
    assert_eq!(put(json!({"webhook_url": "https://x.test/other"})).await, first);
    let second = put(json!({"webhook_url": "https://y.test/"})).await;
    assert!(second != first && second.len() == 32, "{second}");
    let third = put(json!({"webhook_url": "https://z.test/", "basic_password": MASK})).await;
    assert!(![first, &second, MASK].contains(&&*third), "{third}");

    // The whole object comes back, as read-modify-write has it.
    let mut whole = sdk.get(LIST).await.ok()["webhooks"][0].take();
    whole["webhook_url"] = json!("https://w.test/");
    assert_eq!(put(whole).await, third);
}

#[tokio::test]
async fn what_this_api_cannot_make_anew_must_be_brought() {
    let server = TestServer::start().await;
    let sdk = Sdk::new(&server, NEWEST);
    let queue = json!({"webhook_url": "https://sqs.us-east-1.amazonaws.com/1/a",
        "authentication_type": "aws iam", "iam_access_key": "k", "iam_secret_key": "s"});
    let made = sdk.insert(&queue.to_string()).await;
    let near = json!({"webhook_url": "https://sqs.us-east-1.amazonaws.com/1/b"});
    sdk.put(&path(&made), &near.to_string()).await.ok();
    let mut far = json!({"webhook_url": "https://sqs.eu-west-1.amazonaws.com/1/a"});
    let message = sdk.put(&path(&made), &far.to_string()).await.refused(400);
    assert!(message.starts_with("iam_secret_key: must be given anew"), "{message}");
    far["iam_secret_key"] = json!("t");
    sdk.put(&path(&made), &far.to_string()).await.ok();

    let made = sdk.insert(r#"{"webhook_url":"https://x.test/"}"#).await;
    let request = Request::patch(format!("/v1/endpoints/{}", made["webhook_oid"]))
        .header("x-ultracart-simple-key", SIMPLE_KEY)
        .header("content-type", "application/json")
        .body(Body::from(r#"{"auth":{"kind":"bearer","token":"t"}}"#));
    assert_eq!(server.send(request.unwrap()).await.status, StatusCode::OK);
    let moved = sdk.put(&path(&made), r#"{"webhook_url":"https://y.test/"}"#).await;
    let message = moved.refused(400);
    assert!(message.starts_with("auth.token: must be given anew"), "{message}");
}
