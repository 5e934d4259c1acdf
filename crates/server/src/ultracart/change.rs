//! From the body of an insert or an update to what the engine is asked for
//! (docs/spec/ultracart.md#writing).

use hookyard_core::model::{ApiVersion, AuthKind, Secret};
use hookyard_engine::endpoints::{EndpointChange, FieldNames, Patch, RequestedSubscription};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::body::Object;
use super::client::Client;
use super::error::ApiError;
use super::webhook::MASK;

/// The names of an endpoint's settings on the wire.
static NAMES: FieldNames = FieldNames {
    url: "webhook_url",
    name: "name",
    comments: "merchant_comments",
    basic_username: "basic_username",
    hidden_password: None,
    iam_secret_key: "iam_secret_key",
    maximum_events: "maximum_events",
    maximum_size: "maximum_size",
    event_type: "event_name",
    rule: "event_ruler",
};

/// Reads a webhook. Fields owned by the server are ignored, whatever their values.
pub(super) fn parse(body: &Map<String, Value>, client: Client) -> Result<EndpointChange, ApiError> {
    let webhook = Object::root(body);
    // The C# SDK leaves a false boolean out.
    let left_out = client.is_csharp.then_some(false);
    let text = |key| Ok(webhook.text(key)?.map(str::to_owned));
    let secret = |key| {
        // A returned mask changes nothing.
        let text = webhook.text(key)?.filter(|text| *text != MASK);
        Ok(text.map(Secret::new))
    };
    Ok(EndpointChange {
        url: text("webhook_url")?,
        name: patch(webhook, "name")?,
        comments: patch(webhook, "merchant_comments")?,
        auth: auth_kind(webhook)?,
        basic_username: text("basic_username")?,
        basic_password: secret("basic_password")?,
        iam_access_key: text("iam_access_key")?,
        iam_secret_key: secret("iam_secret_key")?,
        api_version: api_version(webhook)?,
        maximum_events: webhook.integer("maximum_events")?,
        maximum_size: webhook.integer("maximum_size")?,
        compress_events: webhook.boolean("compress_events")?.or(left_out),
        disabled: webhook.boolean("disabled")?.or(left_out),
        subscriptions: subscriptions(webhook)?,
        ..EndpointChange::none(&NAMES)
    })
}

/// `webhook_url` alone, the only member that a deletion reads.
pub(super) fn parse_url(body: &Map<String, Value>) -> Result<&str, ApiError> {
    let url = Object::root(body).text("webhook_url")?;
    url.ok_or_else(|| ApiError::invalid("webhook_url", "is required"))
}

/// An optional text: null and an empty text clear the setting.
fn patch(object: Object<'_>, key: &str) -> Result<Patch<String>, ApiError> {
    if object.is_null(key) {
        return Ok(Patch::Clear);
    }
    Ok(object.text(key)?.map_or(Patch::Keep, |text| Patch::Set(text.to_owned())))
}

fn auth_kind(webhook: Object<'_>) -> Result<Option<AuthKind>, ApiError> {
    word(webhook, "authentication_type", "must be 'none', 'basic', 'api user' or 'aws iam'")
}

fn api_version(webhook: Object<'_>) -> Result<Option<ApiVersion>, ApiError> {
    word(webhook, "api_version", "must be '2017-03-01' or '2016-10-01'")
}

/// One word of a fixed list; an empty text counts as absent.
fn word<'a, T: Deserialize<'a>>(
    webhook: Object<'a>,
    key: &str,
    message: &str,
) -> Result<Option<T>, ApiError> {
    let Some(text) = webhook.text(key)?.filter(|text| !text.is_empty()) else { return Ok(None) };
    let reader: serde::de::value::StrDeserializer<'a, serde::de::value::Error> =
        serde::de::IntoDeserializer::into_deserializer(text);
    T::deserialize(reader).map(Some).map_err(|_| ApiError::invalid(key, message))
}

/// The complete set of subscriptions. The name of the category is a label only: an event is found by
/// its own name.
fn subscriptions(webhook: Object<'_>) -> Result<Option<Vec<RequestedSubscription>>, ApiError> {
    let Some(categories) = webhook.list("event_categories")? else { return Ok(None) };
    let mut requested = Vec::new();
    for (index, category) in categories.iter().enumerate() {
        let path = format!("event_categories[{index}]");
        let category = Object::at(category, &path)?;
        for (index, event) in category.list("events")?.unwrap_or_default().iter().enumerate() {
            let path = format!("{path}.events[{index}]");
            requested.push(subscription(Object::at(event, &path)?, &path)?);
        }
    }
    Ok(Some(requested))
}

fn subscription(event: Object<'_>, path: &str) -> Result<RequestedSubscription, ApiError> {
    let name = event.text("event_name")?.filter(|name| !name.is_empty());
    let Some(name) = name else {
        return Err(ApiError::invalid(&event.path_of("event_name"), "is required"));
    };
    // Entries made by hand leave `subscribed` out and mean yes; entries that were read have a
    // number, and lack `subscribed` only where an SDK cannot send false
    // (docs/spec/ultracart.md#trap-15).
    let was_read = event.integer("webhook_event_oid")?.is_some_and(|oid| oid > 0);
    Ok(RequestedSubscription {
        path: path.to_owned(),
        event_type: name.to_owned(),
        active: event.boolean("subscribed")?.unwrap_or(!was_read),
        expansion: patch(event, "expansion")?,
        comments: patch(event, "comments")?,
        rule: patch(event, "event_ruler")?,
    })
}

#[cfg(test)]
mod tests {
    use super::super::client::tests::client;
    use super::*;

    fn read(text: &str) -> Result<EndpointChange, ApiError> {
        read_as("OpenAPI-Generator/4.1.208/python", text)
    }

    fn read_as(agent: &str, text: &str) -> Result<EndpointChange, ApiError> {
        parse(&serde_json::from_str(text).unwrap(), client(agent))
    }

    fn error(text: &str) -> String {
        read(text).unwrap_err().to_string()
    }

    #[test]
    fn explicit_nulls_and_unknown_keys_change_nothing_but_clear_texts() {
        let change = read(
            r#"{"webhook_oid":null,"webhook_url":null,"authentication_type":null,
                "basic_password":null,"maximum_events":null,"disabled":null,"name":null,
                "event_categories":null,"application_profile":null,"brand_new":{"x":null}}"#,
        )
        .unwrap();
        assert_eq!(change.name, Patch::Clear);
        assert_eq!(change.comments, Patch::Keep);
        assert!(change.url.is_none() && change.auth.is_none() && change.basic_password.is_none());
        assert!(change.maximum_events.is_none() && change.disabled.is_none());
        assert!(change.subscriptions.is_none());
    }

    #[test]
    fn fields_of_the_server_are_not_looked_at() {
        assert!(read(r#"{"webhook_oid":"x","pending":-1,"merchant_id":7}"#).is_ok());
    }

    #[test]
    fn subscribed_is_guessed_when_absent() {
        let change = read(
            r#"{"event_categories":[{"event_category":"items","events":[
                {"event_name":"item_create"},
                {"event_name":"item_delete","webhook_event_oid":17},
                {"event_name":"item_update","webhook_event_oid":18,"subscribed":true},
                {"event_name":"order_create","subscribed":false},
                {"event_name":"order_ship","webhook_event_oid":0,"subscribed":null}]},
                {"event_category":"order"},{"events":null}]}"#,
        )
        .unwrap();
        let active: Vec<_> =
            change.subscriptions.unwrap().iter().map(|requested| requested.active).collect();
        assert_eq!(active, [true, false, true, false, true]);
    }

    #[test]
    fn csharp_means_false_by_leaving_out() {
        let change = read_as("OpenAPI-Generator/4.1.77/csharp", "{}").unwrap();
        assert_eq!((change.disabled, change.compress_events), (Some(false), Some(false)));
        let change = read("{}").unwrap();
        assert_eq!((change.disabled, change.compress_events), (None, None));
    }

    #[test]
    fn errors_name_the_path() {
        for (text, start) in [
            (r#"{"webhook_url":5}"#, "webhook_url: must be a string"),
            (r#"{"maximum_events":"10"}"#, "maximum_events: must be a whole number"),
            (r#"{"disabled":"no"}"#, "disabled: must be true or false"),
            (r#"{"authentication_type":"digest"}"#, "authentication_type: must be 'none'"),
            (r#"{"api_version":"2020-01-01"}"#, "api_version: must be '2017-03-01'"),
            (r#"{"event_categories":{}}"#, "event_categories: must be a list"),
            (r#"{"event_categories":[5]}"#, "event_categories[0]: must be an object"),
            (r#"{"event_categories":[{"events":1}]}"#, "event_categories[0].events: must be"),
            (
                r#"{"event_categories":[{},{"events":[{}]}]}"#,
                "event_categories[1].events[0].event_name: is required",
            ),
            (
                r#"{"event_categories":[{"events":[{"event_name":"x","subscribed":1}]}]}"#,
                "event_categories[0].events[0].subscribed: must be true or false",
            ),
        ] {
            assert!(error(text).starts_with(start), "{text}: {}", error(text));
        }
    }

    #[test]
    fn the_words_of_the_enums_are_read() {
        let change =
            read(r#"{"authentication_type":"api user","api_version":"2016-10-01"}"#).unwrap();
        assert_eq!(change.auth, Some(AuthKind::ApiUser));
        assert_eq!(change.api_version, Some(ApiVersion::V20161001));
        assert!(read(r#"{"authentication_type":""}"#).unwrap().auth.is_none());
    }

    proptest::proptest! {
        /// Whatever stands at a known key, reading it is an answer or an error.
        #[test]
        fn no_value_is_too_strange(key in 0_usize..15, value in json_value()) {
            const KEYS: [&str; 15] = [
                "webhook_url", "name", "merchant_comments", "authentication_type",
                "basic_username", "basic_password", "iam_access_key", "iam_secret_key",
                "api_version", "maximum_events", "maximum_size", "compress_events", "disabled",
                "event_categories", "webhook_oid",
            ];
            let map = Map::from_iter([(KEYS[key].to_owned(), value)]);
            let result = parse(&map, client(""));
            if let Err(error) = result {
                proptest::prop_assert!(error.to_string().starts_with(KEYS[key]), "{}", error);
            }
        }
    }

    fn json_value() -> impl proptest::strategy::Strategy<Value = Value> {
        use proptest::prelude::*;
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            "\\PC{0,8}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 20, 4, |inner| {
            let keys = prop_oneof!["events", "event_name", "subscribed", "expansion"];
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map(keys, inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }
}
