//! `GET /v1/events`: pages of the journal.

use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, header};
use axum::response::IntoResponse;
use hookyard_core::id::Seq;
use hookyard_core::model::{Catalogue, Event, Scope};
use hookyard_engine::Error;
use hookyard_store::{EventQuery, Seen};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::event::{JournalEvent, show};
use super::{EVENTS, caller, input};
use crate::App;
use crate::problem::{Code, Problem};

/// Events of a page that does not say.
const LIMIT_DEFAULT: usize = 100;

/// The most events of a page. It is bounded in bytes, too: see [`hookyard_store::PAGE_BYTES_MAX`].
const LIMIT_MAX: usize = 1_000;

/// The largest journal number that a database holds.
const SEQ_MAX: u64 = i64::MAX.unsigned_abs();

/// Which events to list; all conditions must hold.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Params {
    /// Of this event type.
    #[param(nullable = false)]
    r#type: Option<String>,
    /// With a higher journal number than this.
    #[param(nullable = false, minimum = 0, maximum = 9223372036854775807_i64)]
    after: Option<u64>,
    /// With a lower journal number than this.
    #[param(nullable = false, minimum = 0, maximum = 9223372036854775807_i64)]
    before: Option<u64>,
    /// Oldest or newest first; `desc` unless said.
    #[param(inline, nullable = false)]
    order: Option<Order>,
    /// The most events of the page; 100 unless said. A page of large events has fewer, and a `next`.
    #[param(nullable = false, minimum = 1, maximum = 1000)]
    limit: Option<usize>,
}

#[derive(Deserialize, ToSchema, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Order {
    Asc,
    Desc,
}

/// A page of the journal.
#[derive(ToSchema)]
#[cfg_attr(test, derive(Deserialize), serde(deny_unknown_fields))]
#[cfg_attr(not(test), expect(dead_code, reason = "describes what is written by hand"))]
pub(super) struct EventPage {
    pub(super) events: Vec<JournalEvent>,
    /// The path and query of the next page; absent on the last one.
    #[schema(nullable = false)]
    pub(super) next: Option<String>,
}

/// List events
///
/// A page of the journal by number: newest first, unless `order=asc`.
#[utoipa::path(
    get,
    path = EVENTS,
    tag = "events",
    params(Params),
    responses((status = 200, description = "A page of the journal", body = EventPage)),
    security(("simple_key" = ["event_read"])),
)]
pub(super) async fn list_events(
    State(app): State<App>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
) -> Result<impl IntoResponse, Problem> {
    let workspace = caller::workspace(&app, &headers, Scope::EventRead).await?;
    let params: Params = input::query(raw.as_deref())?;
    let store = app.engine.store();
    let catalogue = store.catalogue(workspace).await.map_err(Error::from)?;
    let query = query(&catalogue, &params)?;
    let limit = query.limit;
    app.engine.note_listed(workspace, Seen::Events).await;
    let page = store.events(workspace, query).await.map_err(Error::from)?;
    let last = page.entries.last().filter(|_| page.more);
    let next = last.map(|last| next(&params, last, limit));
    let mut body = String::from(r#"{"events":["#);
    for (place, event) in page.entries.iter().enumerate() {
        body.push_str(if place == 0 { "" } else { "," });
        body.push_str(&show(&catalogue, event));
    }
    let next = next.map_or(String::new(), |next| format!(r#","next":"{next}""#));
    body.push_str(&format!("]{next}}}"));
    Ok(([(header::CONTENT_TYPE, input::JSON)], body))
}

fn query(catalogue: &Catalogue, params: &Params) -> Result<EventQuery, Problem> {
    let limit = input::limit(params.limit, LIMIT_DEFAULT, LIMIT_MAX)?;
    let event_type = params.r#type.as_deref().map(|name| {
        let found = catalogue.by_name(name).map(|(_, kind)| kind.id);
        found.ok_or_else(|| {
            let detail = format!("the workspace has no event type `{name}`");
            Problem::of_field(Code::UnknownEventType, "type", detail)
        })
    });
    Ok(EventQuery {
        event_type: event_type.transpose()?,
        after: input::at_most("after", params.after, SEQ_MAX)?.map(Seq),
        before: input::at_most("before", params.before, SEQ_MAX)?.map(Seq),
        newest_first: params.order != Some(Order::Asc),
        limit,
    })
}

/// The path and query of the page behind `last`.
fn next(params: &Params, last: &Event, limit: usize) -> String {
    let ascending = params.order == Some(Order::Asc);
    let last = Some(last.seq.0);
    let (after, before) = if ascending { (last, params.before) } else { (params.after, last) };
    let pairs = [
        ("type", params.r#type.clone()),
        ("order", ascending.then(|| "asc".to_owned())),
        ("after", after.map(|seq| seq.to_string())),
        ("before", before.map(|seq| seq.to_string())),
        ("limit", Some(limit.to_string())),
    ];
    input::next_page(EVENTS, &pairs)
}
