//! An endpoint on the wire.

use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use hookyard_core::catalogue::initial;
use hookyard_core::id::{EndpointId, EventTypeId, WorkspaceId};
use hookyard_core::model::{
    AuthKind, Catalogue, EndpointSettings, QueueState, Secret, Subscription as CoreSubscription,
};
use hookyard_engine::endpoints::EndpointView;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

/// An outbound target.
#[derive(Serialize, ToSchema)]
pub(super) struct Endpoint<'a> {
    /// Its number.
    id: i32,
    /// Counts the changes of its settings and subscriptions, from 1. It is the `etag` too.
    revision: u32,
    /// When it was registered.
    created_at: Timestamp,
    /// Where deliveries go.
    url: &'a str,
    /// A name for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    /// A note for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    comments: Option<&'a str>,
    /// How deliveries prove who sent them.
    auth: Auth<'a>,
    /// The most events of one bundle.
    maximum_events: i32,
    /// The most bytes of one bundle; at delivery never more than 900,000.
    maximum_size: i32,
    /// Whether a bundle's body is gzipped and sent as base64 text.
    compress_events: bool,
    /// Whether nothing is queued or sent.
    disabled: bool,
    /// Where its queue stands.
    queue: Queue,
    /// What it subscribes to, event types in the order of the catalogue's numbers.
    subscriptions: Vec<Subscription<'a>>,
}

/// How deliveries prove who sent them. Secrets are never shown.
#[derive(Serialize, ToSchema)]
struct Auth<'a> {
    kind: Kind,
    /// The user of `basic`.
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<&'a str>,
    /// The key of `aws_iam`.
    #[serde(skip_serializing_if = "Option::is_none")]
    access_key: Option<&'a str>,
}

/// A way to prove who sent a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = AuthKind)]
pub(super) enum Kind {
    /// Not at all.
    None,
    /// HTTP basic with the endpoint's own user and password.
    Basic,
    /// HTTP basic with the credentials of an API user.
    ApiUser,
    /// Amazon SQS with the endpoint's IAM keys.
    AwsIam,
}

/// Where an endpoint's queue stands.
#[derive(Serialize, ToSchema)]
struct Queue {
    /// Events still to deliver. Exact.
    pending: u64,
    /// Failures in a row since the last success.
    failures: u32,
    /// No attempt is made before this moment.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_at: Option<Timestamp>,
    /// When the first of the failures in a row was.
    #[serde(skip_serializing_if = "Option::is_none")]
    failing_since: Option<Timestamp>,
}

/// Endpoint x event type.
#[derive(Serialize, ToSchema)]
pub(super) struct Subscription<'a> {
    /// The name of the event type.
    event_type: &'a str,
    /// What is sent beyond the base object: a comma list of dotted paths.
    #[serde(skip_serializing_if = "Option::is_none")]
    expansion: Option<&'a str>,
    /// A note for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    comments: Option<&'a str>,
    /// The rule that an event must match.
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<&'a str>,
}

impl Kind {
    fn of(auth: AuthKind) -> Self {
        match auth {
            AuthKind::None => Self::None,
            AuthKind::Basic => Self::Basic,
            AuthKind::ApiUser => Self::ApiUser,
            AuthKind::AwsIam => Self::AwsIam,
        }
    }

    pub(super) fn core(self) -> AuthKind {
        match self {
            Self::None => AuthKind::None,
            Self::Basic => AuthKind::Basic,
            Self::ApiUser => AuthKind::ApiUser,
            Self::AwsIam => AuthKind::AwsIam,
        }
    }
}

impl<'a> Endpoint<'a> {
    pub(super) fn new(catalogue: &'a Catalogue, view: &'a EndpointView) -> Self {
        let EndpointView { endpoint, state } = view;
        let settings = &endpoint.settings;
        Self {
            id: endpoint.id.0,
            revision: endpoint.revision,
            created_at: endpoint.created_at,
            url: &settings.url,
            name: settings.name.as_deref(),
            comments: settings.comments.as_deref(),
            auth: Auth::new(settings),
            maximum_events: settings.maximum_events,
            maximum_size: settings.maximum_size,
            compress_events: settings.compress_events,
            disabled: settings.disabled,
            queue: Queue::new(*state),
            subscriptions: subscriptions(catalogue, &endpoint.subscriptions),
        }
    }
}

impl<'a> Auth<'a> {
    fn new(settings: &'a EndpointSettings) -> Self {
        let kind = Kind::of(settings.auth);
        let of =
            |wanted: Kind, text: &'a Option<String>| text.as_deref().filter(|_| kind == wanted);
        Self {
            kind,
            username: of(Kind::Basic, &settings.basic_username),
            access_key: of(Kind::AwsIam, &settings.iam_access_key),
        }
    }
}

impl Queue {
    fn new(state: QueueState) -> Self {
        Self {
            pending: state.pending,
            failures: state.failures,
            retry_at: state.retry_at,
            failing_since: state.failing_since,
        }
    }
}

/// The subscriptions that are active.
pub(super) fn subscriptions<'a>(
    catalogue: &'a Catalogue,
    all: &'a [CoreSubscription],
) -> Vec<Subscription<'a>> {
    let active = all.iter().filter(|subscription| subscription.active);
    active.filter_map(|subscription| subscription_of(catalogue, subscription)).collect()
}

/// A subscription; `None` when the catalogue lacks its event type, which it never does.
pub(super) fn subscription_of<'a>(
    catalogue: &'a Catalogue,
    subscription: &'a CoreSubscription,
) -> Option<Subscription<'a>> {
    let (_, kind) = catalogue.by_id(subscription.event_type)?;
    Some(Subscription {
        event_type: &kind.name,
        expansion: subscription.expansion.as_deref(),
        comments: subscription.comments.as_deref(),
        rule: subscription.rule.as_deref(),
    })
}

/// The answer that is one endpoint, with its revision as `etag`.
pub(super) fn answer(status: StatusCode, catalogue: &Catalogue, view: &EndpointView) -> Response {
    let etag = [(header::ETAG, etag(view.endpoint.revision))];
    (status, etag, Json(Endpoint::new(catalogue, view))).into_response()
}

/// A revision as a validator.
pub(super) fn etag(revision: u32) -> String {
    format!("\"{revision}\"")
}

/// An endpoint as it may be, for the description of the API.
fn sample() -> EndpointView {
    let mut settings = EndpointSettings::to_url("https://shop.example.com/hooks/orders");
    settings.name = Some("Warehouse".to_owned());
    settings.auth = AuthKind::Basic;
    settings.basic_username = Some("warehouse".to_owned());
    settings.basic_password = Some(Secret::new("not shown"));
    let order_create =
        initial().by_name("order_create").map_or(EventTypeId(1), |(_, kind)| kind.id);
    let subscription = CoreSubscription {
        event_type: order_create,
        active: true,
        expansion: Some("item,summary".to_owned()),
        comments: None,
        rule: None,
    };
    let endpoint = hookyard_core::model::Endpoint {
        id: EndpointId(7),
        workspace: WorkspaceId(1),
        revision: 3,
        created_at: Timestamp::UNIX_EPOCH,
        disabled_reason: None,
        settings,
        subscriptions: vec![subscription],
    };
    EndpointView {
        endpoint: endpoint.into(),
        state: QueueState { pending: 2, ..QueueState::default() },
    }
}

/// Examples of the schemas of this folder, by name, made as answers are made.
pub(in crate::native) fn samples() -> Vec<(&'static str, Value)> {
    let view = sample();
    let endpoint = json!(Endpoint::new(initial(), &view));
    let subscription = endpoint["subscriptions"][0].clone();
    let mut new = json!({"url": view.endpoint.settings.url, "name": "Warehouse"});
    new["subscriptions"] = json!([subscription]);
    new["auth"] = json!({"kind": "basic", "username": "warehouse", "password": "s3cret"});
    vec![
        ("NewEndpoint", new),
        ("EndpointPatch", json!({"name": null, "maximum_events": 10})),
        ("SubscriptionBody", json!({"expansion": "item,summary"})),
        ("Subscription", subscription),
        ("Endpoint", endpoint),
    ]
}
