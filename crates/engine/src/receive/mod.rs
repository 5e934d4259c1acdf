//! Receiving: find the source, judge the caller, read the data, store a row (spec/mammoth.md
//! sections 2 to 5).
//!
//! The steps are apart because the body comes between them, and nobody who may not deliver shall
//! make the server read one: [`Engine::source_by_key`], then [`judge_origin`], then [`standing`],
//! then (the caller reads the body) [`read`], then [`Engine::receive`].

use bytes::Bytes;
use hookyard_core::model::Source;
use hookyard_core::origins::{self, Verdict};
use hookyard_core::signature::{self, shared_secret};
use http::header::ORIGIN;
use http::{HeaderMap, Method};
use jiff::Timestamp;
use std::sync::Arc;

use crate::{Engine, Error};

mod coding;
mod fields;
mod input;
mod json;
mod multipart;

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
    /// It is not text, or in a content coding that is not known.
    #[error("{0}")]
    Unsupported(&'static str),
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
pub fn standing(source: &Source, head: Head<'_>) -> Standing {
    let Some(secret) = &source.spec.secret else { return Standing::Proven };
    let pairs = fields::parse(head.query.as_bytes()).unwrap_or_default();
    let in_query = pairs
        .iter()
        .filter(|(name, _)| name == shared_secret::QUERY_PARAMETER)
        .map(|(_, value)| value.as_str());
    if shared_secret::verify(head.headers, in_query, secret.expose()) {
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
    let proven = match (standing, &source.spec.secret) {
        (Standing::Proven, _) | (_, None) => true,
        (Standing::Signed, Some(secret)) => {
            signature::verify(head.headers, body, secret.expose(), now)
        }
        (Standing::Unproven, Some(_)) => false,
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

impl Engine {
    /// The source with this key, whichever workspace owns it; `None` when there is none.
    pub async fn source_by_key(&self, key: &str) -> Result<Option<Arc<Source>>, Error> {
        Ok(self.store().source_by_key(key).await?)
    }

    /// Stores what [`read`] made of a delivery; the row is on disk and visible when this returns.
    /// The answer is how many rows were stored. [`Error::NotFound`] when the source is gone.
    pub async fn receive(&self, source: &Source, cell: Option<Bytes>) -> Result<u32, Error> {
        let Some(cell) = cell else { return Ok(0) };
        self.store().receive(source.id, cell, self.clock().now()).await?;
        Ok(1)
    }
}

#[cfg(test)]
mod tests;
