//! `POST /v1/endpoints/{id}/replays/{replay}/pause`: pause a replay.

use axum::http::StatusCode;
use axum::response::Response;
use hookyard_core::id::{EndpointId, ReplayId};

use super::shape::{Replay, one};
use crate::native::call::{Call, Webhooks, Write};
use crate::native::paths;
use crate::problem::Problem;

/// Pause a replay
///
/// No further events are queued until the replay is resumed; events already in the queue are delivered.
#[utoipa::path(
    post,
    path = paths::REPLAY_PAUSE,
    tag = "replays",
    responses(
        (status = 200, description = "The replay", body = Replay),
        (status = 409, description = "It was cancelled, or all its events are queued"),
    ),
)]
pub(super) async fn pause_replay(
    call: Call<Write<Webhooks>, (EndpointId, ReplayId)>,
) -> Result<Response, Problem> {
    let Call { app, caller: workspace, target: (id, replay), .. } = call;
    let replay = app.engine.pause_replay(workspace, id, replay).await?;
    one(&app, workspace, StatusCode::OK, &replay).await
}
