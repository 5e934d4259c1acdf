//! `GET /v1/events`: pages of the journal.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, header};
use axum::response::IntoResponse;
use hookyard_core::id::Seq;
use hookyard_core::model::{Catalogue, Event, Scope};
use hookyard_engine::Error;
use hookyard_store::EventQuery;
use serde::Deserialize;

use super::caller;
use super::event::{show, unreadable};
use crate::App;
use crate::problem::{Code, Problem};

/// Events of a page that does not say.
const LIMIT_DEFAULT: usize = 100;

/// The most events of a page: at the usual kilobyte an answer stays within a megabyte.
const LIMIT_MAX: usize = 1_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    r#type: Option<String>,
    after: Option<u64>,
    before: Option<u64>,
    order: Option<Order>,
    limit: Option<usize>,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Order {
    Asc,
    Desc,
}

/// A page of events by their journal numbers: newest first, unless `order=asc`. `next` holds the
/// query of the next page, and is absent on the last one.
pub(super) async fn events(
    State(app): State<App>,
    params: Result<Query<Params>, QueryRejection>,
    headers: HeaderMap,
) -> Result<impl IntoResponse, Problem> {
    let workspace = caller::workspace(&app, &headers, Scope::EventRead).await?;
    let Query(params) = params.map_err(unreadable)?;
    let store = app.engine.store();
    let catalogue = store.catalogue(workspace).await.map_err(Error::from)?;
    let mut query = query(&catalogue, &params)?;
    let limit = query.limit;
    // One more than asked for tells whether there is a next page.
    query.limit += 1;
    let mut events = store.events(workspace, query).await.map_err(Error::from)?;
    let more = events.len() > limit;
    events.truncate(limit);
    let last = if more { events.last() } else { None };
    let next = last.map(|last| next(&params, last, limit));
    let shown: Vec<_> = events.iter().map(|event| show(&catalogue, event)).collect();
    let next = next.map_or(String::new(), |next| format!(r#","next":"{next}""#));
    let body = format!(r#"{{"events":[{}]{next}}}"#, shown.join(","));
    Ok(([(header::CONTENT_TYPE, "application/json")], body))
}

fn query(catalogue: &Catalogue, params: &Params) -> Result<EventQuery, Problem> {
    let limit = params.limit.unwrap_or(LIMIT_DEFAULT);
    if !(1..=LIMIT_MAX).contains(&limit) {
        let detail = format!("must be 1 to {LIMIT_MAX}, not {limit}");
        return Err(Problem::of_field(Code::InvalidValue, "limit", detail));
    }
    let event_type = params.r#type.as_deref().map(|name| {
        let found = catalogue.by_name(name).map(|(_, kind)| kind.id);
        found.ok_or_else(|| {
            let detail = format!("the workspace has no event type `{name}`");
            Problem::of_field(Code::UnknownEventType, "type", detail)
        })
    });
    Ok(EventQuery {
        event_type: event_type.transpose()?,
        after: params.after.map(Seq),
        before: params.before.map(Seq),
        newest_first: params.order != Some(Order::Asc),
        limit,
    })
}

/// The path and query of the page behind `last`.
fn next(params: &Params, last: &Event, limit: usize) -> String {
    let mut pairs = form_urlencoded::Serializer::new(String::new());
    if let Some(name) = &params.r#type {
        pairs.append_pair("type", name);
    }
    let (mut after, mut before) = (params.after, params.before);
    if params.order == Some(Order::Asc) {
        pairs.append_pair("order", "asc");
        after = Some(last.seq.0);
    } else {
        before = Some(last.seq.0);
    }
    for (name, seq) in [("after", after), ("before", before)] {
        if let Some(seq) = seq {
            pairs.append_pair(name, &seq.to_string());
        }
    }
    pairs.append_pair("limit", &limit.to_string());
    format!("{}?{}", super::EVENTS, pairs.finish())
}
