//! From a body to what the engine is asked for.

use hookyard_core::model::{
    EndpointSettings, MAXIMUM_EVENTS_DEFAULT, MAXIMUM_SIZE_DEFAULT, Secret,
};
use hookyard_engine::endpoints::{EndpointChange, FieldNames, Patch, RequestedSubscription};
use serde::Deserialize;
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::shape::Kind;
use crate::native::input::Field;
use crate::problem::{Code, Problem};

/// What the wire calls the values of an endpoint.
pub(super) static NAMES: FieldNames = FieldNames {
    url: "url",
    name: "name",
    comments: "comments",
    basic_username: "auth.username",
    maximum_events: "maximum_events",
    maximum_size: "maximum_size",
    event_type: "event_type",
    rule: "rule",
};

/// A change of an endpoint: what is absent stays, null goes back to the default.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct EndpointPatch {
    /// Where deliveries go: an absolute https URL, or http for item events. Its address must be
    /// public or allowed by the installation.
    #[serde(default)]
    #[schema(value_type = String, required = false, max_length = 4096)]
    url: Field<String>,
    /// A name for people.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 80)]
    name: Field<String>,
    /// A note for people.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 2000)]
    comments: Field<String>,
    /// How deliveries prove who sent them; null for not at all.
    #[serde(default)]
    #[schema(value_type = Option<AuthPatch>)]
    auth: Field<AuthPatch>,
    /// The most events of one bundle; 100 unless said.
    #[serde(default)]
    #[schema(value_type = Option<i32>, minimum = 0, maximum = 2147483647)]
    maximum_events: Field<i32>,
    /// The most bytes of one bundle; 900,000 unless said, and never more at delivery.
    #[serde(default)]
    #[schema(value_type = Option<i32>, minimum = 0, maximum = 2147483647)]
    maximum_size: Field<i32>,
    /// Whether a bundle's body is gzipped and sent as base64 text.
    #[serde(default)]
    #[schema(value_type = Option<bool>)]
    compress_events: Field<bool>,
    /// Whether nothing is queued or sent. Enabling again clears the failures.
    #[serde(default)]
    #[schema(value_type = Option<bool>)]
    disabled: Field<bool>,
    /// The complete set of subscriptions, each event type once; null for none.
    #[serde(default)]
    #[schema(value_type = Option<Vec<SubscriptionEntry>>)]
    subscriptions: Field<Vec<SubscriptionEntry>>,
}

/// How deliveries shall prove who sent them. Secrets are written here and never shown.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct AuthPatch {
    #[serde(default)]
    #[schema(value_type = Kind, required = false)]
    kind: Field<Kind>,
    /// The user of `basic`, without a colon.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    username: Field<String>,
    /// The password of `basic`.
    #[serde(default)]
    #[schema(value_type = Option<String>, write_only)]
    password: Field<Secret>,
    /// The key of `aws_iam`.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    access_key: Field<String>,
    /// The secret of `aws_iam`.
    #[serde(default)]
    #[schema(value_type = Option<String>, write_only)]
    secret_key: Field<Secret>,
}

/// One subscription of a complete set.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SubscriptionEntry {
    /// The name of the event type.
    event_type: String,
    /// What to send beyond the base object: a comma list of dotted paths.
    expansion: Option<String>,
    /// A note for people.
    comments: Option<String>,
    /// The rule that an event must match.
    rule: Option<String>,
}

/// One subscription but for its event type, which the path names.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SubscriptionBody {
    /// What to send beyond the base object: a comma list of dotted paths.
    expansion: Option<String>,
    /// A note for people.
    comments: Option<String>,
    /// The rule that an event must match.
    rule: Option<String>,
}

/// A new endpoint: a change of one that has the defaults, whose target must be said.
#[derive(Deserialize)]
#[serde(transparent)]
pub(super) struct NewEndpoint(pub(super) EndpointPatch);

impl ToSchema for NewEndpoint {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        EndpointPatch::schemas(schemas);
    }
}

impl PartialSchema for NewEndpoint {
    fn schema() -> RefOr<Schema> {
        let mut schema = EndpointPatch::schema();
        if let RefOr::T(Schema::Object(object)) = &mut schema {
            object.required.push("url".to_owned());
            let text = "A new endpoint: what is absent or null has its default.";
            object.description = Some(text.to_owned());
        }
        schema
    }
}

impl EndpointPatch {
    /// The change for the engine. `current` is the endpoint as it is, if there is one.
    pub(super) fn change(
        self,
        current: Option<&EndpointSettings>,
    ) -> Result<EndpointChange, Problem> {
        let Self {
            url,
            name,
            comments,
            auth,
            maximum_events,
            maximum_size,
            compress_events,
            disabled,
            subscriptions,
        } = self;
        let subscriptions = subscriptions.or_default(Vec::new());
        let change = EndpointChange {
            url: url.required("url")?,
            name: name.patch(),
            comments: comments.patch(),
            maximum_events: maximum_events.or_default(MAXIMUM_EVENTS_DEFAULT),
            maximum_size: maximum_size.or_default(MAXIMUM_SIZE_DEFAULT),
            compress_events: compress_events.or_default(false),
            disabled: disabled.or_default(false),
            subscriptions: subscriptions.map(complete).transpose()?,
            ..EndpointChange::none(&NAMES)
        };
        let change = match auth {
            Field::Absent => change,
            Field::Null => EndpointChange { auth: Some(Kind::None.core()), ..change },
            Field::Value(auth) => auth.apply(change)?,
        };
        check_password(&change, current)?;
        Ok(change)
    }
}

impl AuthPatch {
    fn apply(self, change: EndpointChange) -> Result<EndpointChange, Problem> {
        let Self { kind, username, password, access_key, secret_key } = self;
        // An empty text takes a credential away.
        Ok(EndpointChange {
            auth: kind.required("auth.kind")?.map(Kind::core),
            basic_username: username.or_default(String::new()),
            basic_password: password.or_default(Secret::new("")),
            iam_access_key: access_key.or_default(String::new()),
            iam_secret_key: secret_key.or_default(Secret::new("")),
            ..change
        })
    }
}

/// A password that was made for the owner could never be read here, so it must be given.
fn check_password(
    change: &EndpointChange,
    current: Option<&EndpointSettings>,
) -> Result<(), Problem> {
    let current_kind = current.map(|settings| settings.auth).unwrap_or_default();
    let is_basic = change.auth.unwrap_or(current_kind) == Kind::Basic.core();
    let given = change.basic_password.as_ref();
    let known = given.or_else(|| current.and_then(|settings| settings.basic_password.as_ref()));
    if is_basic && known.is_none_or(|secret| secret.expose().is_empty()) {
        let detail = "is required with the kind `basic`";
        return Err(Problem::of_field(Code::InvalidValue, "auth.password", detail));
    }
    Ok(())
}

fn complete(entries: Vec<SubscriptionEntry>) -> Result<Vec<RequestedSubscription>, Problem> {
    let mut requested: Vec<RequestedSubscription> = Vec::with_capacity(entries.len());
    for (index, entry) in entries.into_iter().enumerate() {
        let SubscriptionEntry { event_type, expansion, comments, rule } = entry;
        let path = format!("subscriptions[{index}]");
        if requested.iter().any(|other| other.event_type == event_type) {
            let field = format!("{path}.event_type");
            return Err(Problem::of_field(Code::InvalidValue, &field, "is there twice"));
        }
        requested.push(SubscriptionBody { expansion, comments, rule }.whole(path, event_type));
    }
    Ok(requested)
}

impl SubscriptionBody {
    /// The subscription to an event type, wholly as said here.
    pub(super) fn whole(self, path: String, event_type: String) -> RequestedSubscription {
        let set = |text: Option<String>| text.map_or(Patch::Clear, Patch::Set);
        RequestedSubscription {
            path,
            event_type,
            active: true,
            expansion: set(self.expansion),
            comments: set(self.comments),
            rule: set(self.rule),
        }
    }
}
