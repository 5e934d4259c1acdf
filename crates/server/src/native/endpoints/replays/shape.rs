//! `/v1/endpoints/{id}/replays`: sending history again.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use hookyard_core::id::WorkspaceId;
use hookyard_core::model::{Catalogue, Replay as CoreReplay, ReplayState};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::App;
use crate::problem::Problem;

/// A range of the journal that is sent to one endpoint again.
#[derive(Serialize, ToSchema)]
pub(super) struct Replay<'a> {
    /// The replay's number.
    id: i32,
    /// When the replay was started.
    created_at: Timestamp,
    state: State,
    /// Whether the replay recovers events missed while the endpoint was disabled.
    recovers: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<Timestamp>,
    event_types: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<&'a str>,
    progress: Progress,
}

/// The state of a replay.
#[derive(Serialize, ToSchema)]
#[schema(as = ReplayState)]
#[serde(rename_all = "snake_case")]
pub(super) enum State {
    Running,
    Paused,
    Cancelled,
    Done,
}

/// How far a replay is.
#[derive(Serialize, ToSchema)]
#[schema(as = ReplayProgress)]
pub(super) struct Progress {
    /// Events of the replay's types and times in the journal at the start of the replay.
    total: u64,
    /// The number of examined events.
    examined: u64,
    /// The number of examined events that matched the rule and were queued.
    queued: u64,
    /// The number of queued events that have left the queue again.
    delivered: u64,
}

/// Replays of an endpoint, newest first.
#[derive(Serialize, ToSchema)]
pub(super) struct ReplayList<'a> {
    replays: Vec<Replay<'a>>,
}

impl<'a> Replay<'a> {
    pub(super) fn new(catalogue: &'a Catalogue, replay: &'a CoreReplay) -> Self {
        let (scope, progress) = (&replay.scope, replay.progress);
        let types = scope.event_types.iter().filter_map(|id| catalogue.by_id(*id));
        Self {
            id: replay.id.0,
            created_at: replay.created_at,
            state: match replay.state {
                ReplayState::Running => State::Running,
                ReplayState::Paused => State::Paused,
                ReplayState::Cancelled => State::Cancelled,
                ReplayState::Done => State::Done,
            },
            recovers: scope.missed_only,
            from: scope.from,
            until: scope.until,
            event_types: types.map(|(_, kind)| kind.name.as_str()).collect(),
            rule: scope.rule.as_deref(),
            progress: Progress {
                total: progress.total,
                examined: progress.examined,
                queued: progress.queued,
                delivered: progress.delivered,
            },
        }
    }
}

pub(super) async fn one(
    app: &App,
    workspace: WorkspaceId,
    status: StatusCode,
    replay: &CoreReplay,
) -> Result<Response, Problem> {
    let catalogue = app.engine.of(workspace).catalogue().await?;
    Ok((status, Json(Replay::new(&catalogue, replay))).into_response())
}

pub(super) async fn list(
    app: &App,
    workspace: WorkspaceId,
    replays: &[CoreReplay],
) -> Result<Response, Problem> {
    let catalogue = app.engine.of(workspace).catalogue().await?;
    let replays = replays.iter().map(|replay| Replay::new(&catalogue, replay)).collect();
    Ok(Json(ReplayList { replays }).into_response())
}

/// Examples of the file's schemas, by name.
pub(in crate::native) fn samples() -> Vec<(&'static str, Value)> {
    let request = json!({
        "from": "2026-11-01T00:00:00Z",
        "until": "2026-11-02T00:00:00Z",
        "event_types": ["order_create"],
        "dry_run": true,
    });
    vec![("ReplayRequest", request)]
}
