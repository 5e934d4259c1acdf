//! `PUT /v1/endpoints/{id}/subscriptions/{event_type}`: subscribe to an event type.

use crate::native::target::Cataloged;
use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use hookyard_engine::endpoints::EndpointView;

use crate::native::call::{Call, Webhooks, Write};
use crate::native::endpoints::change::{NAMES, SubscriptionBody};
use crate::native::endpoints::shape;
use crate::native::endpoints::shape::Subscription;
use crate::native::input::Nothing;
use crate::native::sent::JsonBody;
use crate::native::{input, paths};
use crate::problem::Problem;

/// Subscribe to an event type
///
/// Makes the subscription, or replaces an existing subscription as a whole. With `if-match` only the named
/// revision of the endpoint is changed.
#[utoipa::path(
    put,
    path = paths::SUBSCRIPTION,
    tag = "endpoints",
    params(("if-match" = Option<String>, Header, description = "The `etag` of the revision to change")),
    responses(
        (status = 200, description = "The subscription, which was there", body = Subscription),
        (status = 201, description = "The subscription, which is new", body = Subscription),
        (status = 409, description = "Others kept changing the endpoint"),
        (status = 412, description = "The endpoint is at another revision"),
    ),
)]
pub(super) async fn put_subscription(
    call: Call<Write<Webhooks>, (EndpointView, Cataloged), Nothing, JsonBody<SubscriptionBody>>,
) -> Result<Response, Problem> {
    let Call {
        app,
        caller: workspace,
        target: (current, Cataloged { catalogue, kind }),
        headers,
        body: JsonBody(body),
        ..
    } = call;
    let if_revision = input::if_match(&headers)?;
    let wanted = body.whole(String::new(), kind.name);
    let changed = app
        .engine
        .put_subscription(workspace, current.endpoint.id, &NAMES, wanted, if_revision)
        .await;
    let (view, is_new) = changed?;
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    let etag = [(header::ETAG, shape::etag(view.endpoint.revision))];
    let subscription = view.endpoint.subscription(kind.id);
    let shown = subscription.and_then(|found| shape::subscription_of(&catalogue, found));
    Ok((status, etag, Json(shown)).into_response())
}
