//! `GET /v1/events/{id}`: one event of the journal. And how events are shown.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, header};
use axum::response::IntoResponse;
use hookyard_core::model::{Catalogue, Event, Scope};
use hookyard_engine::Error;
use serde::Deserialize;

use super::caller;
use crate::App;
use crate::problem::{Code, Problem};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    source: Option<String>,
}

/// The newest event with this id, of the named source if one is named.
pub(super) async fn event(
    State(app): State<App>,
    Path(id): Path<String>,
    params: Result<Query<Params>, QueryRejection>,
    headers: HeaderMap,
) -> Result<impl IntoResponse, Problem> {
    let workspace = caller::workspace(&app, &headers, Scope::EventRead).await?;
    let Query(params) = params.map_err(unreadable)?;
    let store = app.engine.store();
    let catalogue = store.catalogue(workspace).await.map_err(Error::from)?;
    let found = store.event(workspace, &id, params.source.as_deref()).await;
    let event = found.map_err(Error::from)?.ok_or_else(|| {
        Problem::new(Code::NotFound, format!("the journal has no event with the id `{id}`"))
    })?;
    Ok(([(header::CONTENT_TYPE, "application/json")], show(&catalogue, &event)))
}

/// The problem of a query string that is not read.
pub(super) fn unreadable(rejection: QueryRejection) -> Problem {
    let QueryRejection::FailedToDeserializeQueryString(inner) = rejection else {
        return Problem::new(Code::InvalidValue, "the query string is not readable");
    };
    Problem::new(Code::InvalidValue, inner.body_text())
}

/// An event as JSON: what the journal knows of it, and the CloudEvent as it was published, its data
/// to the byte.
pub(super) fn show(catalogue: &Catalogue, event: &Event) -> String {
    let name = catalogue.by_id(event.event_type).map_or("", |(_, kind)| kind.name.as_str());
    let text = |text: &str| serde_json::Value::from(text).to_string();
    let attributes = event.attributes.trim_start_matches('{').trim_end_matches('}');
    let comma = if attributes.is_empty() { "" } else { "," };
    format!(
        r#"{{"seq":{},"accepted_at":"{}","matched":{},"event":{{"specversion":"1.0","id":{},"source":{},"type":{}{comma}{attributes},"data":{}}}}}"#,
        event.seq,
        event.accepted_at,
        event.matched,
        text(&event.id),
        text(&event.source),
        text(name),
        String::from_utf8_lossy(&event.object),
    )
}
