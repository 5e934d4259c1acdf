//! `POST /v1/events` and `POST /v1/event-batches`: publish CloudEvents.

use std::collections::HashMap;

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use hookyard_core::cloudevents;
use hookyard_core::cloudevents::{CloudEvent, ErrorKind};
use hookyard_core::model::Receipt;
use hookyard_engine::publish::Error;
use hookyard_engine::work::Share;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::call::{Call, Events, Write};
use super::input::{self, Nothing};
use super::paths;
use super::sent::UnreadBody;
use super::trace::TraceContext;
use crate::problem::{Code, Problem};

/// The outcome of publishing one event.
#[derive(Serialize, ToSchema)]
#[schema(as = Receipt)]
struct ReceiptBody<'a> {
    /// The publisher's id.
    id: &'a str,
    /// The event's number in the journal.
    seq: u64,
    /// The number of endpoints that the event was queued for.
    matched: u32,
    /// Whether the event was published before. The other members then repeat the answer to the first
    /// publish.
    duplicate: bool,
}

/// A CloudEvent (1.0). Extension attributes are further members, named in lower-case letters and digits.
#[derive(ToSchema)]
#[schema(as = CloudEvent)]
#[expect(dead_code, reason = "describes what the core crate reads, which knows no API")]
struct CloudEventBody {
    /// Always `1.0`.
    #[schema(pattern = "^1\\.0$")]
    specversion: String,
    /// The publisher's id. The id and the source together make the event unique.
    #[schema(min_length = 1)]
    id: String,
    /// The publisher of the event.
    #[schema(min_length = 1)]
    source: String,
    /// The name of an event type of the workspace.
    r#type: String,
    /// The subject of the event, for people and for filters.
    subject: Option<String>,
    /// When the event happened.
    time: Option<Timestamp>,
    /// The event's data.
    #[schema(value_type = Object)]
    data: (),
    /// Extension attributes.
    #[serde(flatten)]
    extensions: HashMap<String, Value>,
}

/// Publish an event
///
/// The answer comes once the event is on disk. In binary mode the body is the object, as
/// `application/json`, and the attributes are `ce-` headers. A batch
/// (`application/cloudevents-batch+json`) is accepted here, too, as the HTTP binding of CloudEvents
/// demands; see `POST /v1/event-batches`.
#[utoipa::path(
    post,
    path = paths::EVENTS,
    tag = "events",
    request_body(content((CloudEventBody = "application/cloudevents+json"))),
    responses((status = 202, description = "The receipt", body = ReceiptBody)),
)]
pub(super) async fn publish_event(
    call: Call<Write<Events>, (), Nothing, UnreadBody>,
) -> Result<Response, Problem> {
    let is_batch = input::check_kind(&call.headers, &[BATCH]).is_ok();
    publish(call, is_batch).await
}

/// Publish a batch of events
///
/// All events of the batch are accepted, or none. The answer comes once the events are on disk: one
/// receipt for each event, in the order of the batch.
#[utoipa::path(
    post,
    path = paths::EVENT_BATCHES,
    tag = "events",
    request_body(content((Vec<CloudEventBody> = "application/cloudevents-batch+json"))),
    responses((status = 202, description = "The receipts", body = Vec<ReceiptBody>)),
)]
pub(super) async fn publish_batch(
    call: Call<Write<Events>, (), Nothing, UnreadBody>,
) -> Result<Response, Problem> {
    input::check_kind(&call.headers, &[BATCH])?;
    publish(call, true).await
}

/// The media type of a batch in structured mode.
const BATCH: &str = "application/cloudevents-batch+json";

async fn publish(
    call: Call<Write<Events>, (), Nothing, UnreadBody>,
    is_batch: bool,
) -> Result<Response, Problem> {
    let Call { app, caller: workspace, headers, body: UnreadBody(body), .. } = call;
    let body = input::whole(body, app.settings.batch_bytes_max).await?;
    let event_bytes_max = app.settings.event_bytes_max;
    let read = || cloudevents::read(&headers, &body, event_bytes_max);
    let share = Share::Calls(workspace);
    let mut events = app.engine.work().run(share, body.len(), read).await??;
    // The events hold copies of the parts they need.
    drop(body);
    let trace = TraceContext::of(&headers);
    for event in &mut events {
        trace.add_to(event);
    }
    let ids: Vec<_> = events.iter().map(|event: &CloudEvent| event.id.clone()).collect();
    let receipts = app.engine.publish(workspace, events).await;
    let receipts = receipts.map_err(|error| refused(error, is_batch))?;
    Ok((StatusCode::ACCEPTED, JSON, answer(&ids, &receipts, is_batch)).into_response())
}

const JSON: [(header::HeaderName, &str); 1] = [(header::CONTENT_TYPE, "application/json")];

fn answer(ids: &[String], receipts: &[Receipt], is_batch: bool) -> String {
    let receipt = |(id, receipt): (&'_ String, &Receipt)| {
        let body = ReceiptBody {
            id,
            seq: receipt.seq.0,
            matched: receipt.matched,
            duplicate: receipt.duplicate,
        };
        serde_json::to_string(&body).unwrap_or_default()
    };
    let bodies: Vec<_> = ids.iter().zip(receipts).map(receipt).collect();
    if is_batch { format!("[{}]", bodies.join(",")) } else { bodies.concat() }
}

impl From<cloudevents::Error> for Problem {
    fn from(error: cloudevents::Error) -> Self {
        let code = match error.kind {
            ErrorKind::Malformed => Code::MalformedBody,
            ErrorKind::Invalid => Code::InvalidValue,
            ErrorKind::TooLarge => Code::TooLarge,
            ErrorKind::MediaType => Code::UnsupportedMediaType,
        };
        let field = Some(error.field).filter(|field| !field.is_empty());
        Self { field, index: error.index, ..Self::new(code, error.message) }
    }
}

fn refused(error: Error, is_batch: bool) -> Problem {
    let detail = error.to_string();
    match error {
        Error::UnknownType { index, .. } => Problem {
            index: is_batch.then_some(index),
            ..Problem::of_field(Code::UnknownEventType, "type", detail)
        },
        Error::Unmatchable { index, .. } => Problem {
            index: is_batch.then_some(index),
            ..Problem::of_field(Code::InvalidValue, "data", detail)
        },
        Error::TooCostly { index } => {
            Problem { index: is_batch.then_some(index), ..Problem::new(Code::TooLarge, detail) }
        }
        Error::TooMany(_) => Problem::new(Code::TooLarge, detail),
        Error::Other(error) => error.into(),
    }
}

/// Examples of the file's schemas, by name.
pub(super) fn samples() -> Vec<(&'static str, Value)> {
    let event = json!({
        "specversion": "1.0",
        "id": "order-1001-created",
        "source": "/shop",
        "type": "order_create",
        "data": {"order_id": "DEMO-1001", "summary": {"total": {"value": 5.0}}},
    });
    let receipt = ReceiptBody { id: "order-1001-created", seq: 17, matched: 2, duplicate: false };
    vec![("CloudEvent", event), ("Receipt", json!(receipt))]
}
