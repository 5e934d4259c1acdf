//! `POST /v1/endpoints/{id}/dead-letters/{seq}/redeliver`: redeliver a dead letter.

use axum::Json;
use axum::response::{IntoResponse, Response};
use hookyard_core::id::EndpointId;
use hookyard_store::DeadLetters;

use super::shape::DeadLetterCount;
use crate::native::call::{Call, Webhooks, Write};
use crate::native::paths;
use crate::native::target::DeadLetterSeq;
use crate::problem::Problem;

/// Redeliver a dead letter
///
/// The event is queued again, behind all other events of the queue.
#[utoipa::path(
    post,
    path = paths::DEAD_LETTER_REDELIVER,
    tag = "dead letters",
    responses((status = 200, description = "How many", body = DeadLetterCount)),
)]
pub(super) async fn redeliver_dead_letter(
    call: Call<Write<Webhooks>, (EndpointId, DeadLetterSeq)>,
) -> Result<Response, Problem> {
    let Call { app, caller: workspace, target: (id, DeadLetterSeq(seq)), .. } = call;
    let one = DeadLetters::One(seq);
    let count = app.engine.redeliver_dead_letters(workspace, id, one).await?;
    Ok(Json(DeadLetterCount { count }).into_response())
}
