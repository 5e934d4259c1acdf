//! `DELETE /v1/endpoints/{id}/subscriptions/{event_type}`: cancel a subscription.

use crate::native::target::EventTypeName;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use hookyard_core::id::EndpointId;

use crate::native::call::{Call, Webhooks, Write};
use crate::native::endpoints::change::NAMES;
use crate::native::endpoints::shape;
use crate::native::{input, paths};
use crate::problem::Problem;

/// Cancel a subscription
///
/// What is queued already is still delivered. With `if-match` only the named revision of the
/// endpoint is changed.
#[utoipa::path(
    delete,
    path = paths::SUBSCRIPTION,
    tag = "endpoints",
    params(("if-match" = Option<String>, Header, description = "The `etag` of the revision to change")),
    responses(
        (status = 204, description = "It is gone"),
        (status = 409, description = "Others kept changing the endpoint"),
        (status = 412, description = "The endpoint is at another revision"),
    ),
)]
pub(super) async fn delete_subscription(
    call: Call<Write<Webhooks>, (EndpointId, EventTypeName)>,
) -> Result<Response, Problem> {
    let Call { app, caller: workspace, target: (id, EventTypeName(event_type)), headers, .. } =
        call;
    let if_revision = input::if_match(&headers)?;
    let view =
        app.engine.delete_subscription(workspace, id, &NAMES, &event_type, if_revision).await?;
    let etag = [(header::ETAG, shape::etag(view.endpoint.revision))];
    Ok((StatusCode::NO_CONTENT, etag).into_response())
}
