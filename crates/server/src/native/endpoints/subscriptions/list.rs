//! `GET /v1/endpoints/{id}/subscriptions`: list an endpoint's subscriptions.

use axum::Json;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use hookyard_engine::endpoints::EndpointView;
use serde::Serialize;
use utoipa::ToSchema;

use crate::native::call::{Call, Read, Webhooks};
use crate::native::endpoints::shape;
use crate::native::endpoints::shape::Subscription;
use crate::native::paths;
use crate::problem::Problem;

/// All subscriptions of an endpoint.
#[derive(Serialize, ToSchema)]
pub(super) struct SubscriptionList<'a> {
    subscriptions: Vec<Subscription<'a>>,
}

/// List an endpoint's subscriptions
#[utoipa::path(
    get,
    path = paths::SUBSCRIPTIONS,
    tag = "endpoints",
    responses(
        (status = 200, description = "The subscriptions", body = SubscriptionList, headers(
            ("etag" = String, description = "The endpoint's revision"),
        )),
    ),
)]
pub(super) async fn list_subscriptions(
    call: Call<Read<Webhooks>, EndpointView>,
) -> Result<Response, Problem> {
    let Call { app, caller: workspace, target: view, .. } = call;
    let catalogue = app.engine.of(workspace).catalogue().await?;
    let subscriptions = shape::subscriptions(&catalogue, &view.endpoint.subscriptions);
    let etag = [(header::ETAG, shape::etag(view.endpoint.revision))];
    Ok((etag, Json(SubscriptionList { subscriptions })).into_response())
}
