//! Receiving: find the source, judge the caller, read the data, store a row
//! (docs/spec/mammoth.md#data).
//!
//! The steps are apart because the body comes between them, and nobody who may not deliver shall
//! make the server read one: [`Engine::source_by_key`], then [`judge_origin`], then [`standing`],
//! then (the caller reads the body) [`read`], then [`Engine::receive`].

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

/// What is known of all sources beyond the store.
#[derive(Debug, Default)]
pub(crate) struct Receiving {
    pace: pace::Pace,
    rejections: rejections::Rejections,
}

/// All of a delivery but its body.
#[derive(Debug, Clone, Copy)]
pub struct Head<'a> {
    /// GET, HEAD or POST. Only a POST has a body; a HEAD stores nothing.
    pub method: &'a Method,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// The query as it came, without the question mark.
    pub query: &'a str,
}

/// Why a delivery is refused. Nothing was stored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It cannot be read as what it says it is.
    #[error("{0}")]
    Malformed(String),
    /// It has no proof, or a wrong one.
    #[error("the proof of the source's secret is missing or wrong")]
    Unproven,
    /// It is larger than the server takes, as it came, decoded or as the cell it would become.
    #[error("the delivery is larger than the limit")]
    TooLarge,
    /// It is not text.
    #[error("{0}")]
    Unsupported(&'static str),
    /// It is in a content coding that is not known.
    #[error("{0}")]
    Coding(&'static str),
    /// It should become an event of a type that is not known, and the source refuses those.
    #[error("{0}")]
    EventType(String),
    /// It comes faster than the source's limit.
    #[error("the source takes no more deliveries for {} seconds", .0.as_secs_f64().ceil())]
    TooFast(Duration),
}

impl Refusal {
    /// What the source's log calls it.
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
    /// For what it is.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// For something that has nothing to do with it.
    #[error(transparent)]
    Other(#[from] Error),
}

/// A delivery that may be stored.
#[derive(Debug)]
pub struct Incoming<'a> {
    /// All but its body.
    pub head: Head<'a>,
    /// Who sent it; `None` when nobody can tell.
    pub address: Option<IpAddr>,
    /// Its body as it came.
    pub body: &'a Bytes,
    /// What [`read`] made of it.
    pub cell: Option<Bytes>,
}

/// What a caller has proved before the body is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// The source asks for nothing, or the caller knows its secret.
    Proven,
    /// The caller sent a signature of the body, which [`read`] judges.
    Signed,
    /// The caller has proved nothing.
    Unproven,
}

/// Judges the `Origin` header; `None` when there is none, as only browsers send it.
pub fn judge_origin(source: &Source, headers: &HeaderMap) -> Option<Verdict> {
    let origin = headers.get(ORIGIN)?.to_str().unwrap_or_default();
    Some(origins::judge(&source.spec.origins, origin))
}

/// What the caller has proved by its headers and query.
///
/// A source with a verification of its own is judged by that: here nothing is proved to it.
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
    // Without a body a signature proves nothing: it says nothing of the query.
    let signed = head.method == Method::POST && signature::is_present(head.headers);
    if signed { Standing::Signed } else { Standing::Unproven }
}

/// Judges what is still to be proved and turns the delivery into a cell, the text of one JSON
/// value; `None` when there is nothing to store. `body` is as it came over the wire. Neither it,
/// nor what it decodes to, nor the cell may be larger than `bytes_max`.
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

/// How large the work on a body is, in bytes, for [`Work::run`](crate::work::Work::run): what it
/// decodes to, where it came in a content coding.
pub fn weight(headers: &HeaderMap, body: &[u8]) -> usize {
    coding::weight(headers, body)
}

impl Engine {
    /// The source with this key, whichever workspace owns it; `None` when there is none.
    pub async fn source_by_key(&self, key: &str) -> Result<Option<Arc<Source>>, Error> {
        let found = self.store().source_by_key(key).await?;
        // A key that was rotated is found for longer than it counts.
        let now = self.clock().now();
        Ok(found.filter(|source| source.opens_with(key, now)))
    }

    /// Stores a delivery: its row and its event are on disk and visible when this returns. The answer
    /// is how many rows were stored; none of one that came before. [`Error::NotFound`] when the source
    /// is gone.
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
            // In the source's log as what comes faster than the source's own limit.
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
        // What stores nothing does no harm when it comes again.
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
