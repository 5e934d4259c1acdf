//! `POST /v1/events`: publish one CloudEvent or a batch.

use super::input::Nothing;
use super::sent::UnreadBody;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use hookyard_core::cloudevents;
use hookyard_core::cloudevents::{CloudEvent, ErrorKind};
use hookyard_core::model::Receipt;
use hookyard_engine::publish::Error;
use hookyard_engine::work::Share;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::call::{Call, Events, Write};
use super::trace::TraceContext;
use super::{input, paths};
use crate::problem::{Code, Problem};

/// What became of one event.
#[derive(Serialize, ToSchema)]
#[schema(as = Receipt)]
struct ReceiptBody<'a> {
    /// The publisher's id.
    id: &'a str,
    /// Its number in the journal.
    seq: u64,
    /// For how many endpoints it was queued.
    matched: u32,
    /// Whether it was published before; the rest is then what the first one was told.
    duplicate: bool,
}

/// One receipt for one event, a list of them for a batch.
#[derive(ToSchema)]
#[schema(as = Receipts)]
#[expect(dead_code, reason = "describes what `answer` writes by hand")]
#[serde(untagged)]
enum ReceiptsBody<'a> {
    One(ReceiptBody<'a>),
    Batch(Vec<ReceiptBody<'a>>),
}

/// A CloudEvent (1.0). Further attributes are members like these, in lower case.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what the core crate reads, which knows no API")]
struct CloudEventBody {
    /// Always `1.0`.
    #[schema(pattern = "^1\\.0$")]
    specversion: String,
    /// The publisher's id, which makes the event unique together with the source.
    #[schema(min_length = 1)]
    id: String,
    /// Who publishes it.
    #[schema(min_length = 1)]
    source: String,
    /// The name of an event type of the workspace.
    r#type: String,
    /// What happened.
    #[schema(value_type = Object)]
    data: (),
}

/// Publish events
///
/// One CloudEvent 1.0 or a batch, all or none. Answered once they are on disk. One event can come in
/// binary mode too: the object as the body, as `application/json`, and the attributes in `ce-`
/// headers.
#[utoipa::path(
    post,
    path = paths::EVENTS,
    tag = "events",
    request_body(content(
        (CloudEventBody = "application/cloudevents+json"),
        (Vec<CloudEventBody> = "application/cloudevents-batch+json"),
    )),
    responses((status = 202, description = "The receipts", body = ReceiptsBody)),
)]
pub(super) async fn publish_events(
    call: Call<Write<Events>, (), Nothing, UnreadBody>,
) -> Result<Response, Problem> {
    let Call { app, caller: workspace, headers, body: UnreadBody(body), .. } = call;
    let body = input::whole(body, app.settings.batch_bytes_max).await?;
    let event_bytes_max = app.settings.event_bytes_max;
    let read = || cloudevents::read(&headers, &body, event_bytes_max);
    let share = Share::Calls(workspace);
    let mut events = app.engine.work().run(share, body.len(), read).await??;
    // The events have copies of what they need.
    drop(body);
    let trace = TraceContext::of(&headers);
    for event in &mut events {
        trace.add_to(event);
    }
    let is_batch = headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/cloudevents-batch"));
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
    vec![("CloudEventBody", event), ("Receipt", json!(receipt))]
}
