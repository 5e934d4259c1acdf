//! `POST /v1/endpoints/{id}/recover`: recover an endpoint's missed events.

use axum::response::Response;
use hookyard_core::id::EndpointId;

use super::shape::{ReplayList, list};
use crate::native::call::{Call, Webhooks, Write};
use crate::native::paths;
use crate::problem::Problem;

/// Recover missed events
///
/// Starts a replay for each time the endpoint was disabled since the last call, over the events published
/// meanwhile. No replay starts if no event was missed.
#[utoipa::path(
    post,
    path = paths::RECOVER,
    tag = "replays",
    responses(
        (status = 200, description = "The replays", body = ReplayList),
        (status = 409, description = "The endpoint is disabled, or subscribes to nothing"),
    ),
)]
pub(super) async fn recover(call: Call<Write<Webhooks>, EndpointId>) -> Result<Response, Problem> {
    let Call { app, caller: workspace, target: id, .. } = call;
    let replays = app.engine.recover(workspace, id).await?;
    list(&app, workspace, &replays).await
}
