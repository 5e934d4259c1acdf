//! `/v1/endpoints/{id}/replays`: sending history again.

use axum::Json;
use axum::body::Body;
use axum::extract::{RawQuery, State as Shared};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hookyard_core::id::{ReplayId, WorkspaceId};
use hookyard_core::model::{Catalogue, Replay as CoreReplay, ReplayState, Scope};
use hookyard_engine::Error;
use hookyard_engine::replays::{Preview, ReplaySpec};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::ENDPOINTS;
use crate::App;
use crate::native::caller;
use crate::native::input::{self, Nothing, PathText};
use crate::problem::{Code, Problem};

/// What to send again: events that meet all conditions, in the order of the journal.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ReplayRequest {
    /// Accepted at or after this moment.
    #[serde(default, deserialize_with = "input::moment")]
    from: Option<Timestamp>,
    /// Accepted before this moment.
    #[serde(default, deserialize_with = "input::moment")]
    until: Option<Timestamp>,
    /// Of these event types, which the endpoint must subscribe to; of all of those when absent.
    #[schema(max_items = 5000)]
    event_types: Option<Vec<String>>,
    /// Matching this rule; when absent, the rule of their subscription.
    rule: Option<String>,
    /// Whether only to say what would be sent.
    dry_run: Option<bool>,
}

/// A range of the journal that is sent to one endpoint again.
#[derive(Serialize, ToSchema)]
struct Replay<'a> {
    /// Its number.
    id: i32,
    /// When it was started.
    created_at: Timestamp,
    state: State,
    /// Whether it makes good what was missed while the endpoint was disabled.
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

/// What a replay does now.
#[derive(Serialize, ToSchema)]
#[schema(as = ReplayState)]
#[serde(rename_all = "snake_case")]
enum State {
    Running,
    Paused,
    Cancelled,
    Done,
}

/// How far a replay is.
#[derive(Serialize, ToSchema)]
#[schema(as = ReplayProgress)]
struct Progress {
    /// Events of its types and times that were in the journal when it was started.
    total: u64,
    /// How many of them were looked at.
    examined: u64,
    /// How many of those a rule let through, and were queued.
    queued: u64,
    /// How many of those have left the queue again.
    delivered: u64,
}

/// What a replay would send.
#[derive(Serialize, ToSchema)]
struct ReplayPreview {
    /// Events of its types and times.
    total: u64,
    /// How many of them were looked at.
    examined: u64,
    /// How many of those would be sent.
    matched: u64,
    /// The publishers' ids of the first of those.
    sample: Vec<String>,
}

/// Replays of an endpoint, newest first.
#[derive(Serialize, ToSchema)]
struct ReplayList<'a> {
    replays: Vec<Replay<'a>>,
}

impl<'a> Replay<'a> {
    fn new(catalogue: &'a Catalogue, replay: &'a CoreReplay) -> Self {
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

/// List an endpoint's replays
///
/// Those that are not done, and the last ones that are, newest first.
#[utoipa::path(
    get,
    path = "/v1/endpoints/{id}/replays",
    tag = "replays",
    params(("id" = i32, Path, description = "The endpoint's number")),
    responses((status = 200, description = "The replays", body = ReplayList)),
    security(("simple_key" = ["webhook_read"])),
)]
pub(super) async fn list_replays(
    Shared(app): Shared<App>,
    PathText(id): PathText<String>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let workspace = caller::workspace(&app, &headers, Scope::WebhookRead).await?;
    input::query::<Nothing>(raw.as_deref())?;
    let replays = app.engine.list_replays(workspace, input::endpoint_id(&id)?).await?;
    list(&app, workspace, &replays).await
}

/// Start a replay
///
/// Sends a range of the journal to the endpoint again, slice by slice between its live events. A dry
/// run says what would be sent and changes nothing.
#[utoipa::path(
    post,
    path = "/v1/endpoints/{id}/replays",
    tag = "replays",
    params(("id" = i32, Path, description = "The endpoint's number")),
    request_body = ReplayRequest,
    responses(
        (status = 200, description = "What a dry run found", body = ReplayPreview),
        (status = 201, description = "The replay", body = Replay, headers(
            ("location" = String, description = "Its path"),
        )),
        (status = 409, description = "The endpoint is disabled, or has too many replays"),
    ),
    security(("simple_key" = ["webhook_write"])),
)]
pub(super) async fn start_replay(
    Shared(app): Shared<App>,
    PathText(id): PathText<String>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let workspace = caller::workspace(&app, &headers, Scope::WebhookWrite).await?;
    input::query::<Nothing>(raw.as_deref())?;
    let id = input::endpoint_id(&id)?;
    app.engine.endpoint_view(workspace, id).await?;
    let request: ReplayRequest = input::json(&headers, body, &[input::JSON]).await?;
    let ReplayRequest { from, until, event_types, rule, dry_run } = request;
    let spec = ReplaySpec { from, until, event_types: event_types.unwrap_or_default(), rule };
    if dry_run.unwrap_or_default() {
        let found = app.engine.preview_replay(workspace, id, spec).await?;
        let Preview { total, examined, matched, sample } = found;
        return Ok(Json(ReplayPreview { total, examined, matched, sample }).into_response());
    }
    let replay = app.engine.start_replay(workspace, id, spec).await?;
    let location = [(header::LOCATION, format!("{ENDPOINTS}/{id}/replays/{}", replay.id))];
    let shown = one(&app, workspace, StatusCode::CREATED, &replay).await?;
    Ok((location, shown).into_response())
}

/// Get a replay
#[utoipa::path(
    get,
    path = "/v1/endpoints/{id}/replays/{replay}",
    tag = "replays",
    params(
        ("id" = i32, Path, description = "The endpoint's number"),
        ("replay" = i32, Path, description = "The replay's number"),
    ),
    responses((status = 200, description = "The replay", body = Replay)),
    security(("simple_key" = ["webhook_read"])),
)]
pub(super) async fn get_replay(
    Shared(app): Shared<App>,
    PathText((id, replay)): PathText<(String, String)>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let workspace = caller::workspace(&app, &headers, Scope::WebhookRead).await?;
    input::query::<Nothing>(raw.as_deref())?;
    let (id, replay) = (input::endpoint_id(&id)?, number(&replay)?);
    let replay = app.engine.replay(workspace, id, replay).await?;
    one(&app, workspace, StatusCode::OK, &replay).await
}

/// Pause a replay
///
/// Nothing more of it is queued until it is resumed; what is queued is delivered.
#[utoipa::path(
    post,
    path = "/v1/endpoints/{id}/replays/{replay}/pause",
    tag = "replays",
    params(
        ("id" = i32, Path, description = "The endpoint's number"),
        ("replay" = i32, Path, description = "The replay's number"),
    ),
    responses(
        (status = 200, description = "The replay", body = Replay),
        (status = 409, description = "It was cancelled, or all its events are queued"),
    ),
    security(("simple_key" = ["webhook_write"])),
)]
pub(super) async fn pause_replay(
    Shared(app): Shared<App>,
    PathText((id, replay)): PathText<(String, String)>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let workspace = caller::workspace(&app, &headers, Scope::WebhookWrite).await?;
    input::query::<Nothing>(raw.as_deref())?;
    let (id, replay) = (input::endpoint_id(&id)?, number(&replay)?);
    let replay = app.engine.pause_replay(workspace, id, replay).await?;
    one(&app, workspace, StatusCode::OK, &replay).await
}

/// Resume a replay
///
/// It goes on where it was paused.
#[utoipa::path(
    post,
    path = "/v1/endpoints/{id}/replays/{replay}/resume",
    tag = "replays",
    params(
        ("id" = i32, Path, description = "The endpoint's number"),
        ("replay" = i32, Path, description = "The replay's number"),
    ),
    responses(
        (status = 200, description = "The replay", body = Replay),
        (status = 409, description = "It was cancelled, or all its events are queued"),
    ),
    security(("simple_key" = ["webhook_write"])),
)]
pub(super) async fn resume_replay(
    Shared(app): Shared<App>,
    PathText((id, replay)): PathText<(String, String)>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let workspace = caller::workspace(&app, &headers, Scope::WebhookWrite).await?;
    input::query::<Nothing>(raw.as_deref())?;
    let (id, replay) = (input::endpoint_id(&id)?, number(&replay)?);
    let replay = app.engine.resume_replay(workspace, id, replay).await?;
    one(&app, workspace, StatusCode::OK, &replay).await
}

/// Cancel a replay
///
/// Nothing more of it is queued; what is queued is delivered.
#[utoipa::path(
    post,
    path = "/v1/endpoints/{id}/replays/{replay}/cancel",
    tag = "replays",
    params(
        ("id" = i32, Path, description = "The endpoint's number"),
        ("replay" = i32, Path, description = "The replay's number"),
    ),
    responses(
        (status = 200, description = "The replay", body = Replay),
        (status = 409, description = "It was cancelled, or all its events are queued"),
    ),
    security(("simple_key" = ["webhook_write"])),
)]
pub(super) async fn cancel_replay(
    Shared(app): Shared<App>,
    PathText((id, replay)): PathText<(String, String)>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let workspace = caller::workspace(&app, &headers, Scope::WebhookWrite).await?;
    input::query::<Nothing>(raw.as_deref())?;
    let (id, replay) = (input::endpoint_id(&id)?, number(&replay)?);
    let replay = app.engine.cancel_replay(workspace, id, replay).await?;
    one(&app, workspace, StatusCode::OK, &replay).await
}

/// Recover what an endpoint missed
///
/// Starts a replay for each time that it was disabled since the last call, of what was published
/// meanwhile; none when nothing was missed.
#[utoipa::path(
    post,
    path = "/v1/endpoints/{id}/recover",
    tag = "replays",
    params(("id" = i32, Path, description = "The endpoint's number")),
    responses(
        (status = 200, description = "The replays", body = ReplayList),
        (status = 409, description = "The endpoint is disabled, or subscribes to nothing"),
    ),
    security(("simple_key" = ["webhook_write"])),
)]
pub(super) async fn recover(
    Shared(app): Shared<App>,
    PathText(id): PathText<String>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let workspace = caller::workspace(&app, &headers, Scope::WebhookWrite).await?;
    input::query::<Nothing>(raw.as_deref())?;
    let replays = app.engine.recover(workspace, input::endpoint_id(&id)?).await?;
    list(&app, workspace, &replays).await
}

async fn one(
    app: &App,
    workspace: WorkspaceId,
    status: StatusCode,
    replay: &CoreReplay,
) -> Result<Response, Problem> {
    let catalogue = app.engine.store().catalogue(workspace).await.map_err(Error::from)?;
    Ok((status, Json(Replay::new(&catalogue, replay))).into_response())
}

async fn list(
    app: &App,
    workspace: WorkspaceId,
    replays: &[CoreReplay],
) -> Result<Response, Problem> {
    let catalogue = app.engine.store().catalogue(workspace).await.map_err(Error::from)?;
    let replays = replays.iter().map(|replay| Replay::new(&catalogue, replay)).collect();
    Ok(Json(ReplayList { replays }).into_response())
}

/// The replay that a path names. What is no number names none.
fn number(text: &str) -> Result<ReplayId, Problem> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let id = digits.then(|| text.parse().ok()).flatten();
    id.ok_or_else(|| Problem::new(Code::NotFound, "no such replay"))
}

/// Examples of the schemas of this file, by name.
pub(super) fn samples() -> Vec<(&'static str, Value)> {
    let request = json!({
        "from": "2026-11-01T00:00:00Z",
        "until": "2026-11-02T00:00:00Z",
        "event_types": ["order_create"],
        "dry_run": true,
    });
    vec![("ReplayRequest", request)]
}
