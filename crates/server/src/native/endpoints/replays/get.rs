//! `GET /v1/endpoints/{id}/replays/{replay}`: get a replay.

use axum::http::StatusCode;
use axum::response::Response;
use hookyard_core::id::{EndpointId, ReplayId};

use super::shape::{Replay, one};
use crate::native::call::{Call, Read, Webhooks};
use crate::native::paths;
use crate::problem::Problem;

/// Get a replay
#[utoipa::path(
    get,
    path = paths::REPLAY,
    tag = "replays",
    responses((status = 200, description = "The replay", body = Replay)),
)]
pub(super) async fn get_replay(
    call: Call<Read<Webhooks>, (EndpointId, ReplayId)>,
) -> Result<Response, Problem> {
    let Call { app, caller: workspace, target: (id, replay), .. } = call;
    let replay = app.engine.replay(workspace, id, replay).await?;
    one(&app, workspace, StatusCode::OK, &replay).await
}
