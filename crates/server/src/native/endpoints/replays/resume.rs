//! `POST /v1/endpoints/{id}/replays/{replay}/resume`: resume a replay.

use axum::http::StatusCode;
use axum::response::Response;
use hookyard_core::id::{EndpointId, ReplayId};

use super::shape::{Replay, one};
use crate::native::call::{Call, Webhooks, Write};
use crate::native::paths;
use crate::problem::Problem;

/// Resume a replay
///
/// The replay goes on from the pause.
#[utoipa::path(
    post,
    path = paths::REPLAY_RESUME,
    tag = "replays",
    responses(
        (status = 200, description = "The replay", body = Replay),
        (status = 409, description = "It was cancelled, or all its events are queued"),
    ),
)]
pub(super) async fn resume_replay(
    call: Call<Write<Webhooks>, (EndpointId, ReplayId)>,
) -> Result<Response, Problem> {
    let Call { app, caller: workspace, target: (id, replay), .. } = call;
    let replay = app.engine.resume_replay(workspace, id, replay).await?;
    one(&app, workspace, StatusCode::OK, &replay).await
}
