//! `/v1/endpoints/{id}/subscriptions`: what an endpoint wants, one event type at a time.

use axum::Json;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hookyard_core::model::Scope;
use hookyard_engine::Error;
use serde::Serialize;
use utoipa::ToSchema;

use super::change::{NAMES, SubscriptionBody};
use super::shape::{self, Subscription};
use crate::App;
use crate::native::caller;
use crate::native::input::{self, Nothing, PathText};
use crate::problem::{Code, Problem};

/// All subscriptions of an endpoint.
#[derive(Serialize, ToSchema)]
pub(super) struct SubscriptionList<'a> {
    subscriptions: Vec<Subscription<'a>>,
}

/// List an endpoint's subscriptions
#[utoipa::path(
    get,
    path = "/v1/endpoints/{id}/subscriptions",
    tag = "endpoints",
    params(("id" = i32, Path, description = "The endpoint's number")),
    responses(
        (status = 200, description = "The subscriptions", body = SubscriptionList, headers(
            ("etag" = String, description = "The endpoint's revision"),
        )),
    ),
    security(("simple_key" = ["webhook_read"])),
)]
pub(super) async fn list_subscriptions(
    State(app): State<App>,
    PathText(id): PathText<String>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let workspace = caller::workspace(&app, &headers, Scope::WebhookRead).await?;
    input::query::<Nothing>(raw.as_deref())?;
    let view = app.engine.endpoint_view(workspace, input::endpoint_id(&id)?).await?;
    let catalogue = app.engine.store().catalogue(workspace).await.map_err(Error::from)?;
    let subscriptions = shape::subscriptions(&catalogue, &view.endpoint.subscriptions);
    let etag = [(header::ETAG, shape::etag(view.endpoint.revision))];
    Ok((etag, Json(SubscriptionList { subscriptions })).into_response())
}

/// Subscribe to an event type
///
/// Makes the subscription, or replaces the one that is there as a whole. With `if-match` only the
/// named revision of the endpoint is changed.
#[utoipa::path(
    put,
    path = "/v1/endpoints/{id}/subscriptions/{event_type}",
    tag = "endpoints",
    params(
        ("id" = i32, Path, description = "The endpoint's number"),
        ("event_type" = String, Path, description = "The event type's name"),
        ("if-match" = Option<String>, Header, description = "The `etag` of the revision to change"),
    ),
    request_body = SubscriptionBody,
    responses(
        (status = 200, description = "The subscription, which was there", body = Subscription),
        (status = 201, description = "The subscription, which is new", body = Subscription),
        (status = 409, description = "Others kept changing the endpoint"),
        (status = 412, description = "The endpoint is at another revision"),
    ),
    security(("simple_key" = ["webhook_write"])),
)]
pub(super) async fn put_subscription(
    State(app): State<App>,
    PathText((id, event_type)): PathText<(String, String)>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let workspace = caller::workspace(&app, &headers, Scope::WebhookWrite).await?;
    input::query::<Nothing>(raw.as_deref())?;
    let id = input::endpoint_id(&id)?;
    let if_revision = input::if_match(&headers)?;
    app.engine.endpoint_view(workspace, id).await?;
    let catalogue = app.engine.store().catalogue(workspace).await.map_err(Error::from)?;
    let Some((_, kind)) = catalogue.by_name(&event_type) else {
        return Err(Problem::new(Code::NotFound, "no such event type"));
    };
    let body: SubscriptionBody = input::json(&headers, body, &[input::JSON]).await?;
    let wanted = body.whole(String::new(), event_type);
    let changed = app.engine.put_subscription(workspace, id, &NAMES, wanted, if_revision).await;
    let (view, is_new) = changed?;
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    let etag = [(header::ETAG, shape::etag(view.endpoint.revision))];
    let subscription = view.endpoint.subscription(kind.id);
    let shown = subscription.and_then(|found| shape::subscription_of(&catalogue, found));
    Ok((status, etag, Json(shown)).into_response())
}

/// Cancel a subscription
///
/// What is queued already is still delivered. With `if-match` only the named revision of the
/// endpoint is changed.
#[utoipa::path(
    delete,
    path = "/v1/endpoints/{id}/subscriptions/{event_type}",
    tag = "endpoints",
    params(
        ("id" = i32, Path, description = "The endpoint's number"),
        ("event_type" = String, Path, description = "The event type's name"),
        ("if-match" = Option<String>, Header, description = "The `etag` of the revision to change"),
    ),
    responses(
        (status = 204, description = "It is gone"),
        (status = 409, description = "Others kept changing the endpoint"),
        (status = 412, description = "The endpoint is at another revision"),
    ),
    security(("simple_key" = ["webhook_write"])),
)]
pub(super) async fn delete_subscription(
    State(app): State<App>,
    PathText((id, event_type)): PathText<(String, String)>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let workspace = caller::workspace(&app, &headers, Scope::WebhookWrite).await?;
    input::query::<Nothing>(raw.as_deref())?;
    let id = input::endpoint_id(&id)?;
    let if_revision = input::if_match(&headers)?;
    let view =
        app.engine.delete_subscription(workspace, id, &NAMES, &event_type, if_revision).await?;
    let etag = [(header::ETAG, shape::etag(view.endpoint.revision))];
    Ok((StatusCode::NO_CONTENT, etag).into_response())
}
