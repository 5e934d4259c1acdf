//! `POST /v1/endpoints/{id}/replays`: start a replay.

use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use hookyard_engine::endpoints::EndpointView;
use hookyard_engine::replays::{Preview, ReplaySpec};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::shape::{Replay, one};
use crate::native::call::{Call, Webhooks, Write};
use crate::native::input::Nothing;
use crate::native::sent::JsonBody;
use crate::native::{input, paths};
use crate::problem::Problem;

/// The events to send again: all conditions must hold, and events keep the order of the journal.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ReplayRequest {
    /// Events accepted at or after this moment only.
    #[serde(default, deserialize_with = "input::moment")]
    from: Option<Timestamp>,
    /// Events accepted before this moment only.
    #[serde(default, deserialize_with = "input::moment")]
    until: Option<Timestamp>,
    /// Events of these types only. The endpoint must subscribe to each type; absent stands for all
    /// subscribed types.
    #[schema(max_items = 5000)]
    event_types: Option<Vec<String>>,
    /// Events that match this rule only; when absent, the rule of the subscription counts.
    rule: Option<String>,
    /// Whether only to preview the replay.
    dry_run: Option<bool>,
}

/// The preview of a replay.
#[derive(Serialize, ToSchema)]
struct ReplayPreview {
    /// Events of the replay's types and times.
    total: u64,
    /// The number of examined events.
    examined: u64,
    /// The number of examined events that would be sent.
    matched: u64,
    /// The publishers' ids of the first events that would be sent.
    sample: Vec<String>,
}

/// Start a replay
///
/// Sends a range of the journal to the endpoint again, slice by slice between its live events. A dry
/// run says what would be sent and changes nothing.
#[utoipa::path(
    post,
    path = paths::REPLAYS,
    tag = "replays",
    responses(
        (status = 200, description = "What a dry run found", body = ReplayPreview),
        (status = 201, description = "The replay", body = Replay, headers(
            ("location" = String, description = "Its path"),
        )),
        (status = 409, description = "The endpoint is disabled, or has too many replays"),
    ),
)]
pub(super) async fn start_replay(
    call: Call<Write<Webhooks>, EndpointView, Nothing, JsonBody<ReplayRequest>>,
) -> Result<Response, Problem> {
    let Call { app, caller: workspace, target: current, body: JsonBody(request), .. } = call;
    let id = current.endpoint.id;
    let ReplayRequest { from, until, event_types, rule, dry_run } = request;
    let spec = ReplaySpec { from, until, event_types: event_types.unwrap_or_default(), rule };
    if dry_run.unwrap_or_default() {
        let found = app.engine.preview_replay(workspace, id, spec).await?;
        let Preview { total, examined, matched, sample } = found;
        return Ok(Json(ReplayPreview { total, examined, matched, sample }).into_response());
    }
    let replay = app.engine.start_replay(workspace, id, spec).await?;
    let location = [(header::LOCATION, app.link(&paths::REPLAY.of([&id, &replay.id])))];
    let shown = one(&app, workspace, StatusCode::CREATED, &replay).await?;
    Ok((location, shown).into_response())
}
