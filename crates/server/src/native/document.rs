//! The OpenAPI description: the statements of each route's code, and the parts common to all operations.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::server::ServerBuilder;
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{Components, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, schema};
use utoipa::{PartialSchema, ToSchema};

use super::call::{Anyone, Call};
use super::{
    applications, credentials, customers, datasets, endpoints, event_types, folders, input, paths,
    publish, rules_test, sources, tables, tenants,
};
use crate::problem::{Code, Problem, ProblemBody};

/// The methods of operations in a path.
const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// The purpose of the API, for readers of the description.
const ABOUT: &str = "What the compatible APIs cannot say: publishing events and reading the \
    journal, endpoints, sources and datasets with everything they can do, and the event types of the workspace.\n\nAll \
    of it belongs to the workspace of the credential; what belongs to another one is not found. \
    Errors are problem details (RFC 9457) with a `code` of a closed list. Bodies with members \
    that are not described, and queries with parameters that are not, are refused.";

/// Stands for the URL of the server until a description is served.
const SERVER: &str = "https://server.invalid";

/// The description before and after the URL of the server, the only part that depends on the settings.
static TEXT: LazyLock<(String, String)> = LazyLock::new(|| {
    let text = serde_json::to_string_pretty(&whole()).unwrap_or_default();
    let (before, after) = text.split_once(&json!(SERVER).to_string()).unwrap_or((&text, ""));
    (before.to_owned(), format!("{after}\n"))
});

/// Get this description
#[utoipa::path(
    get,
    path = paths::OPENAPI,
    tag = "installation",
    responses((status = 200, description = "The description of this API", body = Object)),
)]
pub(super) async fn get_openapi(call: Call<Anyone>) -> Result<Response, Problem> {
    // Without a public URL, clients resolve the paths against the URL of the description.
    let server = call.app.settings.public_url.as_deref().unwrap_or("/");
    let (before, after) = &*TEXT;
    let text = format!("{before}{}{after}", json!(server));
    Ok(([(header::CONTENT_TYPE, input::JSON)], text).into_response())
}

/// The part of the description that no route knows.
pub(super) fn base() -> OpenApi {
    let info = InfoBuilder::new()
        .title("Hookyard native API")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(ABOUT))
        .license(Some(
            LicenseBuilder::new().name("Apache-2.0").identifier(Some("Apache-2.0")).build(),
        ))
        .build();
    let tags = [
        ("events", "Publishing, and the journal"),
        ("endpoints", "Outbound targets, their subscriptions and their attempts"),
        ("dead letters", "Events that a receiver refused for good"),
        ("replays", "Sending history again"),
        ("customers", "Whose endpoints get which events"),
        ("event types", "What can be published"),
        ("sources", "Inbound URLs and what they do with what they get"),
        ("datasets", "What was received: rows, batches, earlier versions, folders"),
        ("applications", "Programs that people let in by OAuth2"),
        ("credentials", "Who may come in"),
        ("workspace", "The workspace, and its projects"),
        ("audit", "Who changed what"),
        ("tables", "Datasets as columns, files and answers to queries"),
        ("rules", "Trying out what subscriptions filter by"),
        ("installation", "This process, for whoever runs it"),
    ];
    let tags =
        tags.map(|(name, text)| TagBuilder::new().name(name).description(Some(text)).build());
    let server = ServerBuilder::new().url(SERVER).description(Some("This installation")).build();
    let base = OpenApiBuilder::new().info(info).servers(Some([server])).tags(Some(tags));
    base.components(Some(components())).build()
}

fn components() -> Components {
    let header = |name, text| {
        SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::with_description(name, text)))
    };
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer);
    let bearer = bearer.description(Some("A token")).build();
    let mut schemas = Vec::new();
    ProblemBody::schemas(&mut schemas);
    schemas.push((ProblemBody::name().into_owned(), ProblemBody::schema()));
    schema::ComponentsBuilder::new()
        .schemas_from_iter(schemas)
        .security_scheme("simple_key", header("x-ultracart-simple-key", "A simple key"))
        .security_scheme("api_key", header("x-api-key", "The key of a pair"))
        .security_scheme("api_secret", header("x-api-secret", "The secret of a pair"))
        .security_scheme("bearer", SecurityScheme::Http(bearer))
        .build()
}

/// The whole description.
pub(super) fn whole() -> Value {
    let described = super::described().into_openapi();
    let mut document = serde_json::to_value(described).unwrap_or_default();
    let mut statuses = BTreeSet::new();
    for operation in operations(&mut document) {
        statuses.extend(finish(operation));
    }
    document["components"]["responses"] = Value::Object(problem_responses(&statuses));
    open_objects(&mut document);
    for (name, sample) in samples() {
        document["components"]["schemas"][name]["examples"] = json!([sample]);
    }
    document
}

/// Says of each schema of an object without described members that any member may be there. Generators
/// take the silence of such a schema for "no members".
fn open_objects(part: &mut Value) {
    match part {
        Value::Object(members) => {
            let described = ["properties", "additionalProperties", "allOf", "oneOf", "anyOf"];
            if members.get("type") == Some(&json!("object"))
                && !described.iter().any(|name| members.contains_key(*name))
            {
                members.insert("additionalProperties".to_owned(), Value::Bool(true));
            }
            members.values_mut().for_each(open_objects);
        }
        Value::Array(parts) => parts.iter_mut().for_each(open_objects),
        _ => {}
    }
}

/// Examples of schemas, by name.
fn samples() -> impl Iterator<Item = (&'static str, Value)> {
    let all = [
        publish::samples(),
        endpoints::samples(),
        customers::samples(),
        event_types::samples(),
        rules_test::samples(),
        sources::samples(),
        datasets::samples(),
        folders::samples(),
        applications::samples(),
        credentials::samples(),
        tenants::samples(),
        tables::samples(),
    ];
    all.into_iter().flatten()
}

/// Every operation of a description.
fn operations(document: &mut Value) -> impl Iterator<Item = &mut Value> {
    let paths = document["paths"].as_object_mut().into_iter().flat_map(Map::values_mut);
    let items = paths.filter_map(Value::as_object_mut).flatten();
    items.filter(|(method, _)| METHODS.contains(&method.as_str())).map(|(_, operation)| operation)
}

/// Adds the ways to authenticate and the problems of an operation. Returns the statuses of the problems.
fn finish(operation: &mut Value) -> BTreeSet<u16> {
    let scope = operation["security"][0]["simple_key"][0].as_str().map(str::to_owned);
    // First the listener's own statuses: a slow head, or a head longer than the bound.
    let mut problems: BTreeSet<u16> = BTreeSet::from([400, 408, 414, 431]);
    if let Some(scope) = &scope {
        operation["security"] = json!([
            {"simple_key": [scope]},
            {"api_key": [scope], "api_secret": [scope]},
            {"bearer": [scope]},
        ]);
        let about = operation["description"].as_str().unwrap_or_default();
        let about = format!("{about}\n\nScope: `{scope}`.");
        operation["description"] = Value::from(about.trim_start());
        problems.extend([401, 403, 410, 429, 500, 503]);
    } else {
        operation["security"] = json!([]);
    }
    if operation.get("requestBody").is_some() {
        problems.extend([413, 415]);
    }
    let in_path = |parameter: &Value| parameter["in"] == "path";
    if operation["parameters"].as_array().is_some_and(|all| all.iter().any(in_path)) {
        problems.insert(404);
    }
    let Some(responses) = operation["responses"].as_object_mut() else { return problems };
    let declared = responses.keys().filter_map(|status| status.parse::<u16>().ok());
    problems.extend(declared.filter(|status| *status >= 400).collect::<Vec<_>>());
    for &status in &problems {
        let mut response = json!({"$ref": format!("#/components/responses/{}", name(status))});
        if let Some(text) = responses.get(&status.to_string()).map(|said| &said["description"]) {
            response["description"] = text.clone();
        }
        responses.insert(status.to_string(), response);
    }
    problems
}

/// The name of the response with the problems of a status.
fn name(status: u16) -> String {
    format!("Problem{status}")
}

/// The problems of each status, with real problems as examples.
fn problem_responses(statuses: &BTreeSet<u16>) -> Map<String, Value> {
    let mut responses = Map::new();
    for code in Code::ALL {
        let status = code.status();
        if !statuses.contains(&status.as_u16()) {
            continue;
        }
        let response = responses.entry(name(status.as_u16())).or_insert_with(|| {
            let schema = json!({"$ref": "#/components/schemas/Problem"});
            json!({
                "description": status.canonical_reason(),
                "content": {"application/problem+json": {"schema": schema, "examples": {}}},
            })
        });
        let body = json!(Problem::sample(code).body());
        let name = body["code"].as_str().unwrap_or_default().to_owned();
        response["content"]["application/problem+json"]["examples"][name] = json!({"value": body});
        if let Some((header, value)) = code.header() {
            let value = value.to_str().unwrap_or_default();
            response["headers"][header.as_str()] =
                json!({"schema": {"type": "string"}, "example": value});
        }
    }
    responses
}

/// Every operation with its path and method.
#[cfg(test)]
pub(super) fn each_operation(document: &Value) -> Vec<(&str, &str, &Value)> {
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().into_iter().flatten() {
        for (method, operation) in item.as_object().into_iter().flatten() {
            if METHODS.contains(&method.as_str()) {
                all.push((path.as_str(), method.as_str(), operation));
            }
        }
    }
    all
}

/// The scope that an operation needs; `None` for the public ones.
#[cfg(test)]
pub(super) fn scope_of(operation: &Value) -> Option<hookyard_core::model::Scope> {
    operation["security"][0]["simple_key"][0].as_str().map(|name| name.parse().unwrap())
}
