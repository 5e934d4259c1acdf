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
    timeout: Duration,
}

impl HttpTransport {
    /// A transport that connects to what the guard lets through. Fails when TLS cannot be set up.
    pub fn new(guard: Arc<Guard>) -> Result<Self, rustls::Error> {
        Ok(Self { client: Client::new(guard)?, timeout: EXCHANGE_TIMEOUT })
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
        let exchanged = tokio::time::timeout(self.timeout, self.exchange(request)).await;
        exchanged.unwrap_or_else(|_| {
            Err(format!("there was no whole answer within {} s", self.timeout.as_secs_f64()))
        })
    }
}

#[cfg(test)]
mod tests {
    use hookyard_testkit::{Answer as Scripted, Receiver};

    use super::*;

    fn transport() -> HttpTransport {
        let guard = Arc::new(Guard::new(vec!["127.0.0.0/8".parse().unwrap()]));
        HttpTransport { timeout: Duration::from_secs(5), ..HttpTransport::new(guard).unwrap() }
    }

    fn outgoing(url: &str) -> Outgoing {
        let mut headers = HeaderMap::new();
        headers.insert("x-test", "1".parse().unwrap());
        Outgoing { uri: url.parse().unwrap(), headers, body: Bytes::from("{}") }
    }

    #[tokio::test]
    async fn requests_and_answers_arrive_whole() {
        let receiver = Receiver::start().await.unwrap();
        let answer = Scripted::status(404).header("X-A", "b").body("nothing here");
        receiver.script([answer]);
        let answer = transport().send(outgoing(&receiver.url("/h?a=b"))).await.unwrap();
        assert_eq!((answer.status, &answer.body[..]), (404, &b"nothing here"[..]));
        assert_eq!(answer.headers["x-a"], "b");
        let requests = receiver.requests();
        assert_eq!((requests[0].method.as_str(), requests[0].path.as_str()), ("POST", "/h?a=b"));
        assert_eq!((requests[0].header("x-test"), &requests[0].body[..]), ("1", &b"{}"[..]));
        assert_eq!(requests[0].header("content-length"), "2");
    }

    #[tokio::test]
    async fn redirects_are_answers() {
        let receiver = Receiver::start().await.unwrap();
        receiver.script([Scripted::status(307).header("Location", &receiver.url("/b"))]);
        let answer = transport().send(outgoing(&receiver.url("/a"))).await.unwrap();
        assert_eq!((answer.status, receiver.count()), (307, 1));
    }

    #[tokio::test]
    async fn long_answers_are_read_up_to_a_bound() {
        let receiver = Receiver::start().await.unwrap();
        receiver.script([Scripted::ok().body(vec![b'x'; 3 << 20])]);
        let transport = transport();
        let answer = transport.send(outgoing(&receiver.url("/"))).await.unwrap();
        assert_eq!((answer.status, answer.body.len()), (200, ANSWER_BYTES_MAX));
        // What was left unread is in nobody's way.
        let answer = transport.send(outgoing(&receiver.url("/"))).await.unwrap();
        assert_eq!(&answer.body[..], b"ok");
    }

    #[tokio::test]
    async fn no_whole_answer_is_no_answer() {
        let receiver = Receiver::start().await.unwrap();
        receiver.script([Scripted::close(), Scripted::close_mid_answer(), Scripted::hang()]);
        let transport = HttpTransport { timeout: Duration::from_millis(300), ..transport() };
        let mut errors = Vec::new();
        for _ in 0..3 {
            errors.push(transport.send(outgoing(&receiver.url("/"))).await.unwrap_err());
        }
        assert_eq!(errors[0], "connection closed before message completed");
        assert!(errors[1].starts_with("the answer broke off after status 200: "), "{}", errors[1]);
        assert_eq!(errors[2], "there was no whole answer within 0.3 s");
        assert!(transport.send(outgoing(&receiver.url("/"))).await.is_ok());
    }

    #[tokio::test]
    async fn nobody_listening_is_an_error_with_the_address() {
        let receiver = Receiver::start().await.unwrap();
        let (url, address) = (receiver.url("/"), receiver.address());
        drop(receiver);
        tokio::task::yield_now().await;
        let error = transport().send(outgoing(&url)).await.unwrap_err();
        assert!(error.contains(&address.to_string()), "{error}");
    }

    #[tokio::test]
    async fn the_guard_judges_at_the_connection() {
        let receiver = Receiver::start().await.unwrap();
        let transport = HttpTransport::new(Arc::new(Guard::default())).unwrap();
        let error = transport.send(outgoing(&receiver.url("/"))).await.unwrap_err();
        assert_eq!(error, "127.0.0.1 is not allowed: it is in 127.0.0.0/8 (loopback)");
        assert_eq!(receiver.count(), 0);
    }
}
