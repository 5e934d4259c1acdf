//! `GET /v1/endpoints/{id}/replays`: list an endpoint's replays.

use axum::response::Response;
use hookyard_core::id::EndpointId;

use super::shape::{ReplayList, list};
use crate::native::call::{Call, Read, Webhooks};
use crate::native::paths;
use crate::problem::Problem;

/// List an endpoint's replays
///
/// Unfinished replays, and the last finished replays, newest first.
#[utoipa::path(
    get,
    path = paths::REPLAYS,
    tag = "replays",
    responses((status = 200, description = "The replays", body = ReplayList)),
)]
pub(super) async fn list_replays(
    call: Call<Read<Webhooks>, EndpointId>,
) -> Result<Response, Problem> {
    let Call { app, caller: workspace, target: id, .. } = call;
    let replays = app.engine.list_replays(workspace, id).await?;
    list(&app, workspace, &replays).await
}
