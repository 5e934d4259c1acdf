//! From a body to a request to the engine.

use hookyard_core::model::{
    AuthKind, ContentEncoding, DeliveryMethod, EndpointSettings, MAXIMUM_EVENTS_DEFAULT,
    MAXIMUM_SIZE_DEFAULT, PayloadFormat, RateLimit, RetryRule,
};
use hookyard_engine::endpoints::{EndpointChange, FieldNames, Patch, RequestedSubscription};
use serde::Deserialize;
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::options::{
    AuthPatch, EncodingBody, FormatBody, HeaderEntry, MethodBody, OptionFields, RateLimitBody,
    RetryRuleBody, SigningPatch, apply_auth,
};
use crate::native::input::{Field, Object};
use crate::problem::{Code, Problem};

/// The names of an endpoint's settings on the wire.
pub(super) static NAMES: FieldNames = FieldNames {
    url: "url",
    name: "name",
    comments: "comments",
    basic_username: "auth.username",
    hidden_password: Some("auth.password"),
    iam_secret_key: "auth.secret_key",
    maximum_events: "maximum_events",
    maximum_size: "maximum_size",
    event_type: "event_type",
    rule: "rule",
};

/// A change of an endpoint: absent members stay, null restores the default.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct EndpointPatch {
    /// Where deliveries go: an absolute https URL, or http for item events, or `dataset:` and the
    /// number of a dataset of the workspace. The address of a URL must be
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
    /// The proof of the sender in deliveries; null for no proof.
    #[serde(default)]
    #[schema(value_type = Option<AuthPatch>)]
    auth: Field<Object<AuthPatch>>,
    /// The most events of one bundle; 100 by default.
    #[serde(default)]
    #[schema(value_type = Option<i32>, minimum = 0, maximum = 2147483647)]
    maximum_events: Field<i32>,
    /// The most bytes of one bundle; 900,000 by default, and never more at delivery.
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
    subscriptions: Field<Vec<Object<SubscriptionEntry>>>,
    /// How deliveries are signed (Standard Webhooks).
    #[serde(default)]
    #[schema(value_type = Option<SigningPatch>)]
    signing: Field<Object<SigningPatch>>,
    /// The complete list of own headers in deliveries; null for an empty list.
    #[serde(default)]
    #[schema(value_type = Option<Vec<HeaderEntry>>, max_items = 20)]
    headers: Field<Vec<Object<HeaderEntry>>>,
    /// The `Content-Encoding` of deliveries; `identity` unless said. Not with `compress_events`.
    #[serde(default)]
    #[schema(value_type = Option<EncodingBody>)]
    encoding: Field<ContentEncoding>,
    /// Whether any certificate is taken for the receiver's, so that whoever sits between can read
    /// and answer deliveries. For receivers under test only.
    #[serde(default)]
    #[schema(value_type = Option<bool>)]
    danger_accept_invalid_certs: Field<bool>,
    /// The complete list of retry rules; null for none.
    #[serde(default)]
    #[schema(value_type = Option<Vec<RetryRuleBody>>, max_items = 20)]
    retry: Field<Vec<Object<RetryRule>>>,
    /// How fast the receiver takes deliveries; null for no limit.
    #[serde(default)]
    #[schema(value_type = Option<RateLimitBody>)]
    rate_limit: Field<Object<RateLimit>>,
    /// How many bundles may be in flight at once; 1 unless said. More than one needs an `order_key`.
    #[serde(default)]
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 32)]
    concurrency: Field<u32>,
    /// The dotted path of the ordering key in events, such as `customer.id`. Null with a `concurrency` of
    /// 1, where the whole queue keeps its order; required otherwise.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 200)]
    order_key: Field<String>,
    /// The form of the body; `bundle` unless said. The other forms exclude `compress_events` and datasets
    /// as targets. All forms but `bundle` and `cloudevents-batch` have one event a request.
    #[serde(default)]
    #[schema(value_type = Option<FormatBody>)]
    format: Field<PayloadFormat>,
    /// The method of deliveries; `POST` unless said.
    #[serde(default)]
    #[schema(value_type = Option<MethodBody>)]
    method: Field<DeliveryMethod>,
    /// The seconds that a delivery may take; 30 unless said.
    #[serde(default)]
    #[schema(value_type = Option<u8>, minimum = 1, maximum = 60)]
    timeout_seconds: Field<u8>,
    /// The id of the customer whose endpoint this is; absent for an endpoint of the workspace's owner. The
    /// endpoint gets the events with this attribute `customer` and those for `*` alone. Fixed when the
    /// endpoint is made; an unknown customer is made, too.
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 256,
        pattern = "^[A-Za-z0-9._:@-]+$")]
    customer: Field<String>,
}

/// One subscription of a complete set.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SubscriptionEntry {
    /// The name of the event type.
    event_type: String,
    /// The parts to send beyond the base object: a comma list of dotted paths.
    expansion: Option<String>,
    /// A note for people.
    comments: Option<String>,
    /// The rule that an event must match.
    rule: Option<String>,
}

/// One subscription without the event type, which the path names.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SubscriptionBody {
    /// The parts to send beyond the base object: a comma list of dotted paths.
    expansion: Option<String>,
    /// A note for people.
    comments: Option<String>,
    /// The rule that an event must match.
    rule: Option<String>,
}

/// A new endpoint: a change of the defaults, with a required target.
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
    /// The change for the engine. `current` is the existing endpoint, if any.
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
            signing,
            headers,
            encoding,
            danger_accept_invalid_certs,
            retry,
            rate_limit,
            concurrency,
            order_key,
            format,
            method,
            timeout_seconds,
            customer,
        } = self;
        if current.is_some() && !matches!(customer, Field::Absent) {
            let detail = "is fixed when an endpoint is made: make another endpoint for it";
            return Err(Problem::of_field(Code::InvalidValue, "customer", detail));
        }
        let subscriptions = subscriptions.or_default(Vec::new());
        let options = OptionFields {
            signing,
            headers,
            encoding,
            danger_accept_invalid_certs,
            retry,
            rate_limit,
            concurrency,
            order_key,
            format,
            method,
            timeout_seconds,
        };
        let change = EndpointChange {
            url: url.required("url")?,
            name: name.patch(),
            comments: comments.patch(),
            maximum_events: maximum_events.or_default(MAXIMUM_EVENTS_DEFAULT),
            maximum_size: maximum_size.or_default(MAXIMUM_SIZE_DEFAULT),
            compress_events: compress_events.or_default(false),
            disabled: disabled.or_default(false),
            subscriptions: subscriptions.map(complete).transpose()?,
            options: options.change(),
            customer: customer.or_none(),
            ..EndpointChange::none(&NAMES)
        };
        let change = apply_auth(auth, change, current)?;
        check_password(&change, current)?;
        Ok(change)
    }
}

/// A password made for the owner could never be read here, so the caller must supply the password.
fn check_password(
    change: &EndpointChange,
    current: Option<&EndpointSettings>,
) -> Result<(), Problem> {
    let current_kind = current.map(|settings| settings.auth).unwrap_or_default();
    let is_basic = change.auth.unwrap_or(current_kind) == AuthKind::Basic;
    let given = change.basic_password.as_ref();
    let known = given.or_else(|| current.and_then(|settings| settings.basic_password.as_ref()));
    if is_basic && known.is_none() {
        let detail = "is required with the kind `basic`; it may be empty";
        return Err(Problem::of_field(Code::InvalidValue, "auth.password", detail));
    }
    Ok(())
}

fn complete(
    entries: Vec<Object<SubscriptionEntry>>,
) -> Result<Vec<RequestedSubscription>, Problem> {
    let mut requested: Vec<RequestedSubscription> = Vec::with_capacity(entries.len());
    for (index, Object(entry)) in entries.into_iter().enumerate() {
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
