//! Sending one request.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Request, Uri};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;

use crate::net::{Client, Guard, explain};

/// From the first look-up to the end of the answer (UltraCart spec 4.1: "total 30 s").
const EXCHANGE_TIMEOUT: Duration = Duration::from_secs(30);

/// How much of an answer is read. The log keeps 100,000 characters, of at most four bytes each; what
/// is over 1 MiB is left unread and the connection is closed.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// A request on its way out.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// Where to.
    pub uri: Uri,
    /// Its headers, without those of the connection.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

/// What came back.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, at most its first MiB.
    pub body: Bytes,
}

/// What deliveries are sent with. Tests script one.
#[async_trait]
pub trait Transport: fmt::Debug + Send + Sync {
    /// Posts a request and reads the whole answer, in a bounded time. An answer of any status is
    /// `Ok`; why there was none is text for the delivery log.
    async fn send(&self, request: Outgoing) -> Result<Answer, String>;
}

/// HTTP over the guarded client.
#[derive(Debug)]
pub struct HttpTransport {
    client: Client,
}

impl HttpTransport {
    /// A transport that connects to what the guard lets through. Fails when TLS cannot be set up.
    pub fn new(guard: Arc<Guard>) -> Result<Self, rustls::Error> {
        Ok(Self { client: Client::new(guard)? })
    }

    async fn exchange(&self, outgoing: Outgoing) -> Result<Answer, String> {
        let mut request = Request::new(Full::new(outgoing.body));
        *request.method_mut() = http::Method::POST;
        *request.uri_mut() = outgoing.uri;
        *request.headers_mut() = outgoing.headers;
        let response = self.client.send(request).await.map_err(|error| error.to_string())?;
        let (head, body) = response.into_parts();
        let status = head.status.as_u16();
        let body = read(body).await.map_err(|error| {
            format!("the answer broke off after status {status}: {}", explain(&error))
        })?;
        Ok(Answer { status, headers: head.headers, body })
    }
}

async fn read(mut body: Incoming) -> Result<Bytes, hyper::Error> {
    let mut whole = BytesMut::new();
    while whole.len() < ANSWER_BYTES_MAX
        && let Some(frame) = body.frame().await
    {
        if let Ok(data) = frame?.into_data() {
            let room = ANSWER_BYTES_MAX - whole.len();
            whole.extend_from_slice(&data[..data.len().min(room)]);
        }
    }
    Ok(whole.freeze())
}

#[async_trait]
impl Transport for HttpTransport {
    async fn send(&self, request: Outgoing) -> Result<Answer, String> {
        let exchanged = tokio::time::timeout(EXCHANGE_TIMEOUT, self.exchange(request)).await;
        exchanged.unwrap_or_else(|_| {
            Err(format!("there was no whole answer within {} s", EXCHANGE_TIMEOUT.as_secs()))
        })
    }
}
