//! Receiving: find the source, judge the caller, read the data, store a row
//! (docs/spec/mammoth.md#data).
//!
//! The steps are apart because the body comes between them, and the server must not read a body
//! from a sender without the right to deliver: [`Engine::source_by_key`], then [`judge_origin`],
//! then [`standing`], then (the caller reads the body) [`read`], then [`Engine::receive`].

use bytes::Bytes;
use hookyard_core::form::urlencoded;
use hookyard_core::model::{Cause, NewDelivery, Secret, Source};
use hookyard_core::origins::{self, Verdict};
use hookyard_core::signature::{self, shared_secret};
use hookyard_store::Accepted;
use http::header::ORIGIN;
use http::{HeaderMap, Method};
use jiff::Timestamp;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::quotas::Intake;
use crate::{Engine, Error};

mod coding;
mod doctor;
mod fields;
mod input;
mod inspect;
mod json;
mod keeper;
mod pace;
mod rejections;
mod repeat;
mod republish;
mod rows;

pub use doctor::{Examined, examine, examine_kept};
pub use inspect::{MaskedRequest, masked, refused};
pub use keeper::Keeper;
pub use rows::{ROWS_MAX, RowsForm, rows};

/// Knowledge of all sources beyond the store.
#[derive(Debug, Default)]
pub(crate) struct Receiving {
    pace: pace::Pace,
    rejections: rejections::Rejections,
}

/// A delivery without the body.
#[derive(Debug, Clone, Copy)]
pub struct Head<'a> {
    /// GET, HEAD or POST. Only a POST has a body; a HEAD stores nothing.
    pub method: &'a Method,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// The query as received, without the question mark.
    pub query: &'a str,
}

/// Why a delivery is refused. Nothing was stored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The body cannot be read as its stated content type.
    #[error("{0}")]
    Malformed(String),
    /// The delivery has no proof, or a wrong proof.
    #[error("the proof of the source's secret is missing or wrong")]
    Unproven,
    /// The delivery is larger than the server takes, as received, decoded or as a cell.
    #[error("the delivery is larger than the limit")]
    TooLarge,
    /// The body is not text.
    #[error("{0}")]
    Unsupported(&'static str),
    /// The body is in an unknown content coding.
    #[error("{0}")]
    Coding(&'static str),
    /// The delivery should become an event of an unknown type, and the source refuses unknown
    /// types.
    #[error("{0}")]
    EventType(String),
    /// The delivery comes faster than the source's limit.
    #[error("the source takes no more deliveries for {} seconds", .0.as_secs_f64().ceil())]
    TooFast(Duration),
}

impl Refusal {
    /// The refusal's name in the source's log.
    pub fn cause(&self) -> Cause {
        match self {
            Self::Malformed(_) => Cause::Malformed,
            Self::Unproven => Cause::Proof,
            Self::TooLarge => Cause::TooLarge,
            Self::Unsupported(_) => Cause::NotText,
            Self::Coding(_) => Cause::ContentCoding,
            Self::EventType(_) => Cause::EventType,
            Self::TooFast(_) => Cause::RateLimited,
        }
    }
}

/// Why a delivery was not stored.
#[derive(Debug, thiserror::Error)]
pub enum ReceiveError {
    /// The delivery itself is refused.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// An error independent of the delivery.
    #[error(transparent)]
    Other(#[from] Error),
}

/// A delivery ready for storage.
#[derive(Debug)]
pub struct Incoming<'a> {
    /// The delivery without the body.
    pub head: Head<'a>,
    /// The sender's address; `None` when unknown.
    pub address: Option<IpAddr>,
    /// The body as received.
    pub body: &'a Bytes,
    /// The result of [`read`].
    pub cell: Option<Bytes>,
}

/// The caller's proof before the body is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// The source asks for nothing, or the caller knows its secret.
    Proven,
    /// The caller sent a signature of the body, for [`read`] to judge.
    Signed,
    /// The caller has proved nothing.
    Unproven,
}

/// Judges the `Origin` header; `None` without the header, as only browsers send an `Origin`.
pub fn judge_origin(source: &Source, headers: &HeaderMap) -> Option<Verdict> {
    let origin = headers.get(ORIGIN)?.to_str().unwrap_or_default();
    Some(origins::judge(&source.spec.origins, origin))
}

/// The caller's proof by headers and query.
///
/// A source with a separate verification is judged by the verification: here nothing is proved.
pub fn standing(source: &Source, head: Head<'_>, now: Timestamp) -> Standing {
    if source.spec.options.verification.is_some() {
        return Standing::Unproven;
    }
    if source.spec.secret.is_none() {
        return Standing::Proven;
    }
    let pairs = urlencoded::parse(head.query.as_bytes()).unwrap_or_default();
    let in_query = || {
        let values = pairs.iter().filter(|(name, _)| name == shared_secret::QUERY_PARAMETER);
        values.map(|(_, value)| value.as_str())
    };
    let shows = |it: &Secret| shared_secret::verify(head.headers, in_query(), it.expose());
    if source.secrets(now).any(shows) {
        return Standing::Proven;
    }
    // Without a body a signature proves nothing: signatures do not cover the query.
    let signed = head.method == Method::POST && signature::is_present(head.headers);
    if signed { Standing::Signed } else { Standing::Unproven }
}

/// Judges the remaining proof and turns the delivery into a cell, the text of a JSON value; `None`
/// when there is nothing to store. `body` is the body as received. Neither the body, nor the
/// decoded body, nor the cell may be larger than `bytes_max`.
pub fn read(
    source: &Source,
    standing: Standing,
    head: Head<'_>,
    body: &Bytes,
    bytes_max: usize,
    now: Timestamp,
) -> Result<Option<Bytes>, Refusal> {
    let proves = |it: &Secret| signature::verify(head.headers, body, it.expose(), now);
    let proven = match standing {
        Standing::Unproven => false,
        Standing::Proven => true,
        Standing::Signed => source.spec.secret.is_none() || source.secrets(now).any(proves),
    };
    if !proven {
        return Err(Refusal::Unproven);
    }
    let cell = input::cell(head, body, source.spec.secret.is_some(), bytes_max)?;
    if cell.as_ref().is_some_and(|cell| cell.len() > bytes_max) {
        return Err(Refusal::TooLarge);
    }
    Ok(cell)
}

/// The size of the work on a body, in bytes, for [`Work::run`](crate::work::Work::run): the decoded
/// size, for a body in a content coding.
pub fn weight(headers: &HeaderMap, body: &[u8]) -> usize {
    coding::weight(headers, body)
}

impl Engine {
    /// The source with the key, in any workspace; `None` without such a source.
    pub async fn source_by_key(&self, key: &str) -> Result<Option<Arc<Source>>, Error> {
        let found = self.store().source_by_key(key).await?;
        // A rotated key is found for longer than the key counts.
        let now = self.clock().now();
        Ok(found.filter(|source| source.opens_with(key, now)))
    }

    /// Stores a delivery: the row and the event are on disk and visible when the call returns.
    /// Returns the number of stored rows; 0 for a repeated delivery. [`Error::NotFound`] when the
    /// source is gone.
    pub async fn receive(
        &self,
        source: &Source,
        incoming: Incoming<'_>,
    ) -> Result<u32, ReceiveError> {
        self.take_turn(source).map_err(Refusal::TooFast)?;
        let becomes_rows = incoming.cell.is_some();
        let intake = Intake {
            events: 1,
            bytes: incoming.body.len(),
            becomes_rows,
            becomes_events: becomes_rows && source.spec.options.republish.is_some(),
        };
        match self.take_in(source.spec.workspace, intake).await {
            // The source's log shows the delivery as faster than the source's own limit.
            Err(Error::Quota { wait: Some(wait), .. }) => return Err(Refusal::TooFast(wait).into()),
            taken => taken?,
        }
        let event = self.event(source, &incoming).await?;
        let request = inspect::kept(source, &incoming);
        let Incoming { head, address, body, cell } = incoming;
        if cell.is_none() && request.is_none() {
            return Ok(0);
        }
        let rows = u32::from(cell.is_some());
        // A repeated delivery without a row does no harm.
        let counts = source.spec.options.keep_repeats || cell.is_none();
        let named = || {
            let own = repeat::of_provider(source, head, body);
            own.or_else(|| repeat::name(source.id, head.headers))
        };
        let repeat = if counts { None } else { named() };
        let delivery = NewDelivery { source: source.id, cell, event, repeat, request };
        let now = self.clock().now();
        match self.store().accept(delivery, now).await.map_err(Error::from)? {
            Accepted::Stored { .. } => Ok(rows),
            Accepted::Repeat => {
                let detail = "answered as a success: it came within a day before";
                self.note_rejection(source, Cause::Repeat, detail, head.method, address, || None);
                Ok(0)
            }
        }
    }
}

#[cfg(test)]
mod tests;
