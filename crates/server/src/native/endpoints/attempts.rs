//! `/v1/endpoints/{id}/attempts`: the delivery log.

use std::time::Duration;

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use hookyard_core::id::{EndpointId, RequestId, Seq, WorkspaceId};
use hookyard_core::model::{Attempt as CoreAttempt, Catalogue, ContentEncoding, Header, Scope};
use hookyard_engine::Error;
use hookyard_engine::endpoints::{ATTEMPTS_SEARCHED_MAX, AttemptDetail as CoreDetail, LogQuery};
use hookyard_store::{AttemptQuery, Entity};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::ENDPOINTS;
use super::options::EncodingBody;
use crate::App;
use crate::native::caller;
use crate::native::input::{self, Nothing, PathText};
use crate::problem::{Code, Problem};

/// Attempts of a page that does not say.
const LIMIT_DEFAULT: usize = 100;

/// The most attempts of a page: each names up to a hundred events of the usual bundle.
const LIMIT_MAX: usize = 200;

/// The most attempts that one endpoint can start within a millisecond, looked through to find where
/// a page ends. Requests of an endpoint follow each other, or are bounded to a few at once.
const SAME_MOMENT_MAX: usize = 1_000;

/// Which attempts to list; all conditions must hold.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Params {
    /// Started at or after this moment.
    #[param(nullable = false)]
    #[serde(default, deserialize_with = "input::moment")]
    from: Option<Timestamp>,
    /// Started at or before this moment.
    #[param(nullable = false)]
    #[serde(default, deserialize_with = "input::moment")]
    until: Option<Timestamp>,
    /// A success, or not.
    #[param(nullable = false)]
    success: Option<bool>,
    /// Answered with this HTTP status.
    #[param(nullable = false, minimum = 100, maximum = 999)]
    status: Option<u16>,
    /// Carried an event of this type.
    #[param(nullable = false)]
    event_type: Option<String>,
    /// Carried an event with this order id.
    #[param(nullable = false)]
    order_id: Option<String>,
    /// Took at least this many milliseconds.
    #[param(nullable = false, minimum = 0, maximum = 4294967295_i64)]
    duration_ms_min: Option<u32>,
    /// Older than the attempt with this request id.
    #[param(nullable = false, pattern = "^[0-9A-F]{26}80011$")]
    before: Option<String>,
    /// The most attempts of the page; 100 unless said.
    #[param(nullable = false, minimum = 1, maximum = 200)]
    limit: Option<usize>,
}

/// One try to deliver a bundle.
#[derive(Serialize, ToSchema)]
pub(super) struct Attempt<'a> {
    /// The id that the receiver saw in `x-ultracart-request-id`.
    request_id: &'a str,
    /// The endpoint's revision that the bundle was made with.
    revision: u32,
    /// When the request was started.
    started_at: Timestamp,
    /// From the start of the request to the whole answer.
    duration_ms: u64,
    /// How long the oldest event of the bundle had been queued.
    queue_delay_ms: u64,
    /// Whether the receiver answered 2xx.
    success: bool,
    /// The answer's status; absent when there was no answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    /// Why there was no answer, or why it is no success.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    /// The target.
    url: &'a str,
    /// The journal numbers of the events.
    #[schema(value_type = Vec<u64>)]
    events: &'a [Seq],
    /// Their types, each once.
    event_types: Vec<&'a str>,
    /// Their order ids, each once.
    order_ids: &'a [String],
    /// The failures in a row, this one counted; 0 for a success.
    failures: u32,
    /// When the next try was due.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_at: Option<Timestamp>,
}

/// One attempt with what was sent and answered.
#[derive(Serialize, ToSchema)]
struct AttemptDetail<'a> {
    #[serde(flatten)]
    attempt: Attempt<'a>,
    /// The request's headers, credentials masked.
    #[schema(value_type = Vec<HttpHeader>)]
    request_headers: &'a [Header],
    /// The request's body before its content encoding, its first 100,000 characters; absent, as the
    /// two below, when some of what it was made of is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<&'a str>,
    /// The content encoding that the body was sent with.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = EncodingBody)]
    request_encoding: Option<ContentEncoding>,
    /// The size of the body as it was sent, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    request_bytes: Option<usize>,
    /// The answer's headers.
    #[schema(value_type = Vec<HttpHeader>)]
    response_headers: &'a [Header],
    /// The answer's body, its first 100,000 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    response: Option<&'a str>,
}

/// One HTTP header.
#[derive(Serialize, ToSchema)]
struct HttpHeader {
    name: String,
    value: String,
}

/// A page of attempts, newest first.
#[derive(Serialize, ToSchema)]
struct AttemptPage<'a> {
    attempts: Vec<Attempt<'a>>,
    /// The path and query of the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

impl<'a> Attempt<'a> {
    pub(super) fn new(catalogue: &'a Catalogue, attempt: &'a CoreAttempt) -> Self {
        let record = &attempt.record;
        let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let types = record.event_types.iter().filter_map(|id| catalogue.by_id(*id));
        Self {
            request_id: record.request_id.as_str(),
            revision: record.revision,
            started_at: record.started_at,
            duration_ms: millis(record.duration),
            queue_delay_ms: millis(record.queue_delay),
            success: attempt.success,
            status: record.outcome.status,
            error: record.outcome.error.as_deref(),
            url: &record.url,
            events: &record.events,
            event_types: types.map(|(_, kind)| kind.name.as_str()).collect(),
            order_ids: &record.order_ids,
            failures: record.failures,
            retry_at: record.retry_at,
        }
    }
}

/// List an endpoint's attempts
///
/// A page of the delivery log, newest first.
#[utoipa::path(
    get,
    path = "/v1/endpoints/{id}/attempts",
    tag = "endpoints",
    params(("id" = i32, Path, description = "The endpoint's number"), Params),
    responses((status = 200, description = "A page of attempts", body = AttemptPage)),
    security(("simple_key" = ["webhook_read"])),
)]
pub(super) async fn list_attempts(
    State(app): State<App>,
    PathText(id): PathText<String>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let workspace = caller::workspace(&app, &headers, Scope::WebhookRead).await?;
    let id = input::endpoint_id(&id)?;
    let params: Params = input::query(raw.as_deref())?;
    let limit = input::limit(params.limit, LIMIT_DEFAULT, LIMIT_MAX)?;
    app.engine.endpoint_view(workspace, id).await?;
    let catalogue = app.engine.store().catalogue(workspace).await.map_err(Error::from)?;
    let conditions = AttemptQuery { limit, ..conditions(&catalogue, &params)? };
    let query = behind(&app, workspace, id, &params, conditions).await?;
    let page = app.engine.attempt_log(workspace, id, query).await?;
    let last = page.attempts.last().filter(|_| page.more);
    let page = AttemptPage {
        attempts: page.attempts.iter().map(|attempt| Attempt::new(&catalogue, attempt)).collect(),
        next: last.map(|last| next(id, &params, last, limit)),
    };
    Ok(Json(page).into_response())
}

fn conditions(catalogue: &Catalogue, params: &Params) -> Result<AttemptQuery, Problem> {
    if params.status.is_some_and(|status| !(100..=999).contains(&status)) {
        let detail = "must be an HTTP status code such as 500";
        return Err(Problem::of_field(Code::InvalidValue, "status", detail));
    }
    let event_type = params.event_type.as_deref().map(|name| {
        let found = catalogue.by_name(name).map(|(_, kind)| kind.id);
        found.ok_or_else(|| {
            let detail = format!("the workspace has no event type `{name}`");
            Problem::of_field(Code::UnknownEventType, "event_type", detail)
        })
    });
    Ok(AttemptQuery {
        from: params.from,
        until: params.until,
        status: params.status,
        success: params.success,
        event_type: event_type.transpose()?,
        order_id: params.order_id.clone(),
        duration_min: params.duration_ms_min.map(|ms| Duration::from_millis(ms.into())),
        ..AttemptQuery::default()
    })
}

/// The query of what is behind the attempt that `before` names. An id carries the millisecond of its
/// attempt, so only the attempts of that millisecond are looked through.
async fn behind(
    app: &App,
    workspace: WorkspaceId,
    id: EndpointId,
    params: &Params,
    attempts: AttemptQuery,
) -> Result<LogQuery, Problem> {
    let query = |attempts| LogQuery {
        attempts,
        request_id: None,
        event: None,
        request: None,
        request_field: "",
        searched_max: ATTEMPTS_SEARCHED_MAX,
    };
    let Some(before) = &params.before else { return Ok(query(attempts)) };
    let before = RequestId::parse(before).ok_or_else(|| {
        let detail = "must be the request id of an attempt";
        Problem::of_field(Code::InvalidValue, "before", detail)
    })?;
    let moment = before.stamp();
    let until = attempts.until.map_or(moment, |until| until.min(moment));
    let from = attempts.from.map_or(moment, |from| from.max(moment));
    let same = AttemptQuery { from: Some(from), until: Some(until), ..attempts.clone() };
    let same = query(AttemptQuery { limit: SAME_MOMENT_MAX, ..same });
    let same = app.engine.attempt_log(workspace, id, same).await?.attempts;
    let position = same.iter().position(|attempt| attempt.record.request_id == before);
    let offset = position.map_or(same.len(), |position| position + 1);
    Ok(query(AttemptQuery { until: Some(until), offset, ..attempts }))
}

fn next(id: EndpointId, params: &Params, last: &CoreAttempt, limit: usize) -> String {
    let pairs = [
        ("from", params.from.map(|at| at.to_string())),
        ("until", params.until.map(|at| at.to_string())),
        ("success", params.success.map(|success| success.to_string())),
        ("status", params.status.map(|status| status.to_string())),
        ("event_type", params.event_type.clone()),
        ("order_id", params.order_id.clone()),
        ("duration_ms_min", params.duration_ms_min.map(|ms| ms.to_string())),
        ("before", Some(last.record.request_id.to_string())),
        ("limit", Some(limit.to_string())),
    ];
    input::next_page(&format!("{ENDPOINTS}/{id}/attempts"), &pairs)
}

/// Get an attempt
///
/// One attempt with the request that was sent and the answer to it.
#[utoipa::path(
    get,
    path = "/v1/endpoints/{id}/attempts/{request_id}",
    tag = "endpoints",
    params(
        ("id" = i32, Path, description = "The endpoint's number"),
        ("request_id" = String, Path, description = "The attempt's request id"),
    ),
    responses((status = 200, description = "The attempt", body = AttemptDetail)),
    security(("simple_key" = ["webhook_read"])),
)]
pub(super) async fn get_attempt(
    State(app): State<App>,
    PathText((id, request_id)): PathText<(String, String)>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let workspace = caller::workspace(&app, &headers, Scope::WebhookRead).await?;
    input::query::<Nothing>(raw.as_deref())?;
    let id = input::endpoint_id(&id)?;
    let found = app.engine.attempt_detail(workspace, id, &request_id).await?;
    let CoreDetail { attempt, request } = found.ok_or(Error::NotFound(Entity::Attempt))?;
    let catalogue = app.engine.store().catalogue(workspace).await.map_err(Error::from)?;
    let detail = AttemptDetail {
        attempt: Attempt::new(&catalogue, &attempt),
        request_headers: &attempt.record.request_headers,
        request: request.as_ref().map(|request| request.text.as_str()),
        request_encoding: request.as_ref().map(|request| request.encoding),
        request_bytes: request.as_ref().map(|request| request.bytes),
        response_headers: &attempt.record.outcome.response_headers,
        response: attempt.record.outcome.response.as_deref(),
    };
    Ok(Json(detail).into_response())
}
