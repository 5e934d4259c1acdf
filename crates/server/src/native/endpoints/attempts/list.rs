//! `GET /v1/endpoints/{id}/attempts`: list an endpoint's attempts.

use std::time::Duration;

use axum::Json;
use axum::response::{IntoResponse, Response};
use hookyard_core::id::{EndpointId, RequestId, WorkspaceId};
use hookyard_core::model::Catalogue;
use hookyard_engine::endpoints::{ATTEMPTS_SEARCHED_MAX, EndpointView, LogQuery};
use hookyard_store::AttemptQuery;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::shape::Attempt;
use crate::App;
use crate::native::call::{Call, Read, Webhooks};
use crate::native::page::{Page, PageSize};
use crate::native::{input, paths};
use crate::problem::{Code, Problem};

/// How many attempts of a page: each names up to a hundred events of the usual bundle.
const PAGE: PageSize = PageSize { default: 100, max: 200 };

/// The most attempts that one endpoint can start within a millisecond, looked through to find where
/// a page ends. Requests of an endpoint follow each other, or are bounded to a few at once.
const SAME_MOMENT_MAX: usize = 1_000;

/// Conditions on the listed attempts; all conditions must hold.
#[derive(Deserialize, Serialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Params {
    /// Attempts started at or after this moment only.
    #[param(nullable = false)]
    #[serde(default, deserialize_with = "input::moment")]
    from: Option<Timestamp>,
    /// Attempts started at or before this moment only.
    #[param(nullable = false)]
    #[serde(default, deserialize_with = "input::moment")]
    until: Option<Timestamp>,
    /// A success, or not.
    #[param(nullable = false)]
    success: Option<bool>,
    /// Attempts answered with this HTTP status only.
    #[param(nullable = false, minimum = 100, maximum = 999)]
    status: Option<u16>,
    /// Attempts with an event of this type only.
    #[param(nullable = false)]
    event_type: Option<String>,
    /// Attempts with an event of this order id only.
    #[param(nullable = false)]
    order_id: Option<String>,
    /// Attempts of at least this many milliseconds only.
    #[param(nullable = false, minimum = 0, maximum = 4294967295_i64)]
    duration_ms_min: Option<u32>,
    /// Attempts older than the attempt with this request id only.
    #[param(nullable = false, pattern = "^[0-9A-F]{26}80011$")]
    before: Option<String>,
    /// The most attempts of the page; 100 unless said.
    #[param(nullable = false, minimum = 1, maximum = 200)]
    limit: Option<usize>,
}

/// A page of attempts, newest first.
#[derive(Serialize, ToSchema)]
struct AttemptPage<'a> {
    attempts: Vec<Attempt<'a>>,
    /// The path and query of the next page; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// List an endpoint's attempts
///
/// A page of the delivery log, newest first.
#[utoipa::path(
    get,
    path = paths::ATTEMPTS,
    tag = "endpoints",
    responses((status = 200, description = "A page of attempts", body = AttemptPage)),
)]
pub(super) async fn list_attempts(
    call: Call<Read<Webhooks>, EndpointView, Params>,
) -> Result<Response, Problem> {
    let Call { app, caller: workspace, target: current, query: params, .. } = call;
    let limit = PAGE.limit(params.limit)?;
    let id = current.endpoint.id;
    let catalogue = app.engine.of(workspace).catalogue().await?;
    let conditions = AttemptQuery { limit: limit.get(), ..conditions(&catalogue, &params)? };
    let query = behind(&app, workspace, id, &params, conditions).await?;
    let found = app.engine.attempt_log(workspace, id, query).await?;
    let page = Page::from((found.attempts, found.more));
    let attempts = page.entries.iter().map(|found| Attempt::new(&catalogue, found)).collect();
    let next = page.next(&app.link(&paths::ATTEMPTS.of([&id])), |last| Params {
        before: Some(last.record.request_id.to_string()),
        limit: Some(limit.get()),
        ..params
    });
    Ok(Json(AttemptPage { attempts, next }).into_response())
}

fn conditions(catalogue: &Catalogue, params: &Params) -> Result<AttemptQuery, Problem> {
    if params.status.is_some_and(|status| !(100..=999).contains(&status)) {
        let detail = "must be an HTTP status code such as 500";
        return Err(Problem::of_field(Code::InvalidValue, "status", detail));
    }
    let event_type = params.event_type.as_deref().map(|name| {
        let found = catalogue.find(name).map(|(_, kind)| kind.id);
        found.map_err(|unknown| {
            Problem::of_field(Code::UnknownEventType, "event_type", unknown.to_string())
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

/// The query of the attempts behind the attempt named by `before`. An id carries the millisecond of the
/// attempt, so only the attempts of a single millisecond are searched.
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
