//! `/v1/endpoints/{id}/dead-letters`: events that a receiver refused for good.

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use hookyard_core::id::{EndpointId, Seq, WorkspaceId};
use hookyard_core::model::{Catalogue, Scope};
use hookyard_engine::Error;
use hookyard_engine::endpoints::DeadLetterDetail as CoreDetail;
use hookyard_store::{DeadLetter as CoreDeadLetter, DeadLetterQuery, DeadLetters};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};

use super::ENDPOINTS;
use super::attempts::Attempt;
use crate::App;
use crate::native::caller;
use crate::native::event::{JournalEvent, show};
use crate::native::input::{self, Nothing, PathText};
use crate::problem::{Code, Problem};

/// Dead letters of a page that does not say.
const LIMIT_DEFAULT: usize = 100;

/// The most dead letters of a page.
const LIMIT_MAX: usize = 100;

/// Which dead letters to list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Params {
    /// With a higher journal number than this.
    #[param(nullable = false, minimum = 0, maximum = 9223372036854775807_i64)]
    after: Option<u64>,
    /// The most dead letters of the page; 100 unless said.
    #[param(nullable = false, minimum = 1, maximum = 100)]
    limit: Option<usize>,
}

/// An event that was given up on.
#[derive(Serialize, ToSchema)]
struct DeadLetter<'a> {
    /// The event's number in the journal.
    seq: u64,
    /// The name of the event's type.
    event_type: &'a str,
    /// The publisher's id; absent when the journal does not have the event any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    event_id: Option<&'a str>,
    /// When it was parked.
    parked_at: Timestamp,
    /// The request id of the attempt that was the last.
    request_id: &'a str,
}

/// A dead letter with its event and the attempt that was its last.
#[derive(Serialize, ToSchema)]
struct DeadLetterDetail<'a> {
    #[serde(flatten)]
    letter: DeadLetter<'a>,
    /// The event; absent when the journal does not have it any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<JournalEvent>)]
    event: Option<Box<RawValue>>,
    /// The attempt; absent when the log does not have it any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_attempt: Option<Attempt<'a>>,
}

/// A page of dead letters, journal numbers ascending.
#[derive(Serialize, ToSchema)]
struct DeadLetterPage<'a> {
    dead_letters: Vec<DeadLetter<'a>>,
    /// The path and query of the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// How many dead letters it was about.
#[derive(Serialize, ToSchema)]
struct DeadLetterCount {
    count: u64,
}

impl<'a> DeadLetter<'a> {
    fn new(catalogue: &'a Catalogue, letter: &'a CoreDeadLetter) -> Self {
        let kind = catalogue.by_id(letter.event_type);
        Self {
            seq: letter.seq.0,
            event_type: kind.map_or("", |(_, kind)| kind.name.as_str()),
            event_id: letter.event_id.as_deref(),
            parked_at: letter.parked_at,
            request_id: letter.request_id.as_str(),
        }
    }
}

/// List an endpoint's dead letters
#[utoipa::path(
    get,
    path = "/v1/endpoints/{id}/dead-letters",
    tag = "dead letters",
    params(("id" = i32, Path, description = "The endpoint's number"), Params),
    responses((status = 200, description = "A page of dead letters", body = DeadLetterPage)),
    security(("simple_key" = ["webhook_read"])),
)]
pub(super) async fn list_dead_letters(
    State(app): State<App>,
    PathText(id): PathText<String>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let workspace = caller::workspace(&app, &headers, Scope::WebhookRead).await?;
    let id = input::endpoint_id(&id)?;
    let params: Params = input::query(raw.as_deref())?;
    let limit = input::limit(params.limit, LIMIT_DEFAULT, LIMIT_MAX)?;
    let after = input::at_most("after", params.after, i64::MAX.unsigned_abs())?.map(Seq);
    // One more than asked for tells whether there is a next page.
    let query = DeadLetterQuery { after, limit: limit + 1 };
    let mut letters = app.engine.dead_letters(workspace, id, query).await?;
    let more = letters.len() > limit;
    letters.truncate(limit);
    let catalogue = app.engine.store().catalogue(workspace).await.map_err(Error::from)?;
    let last = letters.last().filter(|_| more);
    let page = DeadLetterPage {
        dead_letters: letters.iter().map(|one| DeadLetter::new(&catalogue, one)).collect(),
        next: last.map(|last| {
            let pairs = [("after", Some(last.seq.to_string())), ("limit", Some(limit.to_string()))];
            input::next_page(&format!("{ENDPOINTS}/{id}/dead-letters"), &pairs)
        }),
    };
    Ok(Json(page).into_response())
}

/// Get a dead letter
///
/// The event with the attempt that was its last.
#[utoipa::path(
    get,
    path = "/v1/endpoints/{id}/dead-letters/{seq}",
    tag = "dead letters",
    params(
        ("id" = i32, Path, description = "The endpoint's number"),
        ("seq" = u64, Path, description = "The event's number in the journal"),
    ),
    responses((status = 200, description = "The dead letter", body = DeadLetterDetail)),
    security(("simple_key" = ["webhook_read"])),
)]
pub(super) async fn get_dead_letter(
    State(app): State<App>,
    PathText((id, seq)): PathText<(String, String)>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let workspace = caller::workspace(&app, &headers, Scope::WebhookRead).await?;
    input::query::<Nothing>(raw.as_deref())?;
    let (id, seq) = (input::endpoint_id(&id)?, number(&seq)?);
    let CoreDetail { letter, event, last_attempt } =
        app.engine.dead_letter(workspace, id, seq).await?;
    let catalogue = app.engine.store().catalogue(workspace).await.map_err(Error::from)?;
    let event = event.as_ref().map(|event| show(&catalogue, event));
    let detail = DeadLetterDetail {
        letter: DeadLetter::new(&catalogue, &letter),
        event: event.and_then(|event| RawValue::from_string(event).ok()),
        last_attempt: last_attempt.as_ref().map(|attempt| Attempt::new(&catalogue, attempt)),
    };
    Ok(Json(detail).into_response())
}

/// Redeliver all dead letters
///
/// They are queued again behind everything else, in the order of the journal.
#[utoipa::path(
    post,
    path = "/v1/endpoints/{id}/dead-letters/redeliver",
    tag = "dead letters",
    params(("id" = i32, Path, description = "The endpoint's number")),
    responses((status = 200, description = "How many", body = DeadLetterCount)),
    security(("simple_key" = ["webhook_write"])),
)]
pub(super) async fn redeliver_dead_letters(
    State(app): State<App>,
    PathText(id): PathText<String>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (workspace, id) = target(&app, &headers, raw.as_deref(), &id).await?;
    let count = app.engine.redeliver_dead_letters(workspace, id, DeadLetters::All).await?;
    Ok(Json(DeadLetterCount { count }).into_response())
}

/// Drop all dead letters
///
/// The events stay in the journal.
#[utoipa::path(
    delete,
    path = "/v1/endpoints/{id}/dead-letters",
    tag = "dead letters",
    params(("id" = i32, Path, description = "The endpoint's number")),
    responses((status = 200, description = "How many", body = DeadLetterCount)),
    security(("simple_key" = ["webhook_write"])),
)]
pub(super) async fn drop_dead_letters(
    State(app): State<App>,
    PathText(id): PathText<String>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (workspace, id) = target(&app, &headers, raw.as_deref(), &id).await?;
    let count = app.engine.drop_dead_letters(workspace, id, DeadLetters::All).await?;
    Ok(Json(DeadLetterCount { count }).into_response())
}

/// Redeliver a dead letter
///
/// It is queued again behind everything else.
#[utoipa::path(
    post,
    path = "/v1/endpoints/{id}/dead-letters/{seq}/redeliver",
    tag = "dead letters",
    params(
        ("id" = i32, Path, description = "The endpoint's number"),
        ("seq" = u64, Path, description = "The event's number in the journal"),
    ),
    responses((status = 200, description = "How many", body = DeadLetterCount)),
    security(("simple_key" = ["webhook_write"])),
)]
pub(super) async fn redeliver_dead_letter(
    State(app): State<App>,
    PathText((id, seq)): PathText<(String, String)>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (workspace, id) = target(&app, &headers, raw.as_deref(), &id).await?;
    let one = DeadLetters::One(number(&seq)?);
    let count = app.engine.redeliver_dead_letters(workspace, id, one).await?;
    Ok(Json(DeadLetterCount { count }).into_response())
}

/// Drop a dead letter
///
/// The event stays in the journal.
#[utoipa::path(
    delete,
    path = "/v1/endpoints/{id}/dead-letters/{seq}",
    tag = "dead letters",
    params(
        ("id" = i32, Path, description = "The endpoint's number"),
        ("seq" = u64, Path, description = "The event's number in the journal"),
    ),
    responses((status = 200, description = "How many", body = DeadLetterCount)),
    security(("simple_key" = ["webhook_write"])),
)]
pub(super) async fn drop_dead_letter(
    State(app): State<App>,
    PathText((id, seq)): PathText<(String, String)>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (workspace, id) = target(&app, &headers, raw.as_deref(), &id).await?;
    let one = DeadLetters::One(number(&seq)?);
    let count = app.engine.drop_dead_letters(workspace, id, one).await?;
    Ok(Json(DeadLetterCount { count }).into_response())
}

/// Who asks for a change, and of which endpoint.
async fn target(
    app: &App,
    headers: &HeaderMap,
    raw: Option<&str>,
    id: &str,
) -> Result<(WorkspaceId, EndpointId), Problem> {
    let workspace = caller::workspace(app, headers, Scope::WebhookWrite).await?;
    input::query::<Nothing>(raw)?;
    Ok((workspace, input::endpoint_id(id)?))
}

/// The event that a path names. What is no number names none.
fn number(text: &str) -> Result<Seq, Problem> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let seq = digits.then(|| text.parse::<i64>().ok()).flatten();
    let seq = seq.and_then(|seq| u64::try_from(seq).ok());
    seq.map(Seq).ok_or_else(|| Problem::new(Code::NotFound, "no such dead letter"))
}
