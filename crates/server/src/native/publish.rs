//! `POST /v1/events`: publish one CloudEvent or a batch.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use hookyard_core::cloudevents::{self, CloudEvent, ErrorKind};
use hookyard_core::model::{Receipt, Scope};
use hookyard_engine::publish::Error;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::Serialize;

use super::caller;
use super::trace::TraceContext;
use crate::App;
use crate::problem::{Code, Problem};

/// What became of one event.
#[derive(Serialize)]
struct ReceiptBody<'a> {
    id: &'a str,
    seq: u64,
    matched: u32,
    duplicate: bool,
}

/// Accepts the events, all or none, and answers 202 once they are on disk: with one receipt for one
/// event, with a list of receipts for a batch.
pub(super) async fn publish(State(app): State<App>, request: Request) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let workspace = caller::workspace(&app, &parts.headers, Scope::EventWrite).await?;
    let body = read(body, app.settings.batch_bytes_max).await?;
    let mut events = cloudevents::read(&parts.headers, &body, app.settings.event_bytes_max)?;
    let trace = TraceContext::of(&parts.headers);
    for event in &mut events {
        trace.add_to(event);
    }
    let is_batch = parts
        .headers
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

/// The whole body, if it has at most `max` bytes.
pub(super) async fn read(body: Body, max: usize) -> Result<Bytes, Problem> {
    match Limited::new(body, max).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => {
            let detail = format!("the body has more than the {max} bytes that are accepted");
            Err(Problem::new(Code::TooLarge, detail))
        }
        Err(error) => {
            let detail = format!("the body could not be read to its end: {error}");
            Err(Problem::new(Code::MalformedBody, detail))
        }
    }
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
        Self { code, detail: error.message, field, index: error.index }
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
        Error::TooMany(_) => Problem::new(Code::TooLarge, detail),
        Error::Other(error) => error.into(),
    }
}
