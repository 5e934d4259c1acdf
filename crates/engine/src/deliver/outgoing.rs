//! A request on its way out, and its answer, wherever the request goes.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use hookyard_core::id::Seq;
use http::{HeaderMap, Method, Uri};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::time::Instant;

use crate::net::{explain, is_ours};

/// A request on its way out.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// The method, where the destination takes HTTP.
    pub method: Method,
    /// Where to.
    pub uri: Uri,
    /// The headers, without those of the connection.
    pub headers: HeaderMap,
    /// The body of the request.
    pub body: Bytes,
    /// The numbers of the events in the body, in the body's order.
    pub events: Arc<[Seq]>,
    /// The time from the first look-up to the end of the answer.
    pub timeout: Duration,
}

/// The answer to a request.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    /// The status. A destination without statuses translates its outcome into those of HTTP.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, at most its first MiB.
    pub body: Bytes,
    /// Why the answer broke off after its head, if so. The other fields hold the part before the break.
    pub broken: Option<String>,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unanswered {
    /// The receiver, or the way to it, is at fault. The text is for the delivery log.
    Failed(String),
    /// This server lacked the means to send, such as an open file. Nothing was sent, and nothing is known of
    /// the receiver. The text is for the server's own log.
    Unable(String),
}

impl Unanswered {
    /// The same with another text.
    pub(super) fn map(self, change: impl FnOnce(String) -> String) -> Self {
        match self {
            Self::Failed(reason) => Self::Failed(change(reason)),
            Self::Unable(reason) => Self::Unable(change(reason)),
        }
    }

    /// The failure of a connection or a request, sorted by whose fault the error is.
    pub(super) fn because(error: &(dyn std::error::Error + 'static)) -> Self {
        let reason = explain(error);
        if is_ours(error) { Self::Unable(reason) } else { Self::Failed(reason) }
    }
}

impl From<String> for Unanswered {
    fn from(reason: String) -> Self {
        Self::Failed(reason)
    }
}

/// By when an exchange must have ended.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadline {
    by: Instant,
    /// The time from the beginning of the exchange to the moment.
    wait: Duration,
}

impl Deadline {
    /// So long from now.
    pub(super) fn after(wait: Duration) -> Self {
        Self { by: after(wait), wait }
    }

    /// The moment, by the clock that the runtime's timers go by.
    pub(super) fn moment(self) -> Instant {
        self.by
    }

    /// Waits at most until the moment, for an outcome that must be whole.
    pub(super) async fn bound<T>(
        self,
        work: impl Future<Output = Result<T, Unanswered>>,
    ) -> Result<T, Unanswered> {
        let done = tokio::time::timeout_at(self.by, work).await;
        done.unwrap_or_else(|_| Err(Unanswered::Failed(self.to_string())))
    }
}

impl fmt::Display for Deadline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "there was no answer within {} s", self.wait.as_secs_f64())
    }
}

/// The moment after a wait, by the clock that the runtime's timers go by.
pub(super) fn after(wait: Duration) -> Instant {
    tokio::time::sleep(wait).deadline()
}

/// The part of an answer's body that was read.
pub(super) struct Read {
    pub(super) bytes: Bytes,
    /// Why the body ended too early, if so.
    pub(super) broken: Option<String>,
}

/// A body up to a bound and a moment; the rest over the bound is left unread.
pub(super) async fn read(mut body: Incoming, bytes_max: usize, by: Instant) -> Read {
    let mut whole = BytesMut::new();
    let mut broken = None;
    while whole.len() < bytes_max && broken.is_none() {
        match tokio::time::timeout_at(by, body.frame()).await {
            Ok(None) => break,
            Ok(Some(Ok(frame))) => {
                let data = frame.into_data().unwrap_or_default();
                let room = bytes_max - whole.len();
                whole.extend_from_slice(&data[..data.len().min(room)]);
            }
            Ok(Some(Err(error))) => broken = Some(explain(&error)),
            Err(_) => broken = Some("the rest did not come in time".to_owned()),
        }
    }
    Read { bytes: whole.freeze(), broken }
}
