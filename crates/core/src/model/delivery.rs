use std::net::IpAddr;

use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Header, NewEvent, Secret};
use crate::id::{BatchId, DeliveryId, RejectionId, Seq, SourceId};

/// A source's new delivery, before the store has a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDelivery {
    /// The receiving source.
    pub source: SourceId,
    /// The future row's cell: the text of a JSON value. `None` when there is nothing to store.
    pub cell: Option<Bytes>,
    /// The event to publish, if any.
    pub event: Option<NewEvent>,
    /// A hash of the source and of the sender's name for the delivery, to recognise a repetition; `None`
    /// without a name, or when repetitions count.
    pub repeat: Option<[u8; 16]>,
    /// The request to keep for inspection; `None` for nothing.
    pub request: Option<KeptRequest>,
}

/// A request in the form kept for inspection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptRequest {
    /// The method.
    pub method: String,
    /// The query without the question mark, secrets masked.
    pub query: String,
    /// The headers in order, secrets masked.
    pub headers: Vec<Header>,
    /// The sender's address.
    pub address: Option<IpAddr>,
    /// The bytes of the body as received.
    pub bytes: u64,
    /// The body.
    pub body: KeptBody,
}

/// The body of a kept request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeptBody {
    /// The body equals the cell of the row, byte for byte, and is not kept twice.
    Cell,
    /// The body is kept by itself.
    Own(Bytes),
    /// The body is not kept.
    None,
}

/// An accepted delivery to a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The delivery's number.
    pub id: DeliveryId,
    /// When the delivery was accepted.
    pub received_at: Timestamp,
    /// The resulting batch; `None` when there was nothing to store.
    pub batch: Option<BatchId>,
    /// The published event, if any.
    pub event: Option<Seq>,
    /// The method.
    pub method: String,
    /// The query without the question mark, secrets masked.
    pub query: String,
    /// The headers in order, secrets masked.
    pub headers: Vec<Header>,
    /// The sender's address.
    pub address: Option<IpAddr>,
    /// The bytes of the body as received.
    pub bytes: u64,
}

/// Why a source did not do as a request's sender wanted. The list is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The sender was a web page of an unlisted origin.
    Origin,
    /// The sender's address is not allowed.
    Address,
    /// The request exceeded the source's rate limit.
    RateLimited,
    /// The request did not prove knowledge of the secret.
    Proof,
    /// The request was larger than the limit.
    TooLarge,
    /// The request's contents contradicted its declaration.
    Malformed,
    /// The request had an unknown content coding.
    ContentCoding,
    /// The request was not text.
    NotText,
    /// The workspace has no event type of the name in the request, so no event could be made.
    EventType,
    /// The workspace's rules cannot be decided for the event in the request.
    Unmatchable,
    /// The request was stored, and not published again: the event had come around too often.
    Loop,
    /// The request was answered as a success and not stored: an earlier delivery was the same.
    Repeat,
}

impl Cause {
    /// The whole list.
    pub const ALL: [Self; 12] = [
        Self::Origin,
        Self::Address,
        Self::RateLimited,
        Self::Proof,
        Self::TooLarge,
        Self::Malformed,
        Self::ContentCoding,
        Self::NotText,
        Self::EventType,
        Self::Unmatchable,
        Self::Loop,
        Self::Repeat,
    ];

    /// The word on the wire and on disk.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Origin => "origin",
            Self::Address => "address",
            Self::RateLimited => "rate_limited",
            Self::Proof => "proof",
            Self::TooLarge => "too_large",
            Self::Malformed => "malformed",
            Self::ContentCoding => "content_coding",
            Self::NotText => "not_text",
            Self::EventType => "event_type",
            Self::Unmatchable => "unmatchable",
            Self::Loop => "loop",
            Self::Repeat => "repeat",
        }
    }

    /// Reads the word.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|cause| cause.as_str() == text)
    }
}

/// A line of a source's log of refused requests, for a single request or for several soon after each other
/// with the same cause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRejection {
    /// The receiving source.
    pub source: SourceId,
    /// When the first came.
    pub first_at: Timestamp,
    /// When the last came.
    pub last_at: Timestamp,
    /// How many came.
    pub count: u64,
    /// Why.
    pub cause: Cause,
    /// More about the first, in words.
    pub detail: String,
    /// The method of the first.
    pub method: String,
    /// The address of the first request's sender.
    pub address: Option<IpAddr>,
}

/// A stored line of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// The line's number.
    pub id: RejectionId,
    /// The line's contents.
    pub line: NewRejection,
    /// Whether the first request is kept for the doctor.
    pub has_request: bool,
}

/// A new line for the log, with the first request if kept for the doctor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedRejection {
    /// The line.
    pub line: NewRejection,
    /// The line's first request.
    pub request: Option<RefusedRequest>,
}

/// A refused request, kept for the doctor. A refused request may show secrets, so the store keeps the request
/// encrypted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedRequest {
    /// Path and query as received.
    pub target: String,
    /// The headers in order. Secrets without a part in the source's proof are masked.
    pub headers: Vec<Header>,
    /// The bytes of the body; `None` when the body was not read.
    pub bytes: Option<u64>,
    /// The body; `None` when the body was not read or is too large to keep.
    #[serde(with = "as_base64")]
    pub body: Option<Bytes>,
}

impl RefusedRequest {
    /// The whole request as text, for encryption.
    pub fn to_secret(&self) -> serde_json::Result<Secret> {
        serde_json::to_string(self).map(Secret::new)
    }

    /// Reads the text of [`RefusedRequest::to_secret`].
    pub fn from_secret(text: &Secret) -> serde_json::Result<Self> {
        serde_json::from_str(text.expose())
    }
}

/// Arbitrary bytes, in JSON.
mod as_base64 {
    use super::{Bytes, Deserialize, Serialize};
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use serde::{Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(body: &Option<Bytes>, s: S) -> Result<S::Ok, S::Error> {
        body.as_ref().map(|body| STANDARD.encode(body)).serialize(s)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Bytes>, D::Error> {
        let text = Option::<String>::deserialize(d)?;
        let body = text.map(|text| STANDARD.decode(text).map_err(D::Error::custom)).transpose()?;
        Ok(body.map(Bytes::from))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_request_is_read_back_to_the_byte() {
        for body in [None, Some(Bytes::new()), Some(Bytes::from_static(b"\0\xff{}"))] {
            let header = Header { name: "x-a".to_owned(), value: "b".to_owned() };
            let bytes = body.as_ref().map(|body| body.len() as u64);
            let target = "/webhook/data/k?x=1".to_owned();
            let request = RefusedRequest { target, headers: vec![header], bytes, body };
            let text = request.to_secret().unwrap();
            assert_eq!(RefusedRequest::from_secret(&text).unwrap(), request);
        }
    }

    #[test]
    fn every_cause_has_a_word_of_its_own() {
        for cause in Cause::ALL {
            assert_eq!(Cause::parse(cause.as_str()), Some(cause));
            assert_eq!(serde_json::to_value(cause).unwrap(), cause.as_str());
        }
        assert_eq!(Cause::parse("nothing"), None);
    }
}
