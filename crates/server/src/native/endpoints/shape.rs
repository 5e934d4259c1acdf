//! An endpoint on the wire.

use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use hookyard_core::catalogue::initial;
use hookyard_core::id::{EndpointId, EventTypeId, WorkspaceId};
use hookyard_core::model::{
    AuthKind, Catalogue, Circuit, ContentEncoding, DeliveryMethod, DisabledReason, EndpointOptions,
    EndpointSettings, NativeAuth, PayloadFormat, QueueState, RateLimit, RetryRule, Secret,
    Subscription as CoreSubscription,
};
use hookyard_engine::endpoints::EndpointView;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::kind::Kind;
use super::options::{EncodingBody, FormatBody, MethodBody, RateLimitBody, RetryRuleBody};
use crate::App;
use crate::problem::Problem;

/// An outbound target.
#[derive(Serialize, ToSchema)]
pub(super) struct Endpoint<'a> {
    /// The endpoint's number.
    id: i32,
    /// Counts the changes of settings and subscriptions, from 1; also the `etag`.
    revision: u32,
    /// When the endpoint was registered.
    created_at: Timestamp,
    /// The id of the customer whose endpoint this is; absent for an endpoint of the workspace's owner.
    #[serde(skip_serializing_if = "Option::is_none")]
    customer: Option<&'a str>,
    /// Where deliveries go.
    url: &'a str,
    /// A name for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    /// A note for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    comments: Option<&'a str>,
    /// The proof of the sender in deliveries.
    auth: Auth<'a>,
    /// The most events of one bundle.
    maximum_events: i32,
    /// The most bytes of one bundle; at delivery never more than 900,000.
    maximum_size: i32,
    /// Whether a bundle's body is gzipped and sent as base64 text.
    compress_events: bool,
    /// Whether nothing is queued or sent.
    disabled: bool,
    /// The reason, when Hookyard and not the owner disabled the endpoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<DisabledReasonBody>)]
    disabled_reason: Option<&'a DisabledReason>,
    /// The signing of deliveries. The secret has a path of its own.
    signing: SigningBody<'a>,
    /// The endpoint's own headers in deliveries. Values are never shown.
    headers: Vec<HeaderName<'a>>,
    /// The form of the body.
    #[schema(value_type = FormatBody)]
    format: PayloadFormat,
    /// The method of deliveries.
    #[schema(value_type = MethodBody)]
    method: DeliveryMethod,
    /// The seconds that a delivery may take, from the first look-up to the end of the answer.
    timeout_seconds: u64,
    /// The `Content-Encoding` of deliveries.
    #[schema(value_type = EncodingBody)]
    encoding: ContentEncoding,
    /// Whether any certificate is taken for the receiver's.
    danger_accept_invalid_certs: bool,
    /// The actions for answers that are no success.
    #[schema(value_type = Vec<RetryRuleBody>)]
    retry: &'a [RetryRule],
    /// How fast the receiver takes deliveries.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<RateLimitBody>)]
    rate_limit: Option<RateLimit>,
    /// How many bundles may be in flight at once.
    concurrency: u32,
    /// The dotted path of the ordering key in events; absent with a `concurrency` of 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    order_key: Option<&'a str>,
    /// The circuit breaker: `closed` in normal delivery, `open` until the next attempt, `half_open` during
    /// the attempt that decides.
    circuit: CircuitBody,
    /// The standing of the endpoint's queue.
    queue: Queue,
    /// The endpoint's subscriptions, event types in the order of the catalogue's numbers.
    subscriptions: Vec<Subscription<'a>>,
}

/// The proof of the sender in deliveries. Secrets are never shown.
#[derive(Serialize, ToSchema)]
struct Auth<'a> {
    kind: Kind,
    /// The user of `basic`.
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<&'a str>,
    /// The key of `aws_iam`.
    #[serde(skip_serializing_if = "Option::is_none")]
    access_key: Option<&'a str>,
    #[serde(flatten)]
    #[schema(inline)]
    client: Client<'a>,
}

/// The client of `oauth2`.
#[derive(Serialize, ToSchema, Default)]
struct Client<'a> {
    /// The token endpoint of `oauth2`.
    #[serde(skip_serializing_if = "Option::is_none")]
    token_url: Option<&'a str>,
    /// The client of `oauth2`.
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<&'a str>,
    /// The scopes that `oauth2` requests.
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<&'a str>,
    /// Whether client and secret go into the form.
    #[serde(skip_serializing_if = "Option::is_none")]
    credentials_in_body: Option<bool>,
}

/// Why Hookyard disabled an endpoint.
#[derive(Serialize, ToSchema)]
#[schema(as = DisabledReason)]
struct DisabledReasonBody {
    /// `gone`: the receiver answered 410. `failing`: nothing was taken for too long. `rule`: one of
    /// the retry rules says so.
    kind: String,
    at: Timestamp,
    /// The status of the last answer.
    status: Option<u16>,
    /// The log's remark on the last attempt.
    error: Option<String>,
}

/// How deliveries are signed.
#[derive(Serialize, ToSchema)]
#[schema(as = Signing)]
struct SigningBody<'a> {
    /// The prefix of the three header names.
    prefix: &'a str,
}

/// A header without its value.
#[derive(Serialize, ToSchema)]
struct HeaderName<'a> {
    name: &'a str,
}

/// The state of a circuit breaker.
#[derive(Serialize, ToSchema)]
#[schema(as = Circuit)]
#[serde(rename_all = "snake_case")]
enum CircuitBody {
    Closed,
    Open,
    HalfOpen,
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
    /// Dead letters beside the queue. Exact.
    dead_letters: u64,
}

/// Endpoint x event type.
#[derive(Serialize, ToSchema)]
pub(super) struct Subscription<'a> {
    /// The name of the event type.
    event_type: &'a str,
    /// The parts sent beyond the base object: a comma list of dotted paths.
    #[serde(skip_serializing_if = "Option::is_none")]
    expansion: Option<&'a str>,
    /// A note for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    comments: Option<&'a str>,
    /// The rule that an event must match.
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<&'a str>,
}

impl<'a> Endpoint<'a> {
    pub(super) fn new(catalogue: &'a Catalogue, view: &'a EndpointView, now: Timestamp) -> Self {
        let EndpointView { endpoint, state } = view;
        let settings = &endpoint.settings;
        let EndpointOptions {
            signing,
            headers,
            encoding,
            auth: _,
            danger_accept_invalid_certs,
            retry,
            rate_limit,
            concurrency,
            format,
            method,
            timeout_seconds: _,
        } = &settings.options;
        Self {
            id: endpoint.id.0,
            revision: endpoint.revision,
            created_at: endpoint.created_at,
            customer: endpoint.customer.as_ref().map(|own| own.code.as_str()),
            url: &settings.url,
            name: settings.name.as_deref(),
            comments: settings.comments.as_deref(),
            auth: Auth::new(settings),
            maximum_events: settings.maximum_events,
            maximum_size: settings.maximum_size,
            compress_events: settings.compress_events,
            disabled: settings.disabled,
            disabled_reason: endpoint.disabled_reason.as_ref(),
            signing: SigningBody { prefix: &signing.prefix },
            headers: headers.iter().map(|header| HeaderName { name: &header.name }).collect(),
            format: *format,
            method: *method,
            timeout_seconds: settings.options.timeout().as_secs(),
            encoding: *encoding,
            danger_accept_invalid_certs: *danger_accept_invalid_certs,
            retry,
            rate_limit: *rate_limit,
            concurrency: concurrency.as_ref().map_or(1, |concurrency| concurrency.bundles),
            order_key: concurrency.as_ref().map(|concurrency| concurrency.order_key.as_str()),
            circuit: CircuitBody::of(state.circuit(now)),
            queue: Queue::new(*state),
            subscriptions: subscriptions(catalogue, &endpoint.subscriptions),
        }
    }
}

impl<'a> Auth<'a> {
    fn new(settings: &'a EndpointSettings) -> Self {
        let kind = Kind::of(settings);
        let of =
            |wanted: Kind, text: &'a Option<String>| text.as_deref().filter(|_| kind == wanted);
        Self {
            kind,
            username: of(Kind::Basic, &settings.basic_username),
            access_key: of(Kind::AwsIam, &settings.iam_access_key),
            client: match &settings.options.auth {
                Some(NativeAuth::OAuth2(client)) => Client {
                    token_url: Some(&client.token_url),
                    client_id: Some(&client.client_id),
                    scope: client.scope.as_deref(),
                    credentials_in_body: Some(client.credentials_in_body),
                },
                _ => Client::default(),
            },
        }
    }
}

impl CircuitBody {
    fn of(circuit: Circuit) -> Self {
        match circuit {
            Circuit::Closed => Self::Closed,
            Circuit::Open(_) => Self::Open,
            Circuit::HalfOpen => Self::HalfOpen,
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
            dead_letters: state.dead_letters,
        }
    }
}

/// The active subscriptions.
pub(super) fn subscriptions<'a>(
    catalogue: &'a Catalogue,
    all: &'a [CoreSubscription],
) -> Vec<Subscription<'a>> {
    let active = all.iter().filter(|subscription| subscription.active);
    active.filter_map(|subscription| subscription_of(catalogue, subscription)).collect()
}

/// A subscription; `None` when the catalogue lacks the event type, which never happens.
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

/// The answer with one endpoint, and the revision as `etag`.
pub(super) async fn answer(
    app: &App,
    status: StatusCode,
    view: &EndpointView,
) -> Result<Response, Problem> {
    let catalogue = app.engine.of(view.endpoint.workspace).catalogue().await?;
    let body = Endpoint::new(&catalogue, view, app.engine.clock().now());
    Ok((status, [(header::ETAG, etag(view.endpoint.revision))], Json(body)).into_response())
}

/// A revision as a validator.
pub(super) fn etag(revision: u32) -> String {
    format!("\"{revision}\"")
}

/// A plausible endpoint, for the description of the API.
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
        application: None,
        customer: None,
        settings,
        subscriptions: vec![subscription],
    };
    EndpointView {
        endpoint: endpoint.into(),
        state: QueueState { pending: 2, ..QueueState::default() },
    }
}

/// Examples of the schemas of an endpoint, by name, made as answers are made.
pub(super) fn samples() -> Vec<(&'static str, Value)> {
    let view = sample();
    let endpoint = json!(Endpoint::new(initial(), &view, Timestamp::UNIX_EPOCH));
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
