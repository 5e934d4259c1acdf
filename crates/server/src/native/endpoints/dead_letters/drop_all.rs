//! `DELETE /v1/endpoints/{id}/dead-letters`: drop all dead letters.

use axum::Json;
use axum::response::{IntoResponse, Response};
use hookyard_core::id::EndpointId;
use hookyard_store::DeadLetters;

use super::shape::DeadLetterCount;
use crate::native::call::{Call, Webhooks, Write};
use crate::native::paths;
use crate::problem::Problem;

/// Drop all dead letters
///
/// The events stay in the journal.
#[utoipa::path(
    delete,
    path = paths::DEAD_LETTERS,
    tag = "dead letters",
    responses((status = 200, description = "How many", body = DeadLetterCount)),
)]
pub(super) async fn drop_dead_letters(
    call: Call<Write<Webhooks>, EndpointId>,
) -> Result<Response, Problem> {
    let Call { app, caller: workspace, target: id, .. } = call;
    let count = app.engine.drop_dead_letters(workspace, id, DeadLetters::All).await?;
    Ok(Json(DeadLetterCount { count }).into_response())
}
