//! `GET /v1/events`: pages of the journal.

use axum::http::header;
use axum::response::IntoResponse;
use hookyard_core::id::Seq;
use hookyard_core::model::{Catalogue, Event};
use hookyard_store::{EventQuery, Seen};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::call::{Call, Events, Read};
use super::event::{JournalEvent, show};
use super::page::{Limit, Page, PageSize};
use super::{input, paths};
use crate::problem::{Code, Problem};

/// The number of events in a page. A page is bounded in bytes, too: see [`hookyard_store::PAGE_BYTES_MAX`].
const PAGE: PageSize = PageSize { default: 100, max: 1_000 };

/// The largest journal number of a database.
const SEQ_MAX: u64 = i64::MAX.unsigned_abs();

/// Conditions on the listed events; all conditions must hold.
#[derive(Deserialize, Serialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Params {
    /// Events of this event type only.
    #[param(nullable = false)]
    r#type: Option<String>,
    /// Oldest or newest first; `desc` unless said.
    #[param(inline, nullable = false)]
    order: Option<Order>,
    /// Events with a higher journal number only.
    #[param(nullable = false, minimum = 0, maximum = 9223372036854775807_i64)]
    after: Option<u64>,
    /// Events with a lower journal number only.
    #[param(nullable = false, minimum = 0, maximum = 9223372036854775807_i64)]
    before: Option<u64>,
    /// The most events of the page; 100 unless said. A page of large events has fewer, and a `next`.
    #[param(nullable = false, minimum = 1, maximum = 1000)]
    limit: Option<usize>,
}

impl Params {
    /// The query of the page behind an event.
    fn behind(self, last: &Event, limit: Limit) -> Self {
        let ascending = self.order == Some(Order::Asc);
        let last = Some(last.seq.0);
        let (after, before) = if ascending { (last, self.before) } else { (self.after, last) };
        let order = ascending.then_some(Order::Asc);
        Self { order, after, before, limit: Some(limit.get()), ..self }
    }
}

#[derive(Deserialize, Serialize, ToSchema, Clone, Copy, PartialEq, Eq)]
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
    /// The path and query of the next page; absent on the last page.
    #[schema(nullable = false)]
    pub(super) next: Option<String>,
}

/// List events
///
/// A page of the journal by number: newest first, unless `order=asc`.
#[utoipa::path(
    get,
    path = paths::EVENTS,
    tag = "events",
    responses((status = 200, description = "A page of the journal", body = EventPage)),
)]
pub(super) async fn list_events(
    call: Call<Read<Events>, (), Params>,
) -> Result<impl IntoResponse, Problem> {
    let Call { app, caller: workspace, query: params, .. } = call;
    let reads = app.engine.of(workspace);
    let catalogue = reads.catalogue().await?;
    let limit = PAGE.limit(params.limit)?;
    let query = query(&catalogue, &params, limit)?;
    app.engine.note_listed(workspace, Seen::Events).await;
    let page = Page::from(reads.events(query).await?);
    let next = page.next(&app.link(&paths::EVENTS), |last| params.behind(last, limit));
    let mut body = String::from(r#"{"events":["#);
    for (place, event) in page.entries.iter().enumerate() {
        body.push_str(if place == 0 { "" } else { "," });
        body.push_str(&show(&catalogue, event));
    }
    let next = next.map_or(String::new(), |next| format!(r#","next":"{next}""#));
    body.push_str(&format!("]{next}}}"));
    Ok(([(header::CONTENT_TYPE, input::JSON)], body))
}

fn query(catalogue: &Catalogue, params: &Params, limit: Limit) -> Result<EventQuery, Problem> {
    let event_type = params.r#type.as_deref().map(|name| {
        let found = catalogue.find(name).map(|(_, kind)| kind.id);
        found.map_err(|unknown| {
            Problem::of_field(Code::UnknownEventType, "type", unknown.to_string())
        })
    });
    Ok(EventQuery {
        event_type: event_type.transpose()?,
        after: input::at_most("after", params.after, SEQ_MAX)?.map(Seq),
        before: input::at_most("before", params.before, SEQ_MAX)?.map(Seq),
        newest_first: params.order != Some(Order::Asc),
        limit: limit.get(),
    })
}
