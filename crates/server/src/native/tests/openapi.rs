use axum::body::Body;
use axum::http::{Request, StatusCode};
use hookyard_core::model::Catalogue;

use super::own;
use crate::native::events::EventPage;
use crate::native::{document, paths};
use crate::problem::{Code, Problem};
use crate::test_server::TestServer;

/// The description as it is published. To update it after a change that is wanted, run
/// `UPDATE_OPENAPI=1 cargo test -p hookyard-server openapi` and read its diff.
const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");

#[tokio::test]
async fn the_description_is_the_published_one() {
    let server = TestServer::start().await;
    let request = Request::get(&*paths::OPENAPI).body(Body::empty());
    let answer = server.send(request.unwrap()).await;
    assert_eq!(answer.status, StatusCode::OK);
    if std::env::var_os("UPDATE_OPENAPI").is_some() {
        std::fs::write(GOLDEN, &answer.body).unwrap();
    }
    let golden = std::fs::read_to_string(GOLDEN).unwrap_or_default();
    assert!(
        answer.body == golden,
        "crates/server/openapi.json differs; if the change is wanted, run \
         UPDATE_OPENAPI=1 cargo test -p hookyard-server openapi"
    );
    assert_eq!(own(&server, "GET", "/v1/openapi.json?x=1", None).await.0, StatusCode::BAD_REQUEST);
}

#[test]
fn every_operation_says_all_about_itself() {
    let document = document::whole();
    assert_eq!(document["openapi"], "3.1.0");
    let schemas = &document["components"]["schemas"];
    let mut ids = std::collections::HashSet::new();
    for (path, method, operation) in document::each_operation(&document) {
        let at = format!("{method} {path}");
        let id = operation["operationId"].as_str().unwrap();
        assert!(ids.insert(id.to_owned()), "{id} is there twice");
        assert!(!operation["summary"].as_str().unwrap_or_default().is_empty(), "{at}");
        assert_eq!(operation["tags"].as_array().map(Vec::len), Some(1), "{at}");
        let open = path == "/v1/openapi.json" || !path.starts_with("/v1/");
        assert_eq!(document::scope_of(operation).is_none(), open, "{at}");
        let named = path.split('{').skip(1).filter_map(|rest| rest.split_once('}'));
        let named: Vec<_> = named.map(|(name, _)| name).collect();
        let described = operation["parameters"].as_array().into_iter().flatten();
        let described = described.filter(|parameter| parameter["in"] == "path");
        let described: Vec<_> = described.map(|parameter| &parameter["name"]).collect();
        assert_eq!(described, named, "{at}: its `Call` looks for other parts of the path");
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            assert!(parameter["description"].is_string(), "{at}: {parameter}");
        }
        for (kind, content) in operation["requestBody"]["content"].as_object().into_iter().flatten()
        {
            let schema = &content["schema"];
            let name = schema["$ref"].as_str().or(schema["items"]["$ref"].as_str()).unwrap();
            let name = name.rsplit('/').next().unwrap();
            assert!(schemas[name]["examples"][0].is_object(), "{at}: {kind} has no example");
        }
    }
}

#[test]
fn the_list_of_codes_is_whole() {
    let document = document::whole();
    let codes = document["components"]["schemas"]["ProblemCode"].to_string();
    for code in Code::ALL {
        let body = serde_json::to_value(Problem::sample(code).body()).unwrap();
        let name = body["code"].as_str().unwrap();
        assert!(codes.contains(&format!("\"{name}\"")), "{name} is not in {codes}");
    }
    let docs = include_str!("../../../../../docs/reference/native-api.md");
    for code in Code::ALL {
        let name = serde_json::to_value(code).unwrap();
        let row = format!("| `{}` | {} |", name.as_str().unwrap(), code.status().as_u16());
        assert!(docs.contains(&row), "docs/reference/native-api.md lacks `{row}`");
    }
}

#[test]
fn the_journal_is_as_described() {
    let event = hookyard_core::model::Event {
        seq: hookyard_core::id::Seq(1),
        workspace: crate::test_server::WORKSPACE,
        event_type: hookyard_core::id::EventTypeId(1),
        accepted_at: jiff::Timestamp::UNIX_EPOCH,
        id: "a\"".to_owned(),
        source: "/shop".to_owned(),
        attributes: r#"{"subject":"s"}"#.to_owned(),
        object: bytes::Bytes::from_static(b"{}"),
        matched: 2,
        damaged: false,
    };
    let shown = crate::native::event::show(&Catalogue::default(), &event);
    let page: EventPage = serde_json::from_str(&format!(r#"{{"events":[{shown}]}}"#)).unwrap();
    let first = &page.events[0];
    assert_eq!((first.seq, first.matched, page.next.as_deref()), (1, Some(2), None));
    assert_eq!(first.accepted_at, Some(jiff::Timestamp::UNIX_EPOCH));
    let shown = first.event.as_ref().unwrap();
    assert_eq!((&*shown.id, &*shown.source, &*shown.specversion), ("a\"", "/shop", "1.0"));
    assert!(shown.data.is_empty() && shown.r#type.is_empty());
    let damaged = hookyard_core::model::Event { damaged: true, ..event };
    let shown = crate::native::event::show(&Catalogue::default(), &damaged);
    let page: EventPage = serde_json::from_str(&format!(r#"{{"events":[{shown}]}}"#)).unwrap();
    let first = &page.events[0];
    assert!(first.event.is_none() && first.damaged.as_ref().unwrap().contains("event 1 is"));
}
