//! `GET /v1/endpoints/{id}/dead-letters/{seq}`: get a dead letter.

use axum::Json;
use axum::response::{IntoResponse, Response};
use hookyard_core::id::EndpointId;
use hookyard_engine::endpoints::DeadLetterDetail as CoreDetail;
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::shape::DeadLetter;
use crate::native::call::{Call, Read, Webhooks};
use crate::native::endpoints::attempts::Attempt;
use crate::native::event::{JournalEvent, show};
use crate::native::paths;
use crate::native::target::DeadLetterSeq;
use crate::problem::Problem;

/// A dead letter with its event and the last attempt.
#[derive(Serialize, ToSchema)]
struct DeadLetterDetail<'a> {
    #[serde(flatten)]
    letter: DeadLetter<'a>,
    /// The event; absent when gone from the journal.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<JournalEvent>)]
    event: Option<Box<RawValue>>,
    /// The attempt; absent when gone from the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_attempt: Option<Attempt<'a>>,
}

/// Get a dead letter
///
/// The event with the last attempt.
#[utoipa::path(
    get,
    path = paths::DEAD_LETTER,
    tag = "dead letters",
    responses((status = 200, description = "The dead letter", body = DeadLetterDetail)),
)]
pub(super) async fn get_dead_letter(
    call: Call<Read<Webhooks>, (EndpointId, DeadLetterSeq)>,
) -> Result<Response, Problem> {
    let Call { app, caller: workspace, target: (id, DeadLetterSeq(seq)), .. } = call;
    let CoreDetail { letter, event, last_attempt } =
        app.engine.dead_letter(workspace, id, seq).await?;
    let catalogue = app.engine.of(workspace).catalogue().await?;
    let event = event.as_ref().map(|event| show(&catalogue, event));
    let detail = DeadLetterDetail {
        letter: DeadLetter::new(&catalogue, &letter),
        event: event.and_then(|event| RawValue::from_string(event).ok()),
        last_attempt: last_attempt.as_ref().map(|attempt| Attempt::new(&catalogue, attempt)),
    };
    Ok(Json(detail).into_response())
}
