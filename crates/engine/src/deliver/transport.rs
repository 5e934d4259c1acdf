//! Sending one request.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use hookyard_core::clock::Clock;
use hookyard_core::id::WorkspaceId;
use hookyard_core::model::OAuth2Client;
use http::{HeaderMap, Request, Uri};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use tokio::time::Instant;
use url::Url;

use super::landing::Landing;
use super::oauth::Tokens;
use super::request::insert_bearer;
use super::sqs::Queue;
use crate::net::{Client, Guard, Sockets, explain, is_ours};

/// From the first look-up to the end of the answer (docs/spec/ultracart.md#algorithm).
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
    /// What to fetch a bearer token with, and the workspace whose share of the kept tokens has it.
    pub oauth2: Option<(WorkspaceId, Arc<OAuth2Client>)>,
    /// The queue that it goes to, as a message.
    pub queue: Option<Arc<Queue>>,
    /// The dataset that its events land in.
    pub landing: Option<Landing>,
    /// Whether any certificate is taken for the receiver's.
    pub danger_accept_invalid_certs: bool,
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
    /// Why the answer broke off after its head, if it did. What is here came before that.
    pub broken: Option<String>,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unanswered {
    /// The receiver, or the way to it, is at fault. The text is for the delivery log.
    Failed(String),
    /// This server lacked the means to send, such as an open file. Nothing was sent, and nothing is
    /// known of the receiver. The text is for the server's own log.
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

    /// What an error of a connection or a request says, by whose fault it is.
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

/// What deliveries are sent with. Tests script one.
#[async_trait]
pub trait Transport: fmt::Debug + Send + Sync {
    /// Posts a request and reads the answer, in a bounded time. An answer of any status is `Ok`, also
    /// when it breaks off after its head: the receiver has said what it did.
    async fn send(&self, request: Outgoing) -> Result<Answer, Unanswered>;
}

/// HTTP over the guarded client.
#[derive(Debug)]
pub struct HttpTransport {
    client: Client,
    /// For receivers whose certificates are not looked at.
    trusting_client: Client,
    tokens: Tokens,
    #[cfg(feature = "sqs")]
    sqs: super::sqs::Sender,
    timeout: Duration,
}

impl HttpTransport {
    /// A transport that connects to what the guard lets through, with so many connections at once.
    /// `sqs_endpoint_url` takes the place of all queues' hosts. Fails when TLS cannot be set up.
    pub fn new(
        guard: Arc<Guard>,
        clock: &Arc<dyn Clock>,
        sqs_endpoint_url: Option<&Url>,
        connections_max: usize,
    ) -> Result<Self, rustls::Error> {
        #[cfg(not(feature = "sqs"))]
        let _ = sqs_endpoint_url;
        let sockets = Sockets::new(connections_max);
        let client = Client::new(Arc::clone(&guard), &sockets)?;
        Ok(Self {
            trusting_client: Client::danger_accepting_invalid_certs(guard, &sockets)?,
            tokens: Tokens::new(client.clone(), Arc::clone(clock)),
            #[cfg(feature = "sqs")]
            sqs: super::sqs::Sender::new(
                client.clone(),
                Arc::clone(clock),
                sqs_endpoint_url.cloned(),
            ),
            client,
            timeout: EXCHANGE_TIMEOUT,
        })
    }

    async fn route(&self, mut outgoing: Outgoing, by: Instant) -> Result<Answer, Unanswered> {
        match outgoing.queue.take() {
            Some(queue) => self.in_time(by, self.enqueue(&queue, outgoing)).await,
            None => self.authorized(outgoing, by).await,
        }
    }

    /// Waits until a moment for what must be whole.
    async fn in_time<T>(
        &self,
        by: Instant,
        work: impl Future<Output = Result<T, Unanswered>>,
    ) -> Result<T, Unanswered> {
        let done = tokio::time::timeout_at(by, work).await;
        done.unwrap_or_else(|_| {
            let seconds = self.timeout.as_secs_f64();
            Err(Unanswered::Failed(format!("there was no answer within {seconds} s")))
        })
    }

    #[cfg(feature = "sqs")]
    async fn enqueue(&self, queue: &Queue, outgoing: Outgoing) -> Result<Answer, Unanswered> {
        self.sqs.send(queue, outgoing).await
    }

    #[cfg(not(feature = "sqs"))]
    async fn enqueue(&self, _: &Queue, _: Outgoing) -> Result<Answer, Unanswered> {
        Err("this build cannot deliver to amazon sqs".to_owned().into())
    }

    /// Sends a request with the token it needs. One that was kept and is refused is fetched anew,
    /// once.
    async fn authorized(&self, mut outgoing: Outgoing, by: Instant) -> Result<Answer, Unanswered> {
        let Some((workspace, oauth2)) = outgoing.oauth2.take() else {
            return self.exchange(outgoing, by).await;
        };
        let token = self.in_time(by, self.tokens.token(workspace, &oauth2)).await?;
        insert_bearer(&mut outgoing.headers, token.secret.expose())?;
        if !token.kept {
            return self.exchange(outgoing, by).await;
        }
        let answer = self.exchange(outgoing.clone(), by).await?;
        if answer.status != 401 {
            return Ok(answer);
        }
        self.tokens.forget(workspace, &oauth2, &token.secret);
        let token = self.in_time(by, self.tokens.token(workspace, &oauth2)).await?;
        insert_bearer(&mut outgoing.headers, token.secret.expose())?;
        self.exchange(outgoing, by).await
    }

    async fn exchange(&self, outgoing: Outgoing, by: Instant) -> Result<Answer, Unanswered> {
        let client = match outgoing.danger_accept_invalid_certs {
            true => &self.trusting_client,
            false => &self.client,
        };
        let mut request = Request::new(Full::new(outgoing.body));
        *request.method_mut() = http::Method::POST;
        *request.uri_mut() = outgoing.uri;
        *request.headers_mut() = outgoing.headers;
        let sent =
            async { client.send(request).await.map_err(|error| Unanswered::because(&error)) };
        let (head, body) = self.in_time(by, sent).await?.into_parts();
        let Read { bytes: body, broken } = read(body, ANSWER_BYTES_MAX, by).await;
        Ok(Answer { status: head.status.as_u16(), headers: head.headers, body, broken })
    }
}

/// The moment after a wait, by the clock that the runtime's timers go by.
pub(super) fn after(wait: Duration) -> Instant {
    tokio::time::sleep(wait).deadline()
}

/// What was read of an answer's body.
pub(super) struct Read {
    pub(super) bytes: Bytes,
    /// Why there was no more, if it should have gone on.
    pub(super) broken: Option<String>,
}

/// A body up to a bound and a moment; what is over the bound is left unread.
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

#[async_trait]
impl Transport for HttpTransport {
    async fn send(&self, request: Outgoing) -> Result<Answer, Unanswered> {
        self.route(request, after(self.timeout)).await
    }
}

#[cfg(test)]
mod tests {
    use hookyard_core::model::Secret;
    use hookyard_testkit::{Answer as Scripted, Receiver, SimClock};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    fn guarded_by(guard: Guard) -> HttpTransport {
        let clock: Arc<dyn Clock> = Arc::new(SimClock::default());
        HttpTransport::new(Arc::new(guard), &clock, None, 64).unwrap()
    }

    fn transport() -> HttpTransport {
        let guard = Guard::new(vec!["127.0.0.0/8".parse().unwrap()]);
        HttpTransport { timeout: Duration::from_secs(5), ..guarded_by(guard) }
    }

    /// Why there was no answer, where the receiver is at fault.
    fn failure(sent: Result<Answer, Unanswered>) -> String {
        match sent {
            Err(Unanswered::Failed(reason)) => reason,
            other => panic!("{other:?}"),
        }
    }

    fn outgoing(url: &str) -> Outgoing {
        let mut headers = HeaderMap::new();
        headers.insert("x-test", "1".parse().unwrap());
        Outgoing {
            uri: url.parse().unwrap(),
            headers,
            body: Bytes::from("{}"),
            oauth2: None,
            queue: None,
            landing: None,
            danger_accept_invalid_certs: false,
        }
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
    async fn a_refused_token_is_fetched_anew_once() {
        let receiver = Receiver::start().await.unwrap();
        let token = |name: &str| Scripted::ok().body(format!(r#"{{"access_token":"{name}"}}"#));
        let client = OAuth2Client {
            token_url: receiver.url("/token"),
            client_id: "c".to_owned(),
            client_secret: Some(Secret::new("s")),
            scope: None,
            credentials_in_body: false,
        };
        let oauth2 = Some((WorkspaceId(1), Arc::new(client)));
        let outgoing = || Outgoing { oauth2: oauth2.clone(), ..outgoing(&receiver.url("/h")) };
        let refused = || Scripted::status(401);
        receiver.script([token("a"), Scripted::ok(), refused(), token("b"), refused()]);
        let transport = transport();
        assert_eq!(transport.send(outgoing()).await.unwrap().status, 200);
        assert_eq!(transport.send(outgoing()).await.unwrap().status, 401, "tried twice, not more");
        let seen = receiver.requests();
        let seen: Vec<_> = seen
            .iter()
            .map(|request| (request.path.as_str(), request.header("authorization")))
            .collect();
        let basic = "Basic Yzpz";
        let expected = [
            ("/token", basic),
            ("/h", "Bearer a"),
            ("/h", "Bearer a"),
            ("/token", basic),
            ("/h", "Bearer b"),
        ];
        assert_eq!(seen, expected);
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
    async fn a_status_that_came_is_an_answer_whatever_follows() {
        let receiver = Receiver::start().await.unwrap();
        let gone = || Scripted::close_mid_answer().with_status(410);
        receiver.script([Scripted::close_mid_answer(), gone()]);
        for status in [200, 410] {
            let answer = transport().send(outgoing(&receiver.url("/"))).await.unwrap();
            assert_eq!((answer.status, answer.broken.is_some()), (status, true));
        }
    }

    /// Answers with these bytes, and then says nothing more for as long as it is asked.
    async fn raw(answer: &'static str) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        tokio::spawn(async move {
            let mut open = Vec::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                let _ = stream.read(&mut [0; 4096]).await;
                let _ = stream.write_all(answer.as_bytes()).await;
                open.push(stream);
            }
        });
        url
    }

    #[tokio::test]
    async fn a_body_that_does_not_end_in_time_takes_nothing_from_the_status() {
        let url = raw("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok").await;
        let transport = HttpTransport { timeout: Duration::from_millis(300), ..transport() };
        let answer = transport.send(outgoing(&url)).await.unwrap();
        assert_eq!((answer.status, &answer.body[..]), (200, &b"ok"[..]));
        assert_eq!(answer.broken.as_deref(), Some("the rest did not come in time"));
    }

    #[tokio::test]
    async fn heads_that_only_stricter_readers_refuse_are_taken() {
        for head in [
            "X-A: a\r\n  b\r\n",
            "X-A : a  b\r\n",
            "Set-Cookie: a=b\x01c\r\nX-A: a  b\r\n",
            "X-\x01: c\r\nX-A: a  b\r\n",
        ] {
            let answer = format!("HTTP/1.1 202 Fine\r\n{head}Content-Length: 0\r\n\r\n");
            let url = raw(answer.leak()).await;
            let answer = transport().send(outgoing(&url)).await.unwrap();
            assert_eq!(answer.status, 202, "{head}");
            let value = answer.headers["x-a"].to_str().unwrap();
            let words: Vec<_> = value.split_ascii_whitespace().collect();
            assert_eq!(words, ["a", "b"], "{head}");
        }
        let many = (0..300).map(|n| format!("X-{n}: 1\r\n")).collect::<String>();
        let url = raw(format!("HTTP/1.1 202 Fine\r\n{many}Content-Length: 0\r\n\r\n").leak()).await;
        assert_eq!(transport().send(outgoing(&url)).await.unwrap().status, 202);
    }

    #[tokio::test]
    async fn no_head_of_an_answer_is_no_answer() {
        let receiver = Receiver::start().await.unwrap();
        receiver.script([Scripted::close(), Scripted::hang()]);
        let transport = HttpTransport { timeout: Duration::from_millis(300), ..transport() };
        let mut errors = Vec::new();
        for _ in 0..2 {
            errors.push(failure(transport.send(outgoing(&receiver.url("/"))).await));
        }
        assert_eq!(errors[0], "connection closed before message completed");
        assert_eq!(errors[1], "there was no answer within 0.3 s");
        assert!(transport.send(outgoing(&receiver.url("/"))).await.is_ok());
    }

    #[tokio::test]
    async fn nobody_listening_is_an_error_with_the_address() {
        let receiver = Receiver::start().await.unwrap();
        let (url, address) = (receiver.url("/"), receiver.address());
        drop(receiver);
        tokio::task::yield_now().await;
        let error = failure(transport().send(outgoing(&url)).await);
        assert!(error.contains(&address.to_string()), "{error}");
    }

    #[tokio::test]
    async fn the_guard_judges_at_the_connection() {
        let receiver = Receiver::start().await.unwrap();
        let transport = guarded_by(Guard::default());
        let error = failure(transport.send(outgoing(&receiver.url("/"))).await);
        assert_eq!(error, "127.0.0.1 is not allowed: it is in 127.0.0.0/8 (loopback)");
        assert_eq!(receiver.count(), 0);
    }
}
