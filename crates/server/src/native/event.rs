//! `GET /v1/events/{id}`: one event of the journal, and the form of shown events.

use super::target::EventName;
use axum::http::header;
use axum::response::IntoResponse;
use hookyard_core::cloudevents;
use hookyard_core::model::{Catalogue, Event};
use jiff::Timestamp;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::call::{Call, Events, Read};
use super::{input, paths};
use crate::problem::{Code, Problem};

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Params {
    /// The event's source. Without a source, the newest event with the id is found.
    #[param(nullable = false)]
    source: Option<String>,
}

/// An event of the journal.
#[derive(ToSchema)]
#[cfg_attr(test, derive(Deserialize), serde(deny_unknown_fields))]
#[cfg_attr(not(test), expect(dead_code, reason = "describes what `show` writes by hand"))]
pub(super) struct JournalEvent {
    /// The event's number in the journal.
    pub(super) seq: u64,
    /// When the event was accepted; absent for a damaged event.
    #[schema(nullable = false)]
    pub(super) accepted_at: Option<Timestamp>,
    /// The number of endpoints that the event was queued for; absent for a damaged event.
    #[schema(nullable = false)]
    pub(super) matched: Option<u32>,
    /// The event; absent for a damaged event.
    #[schema(nullable = false)]
    pub(super) event: Option<PublishedEvent>,
    /// Why nothing but the number is known: the stored bytes differ from the published bytes.
    #[schema(nullable = false)]
    pub(super) damaged: Option<String>,
}

/// A CloudEvent as published. Extension attributes are further members of the object.
#[derive(ToSchema)]
#[cfg_attr(test, derive(Deserialize))]
#[cfg_attr(not(test), expect(dead_code, reason = "describes what `show` writes by hand"))]
pub(super) struct PublishedEvent {
    /// Always `1.0`.
    pub(super) specversion: String,
    /// The publisher's id.
    pub(super) id: String,
    /// The publisher of the event.
    pub(super) source: String,
    /// The name of the event type.
    pub(super) r#type: String,
    /// The event's data, byte for byte as published.
    #[schema(value_type = Object)]
    pub(super) data: serde_json::Map<String, serde_json::Value>,
}

/// Get an event
///
/// The newest event with this id, of the named source if the query names a source.
#[utoipa::path(
    get,
    path = paths::EVENT,
    tag = "events",
    responses((status = 200, description = "The event", body = JournalEvent)),
)]
pub(super) async fn get_event(
    call: Call<Read<Events>, EventName, Params>,
) -> Result<impl IntoResponse, Problem> {
    let Call { app, caller: workspace, target: EventName(id), query: params, .. } = call;
    let reads = app.engine.of(workspace);
    let catalogue = reads.catalogue().await?;
    let found = reads.event(&id, params.source.as_deref()).await;
    let event = found?.ok_or_else(|| {
        Problem::new(Code::NotFound, format!("the journal has no event with the id `{id}`"))
    })?;
    if event.damaged {
        return Err(Problem::new(Code::Internal, damage(&event)));
    }
    Ok(([(header::CONTENT_TYPE, input::JSON)], show(&catalogue, &event)))
}

/// An event as JSON: the journal's facts, and the CloudEvent as published with the data byte for byte.
pub(super) fn show(catalogue: &Catalogue, event: &Event) -> String {
    if event.damaged {
        return format!(r#"{{"seq":{},"damaged":"{}"}}"#, event.seq, damage(event));
    }
    let name = catalogue.by_id(event.event_type).map_or("", |(_, kind)| kind.name.as_str());
    let (seq, accepted_at, matched) = (event.seq, event.accepted_at, event.matched);
    let head =
        format!(r#"{{"seq":{seq},"accepted_at":"{accepted_at}","matched":{matched},"event":"#);
    let mut text = head.into_bytes();
    cloudevents::write_head(&mut text, event, name, false);
    text.extend_from_slice(&event.object);
    text.extend_from_slice(b"}}");
    String::from_utf8_lossy(&text).into_owned()
}

/// The explanation of an event whose stored bytes differ from the published bytes.
fn damage(event: &Event) -> String {
    format!(
        "event {} is damaged in the store: publish the event again, or restore a backup",
        event.seq
    )
}
