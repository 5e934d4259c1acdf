//! Insert, update, list, delete.

use serde_json::json;

use super::*;
use crate::test_server::WORKSPACE;

/// A webhook with every text set and one subscription, of a category without expansions.
const FULL: &str = r#"{"webhook_url":"https:\/\/x.test\/h?a=1","name":"Orders",
    "merchant_comments":"For the ERP","authentication_type":"basic","basic_username":"u",
    "basic_password":"p","iam_access_key":"AKIA","iam_secret_key":"hidden",
    "api_version":"2017-03-01","maximum_events":10,"maximum_size":5242880,
    "compress_events":true,"disabled":false,"event_categories":[{"event_category":"user",
    "events":[{"event_name":"user_login","expansion":"a,b[c(1,\"png\")]","comments":"note",
    "event_ruler":null,"supports_reflow":true}]}],"pending":99,"merchant_id":"EVIL"}"#;

/// What a modern client reads of it, after its number.
const FULL_MODERN: &str = r#","merchant_id":"DEMO","webhook_url":"https://x.test/h?a=1","name":"Orders","merchant_comments":"For the ERP","authentication_type":"basic","basic_username":"u","basic_password":"p","iam_access_key":"AKIA","api_version":"2017-03-01","maximum_events":10,"maximum_size":5242880,"compress_events":true,"disabled":false,"consecutive_failures":0,"pending":0,"event_categories":[{"event_category":"user","subscribed":false,"any_subscribed":true,"available_expansions":[],"events":[{"webhook_event_oid":39,"event_name":"user_login","event_description":"DESCRIPTION","subscribed":true,"expansion":"a,b[c(1,\"png\")]","comments":"note","supports_reflow":false,"deprecated_flag":false,"discontinued_flag":false}]}]}"#;

fn full_modern() -> String {
    let (_, kind) = hookyard_core::catalogue::initial().by_name("user_login").unwrap();
    let text = FULL_MODERN
        .replace("\"webhook_event_oid\":39", &format!("\"webhook_event_oid\":{}", kind.id));
    text.replace("DESCRIPTION", &kind.description)
}

/// A webhook's own text, without its number, from an answer with one webhook.
fn without_oid(text: &str) -> &str {
    let start = text.find(r#","merchant_id""#).unwrap();
    let end = text.find(r#","success""#).unwrap();
    text[start..end].trim_end_matches(']')
}

fn subscribed(webhook: &Value) -> Vec<String> {
    let categories = webhook["event_categories"].as_array().unwrap();
    let events = categories.iter().flat_map(|category| category["events"].as_array().unwrap());
    let wanted = events.filter(|event| event["subscribed"] == true);
    wanted.map(|event| event["event_name"].as_str().unwrap().to_owned()).collect()
}

fn event_count(webhook: &Value) -> usize {
    let categories = webhook["event_categories"].as_array().unwrap();
    categories.iter().map(|category| category["events"].as_array().unwrap().len()).sum()
}

#[tokio::test]
async fn modern_answers_have_every_field_in_order() {
    let server = TestServer::start().await;
    let sdk = Sdk::new(&server, NEWEST);
    let inserted = sdk.post(LIST, FULL).await;
    let oid = inserted.json["webhook"]["webhook_oid"].as_i64().unwrap();
    let webhook = format!(r#"{{"webhook_oid":{oid}{}"#, full_modern());
    let one = format!(
        r#"{{"webhook":{webhook},"success":true,"metadata":{{"payload_name":"webhook"}}}}"#
    );
    assert_eq!(inserted.text, one);
    assert_eq!(sdk.put(&path(&inserted.json["webhook"]), "{}").await.text, one);
    assert_eq!(
        sdk.get(LIST).await.text,
        format!(
            r#"{{"webhooks":[{webhook}],"success":true,"metadata":{{"result_set":{{"count":1,"offset":0,"limit":100,"more":false,"total_records":1}},"payload_name":"webhooks"}}}}"#
        )
    );
    let by_url = sdk.delete(LIST, r#"{"webhook_url":"https://x.test/h?a=1","name":7}"#).await;
    assert_eq!(by_url.text, one, "the deleted object, with 200");
    assert_eq!(sdk.get(LIST).await.ok()["webhooks"], json!([]));
}

#[tokio::test]
async fn strict_clients_get_no_key_of_a_later_version() {
    let server = TestServer::start().await;
    let text = Sdk::new(&server, JAVA).post(LIST, FULL).await.text;
    let expected =
        full_modern().replace(r#""name":"Orders","merchant_comments":"For the ERP","#, "");
    assert_eq!(without_oid(&text), expected);
    let newer = Sdk::new(&server, "OpenAPI-Generator/4.1.99/java").get(LIST).await.text;
    assert_eq!(without_oid(&newer), full_modern());
}

#[tokio::test]
async fn legacy_clients_get_only_what_their_enums_have() {
    let server = TestServer::start().await;
    let sdk = Sdk::new(&server, SEED);
    let text = sdk.post(LIST, FULL).await.text;
    assert_eq!(without_oid(&text), full_modern(), "the version that this request carried");
    let text = sdk.get(LIST).await.text;
    assert_eq!(without_oid(&text), full_modern().replace(r#""api_version":"2017-03-01","#, ""));

    let old = r#"{"webhook_url":"https://y.test/h","api_version":"2016-10-01"}"#;
    let webhook = sdk.insert(old).await;
    assert_eq!(webhook["api_version"], "2016-10-01");
    let path = path(&webhook);
    let modern = Sdk::new(&server, NEWEST);
    let body = r#"{"authentication_type":"aws iam"}"#;
    let webhook = modern.put(&path, body).await.ok()["webhook"].take();
    assert_eq!(
        (&webhook["api_version"], &webhook["authentication_type"]),
        (&json!("2017-03-01"), &json!("aws iam"))
    );
    let text = sdk.get(&format!("{LIST}?_sort=-webhook_url&_limit=1")).await.text;
    assert!(!text.contains("api_version") && !text.contains("authentication_type"), "{text}");
    let middle = Sdk::new(&server, "OpenAPI-Generator/4.0.77/python");
    let text = middle.get(&format!("{LIST}?_sort=-webhook_url&_limit=1")).await.text;
    assert!(text.contains("api_version") && !text.contains("authentication_type"), "{text}");
}

#[tokio::test]
async fn a_url_is_enough() {
    let server = TestServer::start().await;
    let sdk = Sdk::new(&server, NEWEST);
    let webhook = sdk.insert(r#"{"webhook_url":"https://x.test/h"}"#).await;
    assert_eq!(webhook["event_categories"], json!([]));
    assert_eq!(webhook["maximum_events"], 100);
    assert_eq!(webhook["maximum_size"], 900_000);
    assert_eq!(webhook["authentication_type"], "none");
    assert_eq!(webhook.get("basic_username"), None);
    assert!(sdk.post(LIST, "{}").await.refused(400).starts_with("webhook_url: is required"));
}

#[tokio::test]
async fn basic_credentials_are_made_and_kept() {
    let server = TestServer::start().await;
    let sdk = Sdk::new(&server, NEWEST);
    let body = r#"{"webhook_url":"https://x.test/h","authentication_type":"basic"}"#;
    let webhook = sdk.insert(body).await;
    let user = webhook["basic_username"].as_str().unwrap();
    let password = webhook["basic_password"].as_str().unwrap();
    assert_eq!((user.len(), password.len()), (16, 32));
    let read = sdk.get(LIST).await.ok()["webhooks"][0].take();
    assert_eq!(read, webhook, "secrets are shown again");

    let path = path(&webhook);
    let body = r#"{"webhook_url":"https://x.test/other","disabled":true}"#;
    let changed = sdk.put(&path, body).await.ok()["webhook"].take();
    assert_eq!(changed["webhook_url"], "https://x.test/other");
    assert_eq!(changed["disabled"], true);
    assert_eq!(changed["basic_password"], webhook["basic_password"]);
    let changed = sdk.put(&path, r#"{"basic_password":"mine"}"#).await.ok()["webhook"].take();
    assert_eq!(changed["basic_password"], "mine");
    assert_eq!(changed["basic_username"], webhook["basic_username"]);
}

#[tokio::test]
async fn what_was_read_can_be_written_back() {
    let server = TestServer::start().await;
    let sdk = Sdk::new(&server, NEWEST);
    let body = r#"{"webhook_url":"https://x.test/h","event_categories":[
        {"event_category":"items","events":[{"event_name":"item_update","expansion":"pricing"}]},
        {"event_category":"order","events":[{"event_name":"order_create"}]}]}"#;
    let webhook = sdk.insert(body).await;
    assert_eq!(subscribed(&webhook), ["item_update", "order_create"]);
    assert_eq!(event_count(&webhook), 2);
    let path = format!("{}?_placeholders=True", path(&webhook));
    let everything =
        sdk.get(&format!("{LIST}?_placeholders=true")).await.ok()["webhooks"][0].take();
    assert_eq!(event_count(&everything), 43);
    assert_eq!(everything["event_categories"].as_array().unwrap().len(), 10);
    assert_eq!(subscribed(&everything), ["item_update", "order_create"]);
    let written = sdk.put(&path, &everything.to_string()).await.ok()["webhook"].take();
    assert_eq!(written, everything);

    // C# cannot send false, so what it read as false comes back without the key.
    let csharp = everything.to_string().replace(r#","subscribed":false"#, "");
    assert_ne!(csharp, everything.to_string());
    let written = sdk.put(&path, &csharp).await.ok()["webhook"].take();
    assert_eq!(written, everything);

    let none = sdk.put(&path, r#"{"event_categories":[]}"#).await.ok()["webhook"].take();
    assert_eq!(subscribed(&none), Vec::<String>::new());
    assert_eq!(event_count(&none), 43);
}

#[tokio::test]
async fn categories_say_whether_all_or_any_is_subscribed() {
    let server = TestServer::start().await;
    let sdk = Sdk::new(&server, NEWEST);
    let body = r#"{"webhook_url":"https://x.test/h","event_categories":[{"events":[
        {"event_name":"item_create"},{"event_name":"item_delete"},{"event_name":"item_update"},
        {"event_name":"user_login"}]}]}"#;
    let webhook = sdk.insert(body).await;
    let flags: Vec<_> = webhook["event_categories"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| (&c["event_category"], &c["subscribed"], &c["any_subscribed"]))
        .collect();
    let (item, user) = (json!("item"), json!("user"));
    assert_eq!(flags, [(&item, &json!(true), &json!(true)), (&user, &json!(false), &json!(true))]);
}

/// UltraCart has 10 categories with 43 events; a client that counts them must not find more.
#[tokio::test]
async fn hookyards_own_events_are_shown_only_where_they_are_subscribed() {
    let server = TestServer::start().await;
    let sdk = Sdk::new(&server, NEWEST);
    sdk.insert(FULL).await;
    let body = r#"{"webhook_url":"https://z.test/w","event_categories":[{"events":[
        {"event_name":"hookyard.endpoint.failing"}]}]}"#;
    let watcher = sdk.insert(body).await;
    assert_eq!(subscribed(&watcher), ["hookyard.endpoint.failing"]);
    let all = sdk.get(&format!("{LIST}?_placeholders=true")).await.ok()["webhooks"].take();
    for (webhook, categories, events) in [(&all[0], 10, 43), (&all[1], 11, 45)] {
        assert_eq!(webhook["event_categories"].as_array().unwrap().len(), categories);
        assert_eq!(event_count(webhook), events);
        let written =
            sdk.put(&format!("{}?_placeholders=true", path(webhook)), &webhook.to_string()).await;
        assert_eq!(&written.ok()["webhook"], webhook, "what is read can be written");
    }
    let catalogue = sdk.get("/rest/v2/webhook/webhook_event_categories").await;
    let catalogue = catalogue.ok();
    let categories = catalogue["event_categories"].as_array().unwrap();
    assert_eq!(categories.len(), 10);
    assert_eq!(event_count(&catalogue), 43);
}

#[tokio::test]
async fn the_catalogue_has_no_merchant_data() {
    let server = TestServer::start().await;
    let sdk = Sdk::new(&server, NEWEST);
    sdk.insert(FULL).await;
    let reply = sdk.get("/rest/v2/webhook/webhook_event_categories").await;
    assert!(reply.text.starts_with(r#"{"event_categories":[{"event_category":"auto_order","subscribed":false,"any_subscribed":false,"available_expansions":["add_ons","#), "{}", reply.text);
    assert!(
        reply
            .text
            .ends_with(r#"}]}],"success":true,"metadata":{"payload_name":"event_categories"}}"#)
    );
    let categories = reply.ok()["event_categories"].take();
    let webhook = json!({ "event_categories": categories });
    assert_eq!(event_count(&webhook), 43);
    assert_eq!(subscribed(&webhook), Vec::<String>::new());
}

#[tokio::test]
async fn errors_name_the_field_at_fault() {
    let server = TestServer::start().await;
    let sdk = Sdk::new(&server, NEWEST);
    let events = |event: &str| {
        let event_categories = format!(r#"[{{"events":[{event}]}}]"#);
        format!(r#"{{"webhook_url":"https://x.test/h","event_categories":{event_categories}}}"#)
    };
    let with = |text: &str| format!(r#"{{"webhook_url":"https://x.test/h",{text}}}"#);
    for (body, start) in [
        (events(r#"{"event_name":"nope"}"#), "event_categories[0].events[0].event_name: "),
        (
            events(r#"{"event_name":"user_login","event_ruler":"{\"a\":1}"}"#),
            "event_categories[0].events[0].event_ruler: a: ",
        ),
        (with(&format!(r#""name":"{}""#, "n".repeat(81))), "name: "),
        (with(&format!(r#""merchant_comments":"{}""#, "n".repeat(2_001))), "merchant_comments: "),
        (with(r#""maximum_events":-1"#), "maximum_events: "),
        (with(r#""maximum_size":"big""#), "maximum_size: "),
        (r#"{"webhook_url":"x.test/h"}"#.to_owned(), "webhook_url: "),
        (r#"{"webhook_url":"https://u:p@x.test/h"}"#.to_owned(), "webhook_url: "),
        (r#"{"webhook_url":"https://inside.test/h"}"#.to_owned(), "webhook_url: "),
        (r#"{"webhook_url":"https://10.0.0.1/h"}"#.to_owned(), "webhook_url: "),
    ] {
        let message = sdk.post(LIST, &body).await.refused(400);
        assert!(message.starts_with(start), "{body}: {message}");
    }
    let longest = format!(
        r#""name":"{}","merchant_comments":"{}","maximum_events":5.0"#,
        "n".repeat(80),
        "c".repeat(2_000)
    );
    sdk.insert(&with(&longest)).await;
    sdk.insert(r#"{"webhook_url":"https://nowhere.test/h"}"#).await;
}

#[tokio::test]
async fn plain_http_is_for_items_and_for_allowed_networks() {
    let server = TestServer::start().await;
    let sdk = Sdk::new(&server, NEWEST);
    let body = |url: &str, event: &str| {
        format!(
            r#"{{"webhook_url":"{url}","event_categories":[{{"events":[{{"event_name":"{event}"}}]}}]}}"#
        )
    };
    let webhook = sdk.insert(&body("http://x.test/h", "item_update")).await;
    sdk.insert(&body("http://127.0.0.1:9000/h", "order_create")).await;
    let message = sdk.post(LIST, &body("http://x.test/h", "order_create")).await.refused(400);
    assert!(message.starts_with("webhook_url: must be an https URL"), "{message}");
    // A URL is judged with what goes there: one that nothing goes to yet is not taken for what comes.
    let alone = sdk.post(LIST, r#"{"webhook_url":"http://y.test/h"}"#).await.refused(400);
    assert!(alone.contains("in the same request"), "{alone}");
    sdk.insert(r#"{"webhook_url":"http://127.0.0.1:9001/h"}"#).await;
    // What was good for items is not good for more.
    let path = path(&webhook);
    let more = r#"{"event_categories":[{"events":[{"event_name":"order_create"}]}]}"#;
    sdk.put(&path, more).await.refused(400);
    assert_eq!(subscribed(&sdk.get(LIST).await.ok()["webhooks"][2]), ["item_update"]);
    sdk.put(&path, r#"{"disabled":true}"#).await.ok();
}

#[tokio::test]
async fn pages_and_orders() {
    let server = TestServer::start().await;
    let sdk = Sdk::new(&server, NEWEST);
    for (host, disabled) in [("b", false), ("a", true), ("a", false), ("c", false)] {
        let url = format!("https://{host}.test/h");
        sdk.insert(&json!({"webhook_url": url, "disabled": disabled}).to_string()).await;
    }
    let order = async |query: &str| -> Vec<(char, bool)> {
        let webhooks = sdk.get(&format!("{LIST}?{query}")).await.ok()["webhooks"].take();
        let seen = webhooks.as_array().unwrap().iter();
        let key = |webhook: &Value| {
            let url = webhook["webhook_url"].as_str().unwrap();
            (url.chars().nth(8).unwrap(), webhook["disabled"].as_bool().unwrap())
        };
        seen.map(key).collect()
    };
    let default = [('a', false), ('a', true), ('b', false), ('c', false)];
    assert_eq!(order("").await, default);
    assert_eq!(order("_sort=%2Bwebhook_url").await, default);
    assert_eq!(
        order("_sort=-webhook_url").await,
        [('c', false), ('b', false), ('a', false), ('a', true)]
    );
    assert_eq!(
        order("_sort=-disabled,webhook_url").await,
        [('a', true), ('a', false), ('b', false), ('c', false)]
    );

    let page = sdk.get(&format!("{LIST}?_limit=3")).await.ok();
    assert_eq!(
        page["metadata"]["result_set"],
        json!({"count":3,"offset":0,"limit":3,"more":true,"next_offset":3,"total_records":4})
    );
    let page = sdk.get(&format!("{LIST}?_limit=3&_offset=3")).await.ok();
    assert_eq!(
        page["metadata"]["result_set"],
        json!({"count":1,"offset":3,"limit":3,"more":false,"total_records":4})
    );
    let page = sdk.get(&format!("{LIST}?_limit=200&_offset=2147483647")).await.ok();
    assert_eq!(page["webhooks"], json!([]));
}

#[tokio::test]
async fn deleting_by_url_takes_the_lowest_of_several() {
    let server = TestServer::start().await;
    let sdk = Sdk::new(&server, NEWEST);
    let body = r#"{"webhook_url":"https://x.test/h"}"#;
    let first = sdk.insert(body).await;
    let second = sdk.insert(body).await;
    let deleted = sdk.delete(LIST, body).await.ok()["webhook"].take();
    assert_eq!(deleted["webhook_oid"], first["webhook_oid"]);
    assert_eq!(sdk.delete(&path(&first), "").await.status, StatusCode::BAD_REQUEST);
    assert_eq!(sdk.delete(&path(&second), "").await.status, StatusCode::NO_CONTENT);
    sdk.delete(LIST, body).await.refused(400);
    sdk.delete(LIST, "{}").await.refused(400);
}

#[tokio::test]
async fn csharp_switches_off_by_leaving_out() {
    let server = TestServer::start().await;
    let sdk = Sdk::new(&server, NEWEST);
    let body = r#"{"webhook_url":"https://x.test/h","disabled":true,"compress_events":true}"#;
    let webhook = sdk.insert(body).await;
    let path = path(&webhook);
    let kept = sdk.put(&path, "{}").await.ok()["webhook"].take();
    assert_eq!((&kept["disabled"], &kept["compress_events"]), (&json!(true), &json!(true)));
    let csharp = Sdk::new(&server, "OpenAPI-Generator/4.1.77/csharp");
    let off = csharp.put(&path, "{}").await.ok()["webhook"].take();
    assert_eq!((&off["disabled"], &off["compress_events"]), (&json!(false), &json!(false)));
}

#[tokio::test]
async fn parallel_changes_are_all_kept() {
    let server = TestServer::start().await;
    let sdk = Sdk::new(&server, NEWEST);
    let webhook = sdk.insert(r#"{"webhook_url":"https://x.test/h"}"#).await;
    let path = path(&webhook);
    let (a, b, c) = tokio::join!(
        sdk.put(&path, r#"{"name":"n"}"#),
        sdk.put(&path, r#"{"merchant_comments":"c"}"#),
        sdk.put(&path, r#"{"maximum_events":7}"#),
    );
    for reply in [a, b, c] {
        reply.ok();
    }
    let webhook = sdk.get(LIST).await.ok()["webhooks"][0].take();
    assert_eq!(
        (&webhook["name"], &webhook["merchant_comments"], &webhook["maximum_events"]),
        (&json!("n"), &json!("c"), &json!(7))
    );
}

#[tokio::test]
async fn changed_endpoints_are_looked_at_again() {
    let server = TestServer::start().await;
    let sdk = Sdk::new(&server, NEWEST);
    let webhook = sdk.insert(r#"{"webhook_url":"https://x.test/h"}"#).await;
    let ready = server.store.ready();
    ready.take();
    sdk.put(&path(&webhook), r#"{"disabled":false}"#).await.ok();
    let endpoints = server.store.endpoints(WORKSPACE).await.unwrap();
    assert_eq!(ready.take(), [endpoints[0].id]);
}

#[tokio::test]
async fn old_java_gets_neither_rules_nor_compression() {
    let server = TestServer::start().await;
    let body = FULL.replace("\"event_ruler\":null", r#""event_ruler":"{\"a\":[1]}""#);
    Sdk::new(&server, NEWEST).post(LIST, &body).await.ok();
    let list = async |agent| Sdk::new(&server, agent).get(LIST).await.text;
    for (agent, rule, compressed) in [
        ("OpenAPI-Generator/4.0.15-RC/java", false, false),
        ("OpenAPI-Generator/4.0.79-RC/java", false, false),
        ("OpenAPI-Generator/4.0.80-RC/java", false, true),
        ("OpenAPI-Generator/4.0.193/java", false, true),
        ("OpenAPI-Generator/4.0.194/java", true, true),
        ("OpenAPI-Generator/4.0.15-RC/python", true, true),
        (SEED, true, true),
    ] {
        let text = list(agent).await;
        assert_eq!(text.contains("event_ruler"), rule, "{agent}: {text}");
        assert_eq!(text.contains("compress_events"), compressed, "{agent}: {text}");
    }
}

/// The agent of PHP has no version, and its older SDKs throw on the newer values.
#[tokio::test]
async fn php_reads_a_new_kind_of_authentication_only_where_it_sent_it() {
    const PHP: &str = "OpenAPI-Generator/1.0.0/PHP";
    let server = TestServer::start().await;
    let sdk = Sdk::new(&server, PHP);
    let body = r#"{"webhook_url":"https://x.test/h","authentication_type":"api user"}"#;
    let webhook = sdk.insert(body).await;
    assert_eq!(webhook["authentication_type"], "api user");
    let path = path(&webhook);
    let changed = sdk.put(&path, r#"{"disabled":true}"#).await.ok()["webhook"].take();
    assert_eq!(changed.get("authentication_type"), None);
    let changed = sdk.put(&path, r#"{"authentication_type":"basic"}"#).await.ok()["webhook"].take();
    assert_eq!(changed["authentication_type"], "basic");
    assert_eq!(sdk.get(LIST).await.ok()["webhooks"][0]["authentication_type"], "basic");
}
