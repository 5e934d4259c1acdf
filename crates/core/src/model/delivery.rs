use std::net::IpAddr;

use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Header, NewEvent, Secret};
use crate::id::{BatchId, DeliveryId, RejectionId, Seq, SourceId};

/// What came to a source, on its way into the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDelivery {
    /// Where it came.
    pub source: SourceId,
    /// What becomes a row: the text of one JSON value. `None` when there is nothing to store.
    pub cell: Option<Bytes>,
    /// What is published of it.
    pub event: Option<NewEvent>,
    /// A hash of the source and of the name that the sender gave it, by which a repetition is known;
    /// `None` when it has no name or repetitions count.
    pub repeat: Option<[u8; 16]>,
    /// What is kept for inspection; `None` for nothing.
    pub request: Option<KeptRequest>,
}

/// A request as it is kept for inspection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptRequest {
    /// Its method.
    pub method: String,
    /// Its query without the question mark, secrets masked.
    pub query: String,
    /// Its headers in order, secrets masked.
    pub headers: Vec<Header>,
    /// Who sent it.
    pub address: Option<IpAddr>,
    /// The bytes of its body, as it came.
    pub bytes: u64,
    /// Its body.
    pub body: KeptBody,
}

/// The body of a request that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeptBody {
    /// It is the cell of the row, to the byte, and is not kept twice.
    Cell,
    /// It is kept by itself.
    Own(Bytes),
    /// It is not kept.
    None,
}

/// What came to a source and was accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Its number.
    pub id: DeliveryId,
    /// When it was accepted.
    pub received_at: Timestamp,
    /// The batch that it became; `None` when there was nothing to store.
    pub batch: Option<BatchId>,
    /// The event that was published of it.
    pub event: Option<Seq>,
    /// The method.
    pub method: String,
    /// The query without the question mark, secrets masked.
    pub query: String,
    /// The headers in order, secrets masked.
    pub headers: Vec<Header>,
    /// Who sent it.
    pub address: Option<IpAddr>,
    /// The bytes of its body, as it came.
    pub bytes: u64,
}

/// Why a source did not do with a request what its sender wanted. The list is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// A web page of an origin that is not listed sent it.
    Origin,
    /// It came from an address that is not allowed.
    Address,
    /// It came faster than the source's rate limit.
    RateLimited,
    /// It did not prove to know the secret.
    Proof,
    /// It was larger than the limit.
    TooLarge,
    /// It was not what it said it was.
    Malformed,
    /// It was in a content coding that is not known.
    ContentCoding,
    /// It was not text.
    NotText,
    /// It should have become an event, of a type that the workspace does not have.
    EventType,
    /// It should have become an event that the rules of the workspace cannot be decided for.
    Unmatchable,
    /// It was stored, and not published again: it had come around too often.
    Loop,
    /// It was answered as a success and not stored: it came before.
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

/// One line of a source's log of requests that it did not take, for one request or for several of
/// the same cause that came soon after each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRejection {
    /// Where they came.
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
    /// Who sent the first.
    pub address: Option<IpAddr>,
}

/// A line of the log as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// Its number.
    pub id: RejectionId,
    /// What it says.
    pub line: NewRejection,
    /// Whether the first request is kept for the doctor.
    pub has_request: bool,
}

/// A line on its way into the log, with its first request where that is kept for the doctor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedRejection {
    /// The line.
    pub line: NewRejection,
    /// Its first request.
    pub request: Option<RefusedRequest>,
}

/// A request that was refused, as it is kept for the doctor. It may show secrets, so it is encrypted
/// where it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedRequest {
    /// Its path and query as they came.
    pub target: String,
    /// Its headers in order. Secrets that prove nothing to the source are masked.
    pub headers: Vec<Header>,
    /// The bytes of its body; `None` when the body was not read.
    pub bytes: Option<u64>,
    /// Its body; `None` when it was not read or is too large to be kept.
    #[serde(with = "as_base64")]
    pub body: Option<Bytes>,
}

impl RefusedRequest {
    /// All of it as text, to be encrypted.
    pub fn to_secret(&self) -> serde_json::Result<Secret> {
        serde_json::to_string(self).map(Secret::new)
    }

    /// Reads what [`RefusedRequest::to_secret`] made.
    pub fn from_secret(text: &Secret) -> serde_json::Result<Self> {
        serde_json::from_str(text.expose())
    }
}

/// Bytes that need not be text, in JSON.
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
