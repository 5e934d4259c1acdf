//! A real HTTP server whose answers are scripted.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};

/// One answer of a [`Receiver`].
#[derive(Debug, Clone)]
pub struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Bytes,
    delay: Duration,
    fault: Fault,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    /// Reads the request and never answers.
    Hang,
    /// Reads the request and closes the connection.
    Close,
    /// Closes the connection in the middle of the answer's body.
    CloseMidAnswer,
}

impl Answer {
    /// An empty answer with this status.
    pub fn status(status: u16) -> Self {
        let (headers, body) = (Vec::new(), Bytes::new());
        Self { status, headers, body, delay: Duration::ZERO, fault: Fault::None }
    }

    /// 200 with the body `ok`.
    pub fn ok() -> Self {
        Self::status(200).body("ok")
    }

    /// Reads the request and never answers.
    pub fn hang() -> Self {
        Self { fault: Fault::Hang, ..Self::ok() }
    }

    /// Reads the request and closes the connection without an answer.
    pub fn close() -> Self {
        Self { fault: Fault::Close, ..Self::ok() }
    }

    /// Starts an answer and closes the connection before the end of its body.
    pub fn close_mid_answer() -> Self {
        Self { fault: Fault::CloseMidAnswer, ..Self::ok() }
    }

    /// The same with this status.
    #[must_use]
    pub fn with_status(self, status: u16) -> Self {
        Self { status, ..self }
    }

    /// The same with a header more.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same with this body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    fn takes(&self) -> bool {
        self.fault == Fault::None && (200..300).contains(&self.status)
    }

    /// The same after a wait, on the machine's clock.
    #[must_use]
    pub fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }
}

/// One request that a [`Receiver`] got.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// Its method.
    pub method: String,
    /// Its path with the query.
    pub path: String,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
    /// Whether the answer was a whole 2xx.
    pub taken: bool,
}

impl Recorded {
    /// A header's value; empty when there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// A real HTTP server on a port of 127.0.0.1 that records requests and answers as a script says; with
/// 200 once the script has ended. It stops when it is dropped.
#[derive(Debug)]
pub struct Receiver {
    address: SocketAddr,
    shared: Arc<Shared>,
    server: AbortHandle,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// How many requests were recorded.
    count: watch::Sender<usize>,
}

#[derive(Debug, Default)]
struct State {
    script: VecDeque<Answer>,
    scripts: HashMap<String, VecDeque<Answer>>,
    default: Option<Answer>,
    /// What is answered on a path to requests whose body has a text.
    refusals: HashMap<String, (String, Answer)>,
    requests: Vec<Recorded>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records a request; what to answer.
    fn record(&self, mut request: Recorded) -> Answer {
        let mut state = self.state();
        let answer = state.answer(&request);
        request.taken = answer.takes();
        state.requests.push(request);
        self.count.send_replace(state.requests.len());
        answer
    }
}

impl State {
    fn answer(&mut self, request: &Recorded) -> Answer {
        let has = |text: &str| request.body.windows(text.len()).any(|part| part == text.as_bytes());
        if let Some((_, answer)) = self.refusals.get(&request.path).filter(|(text, _)| has(text)) {
            return answer.clone();
        }
        let own = self.scripts.get_mut(&request.path).and_then(VecDeque::pop_front);
        let answer = own.or_else(|| self.script.pop_front()).or_else(|| self.default.clone());
        answer.unwrap_or_else(Answer::ok)
    }
}

impl Receiver {
    /// Starts on a free port.
    pub async fn start() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let state = Mutex::default();
        let shared = Arc::new(Shared { state, count: watch::Sender::new(0) });
        let server = tokio::spawn(serve(listener, Arc::clone(&shared))).abort_handle();
        Ok(Self { address, shared, server })
    }

    /// The URL of a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Adds answers for the next requests, whatever their path.
    pub fn script(&self, answers: impl IntoIterator<Item = Answer>) {
        self.shared.state().script.extend(answers);
    }

    /// Adds answers for the next requests with this path and query. They go before the others.
    pub fn script_path(&self, path: &str, answers: impl IntoIterator<Item = Answer>) {
        self.shared.state().scripts.entry(path.to_owned()).or_default().extend(answers);
    }

    /// What to answer to requests with this path whose body has a text, before anything else.
    pub fn refuse(&self, path: &str, text: &str, answer: Answer) {
        self.shared.state().refusals.insert(path.to_owned(), (text.to_owned(), answer));
    }

    /// Refuses nothing on this path any more.
    pub fn forgive(&self, path: &str) {
        self.shared.state().refusals.remove(path);
    }

    /// What to answer once the scripts have ended.
    pub fn otherwise(&self, answer: Answer) {
        self.shared.state().default = Some(answer);
    }

    /// The requests so far, in the order they came.
    pub fn requests(&self) -> Vec<Recorded> {
        self.shared.state().requests.clone()
    }

    /// How many requests came so far.
    pub fn count(&self) -> usize {
        *self.shared.count.borrow()
    }

    /// Waits until this many requests have come; the requests so far, fewer when `timeout` is over.
    pub async fn wait_for(&self, count: usize, timeout: Duration) -> Vec<Recorded> {
        let mut counted = self.shared.count.subscribe();
        let _ = tokio::time::timeout(timeout, counted.wait_for(|got| *got >= count)).await;
        self.requests()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    // Dropped with this task, and then so are the connections.
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        while connections.try_join_next().is_some() {}
        let _ = stream.set_nodelay(true);
        let shared = Arc::clone(&shared);
        connections.spawn(async move {
            let service = service_fn(|request| answer(Arc::clone(&shared), request));
            let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            let _ = connection.await;
        });
    }
}

async fn answer(
    shared: Arc<Shared>,
    request: Request<Incoming>,
) -> Result<Response<ScriptedBody>, io::Error> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let path = head.uri.path_and_query().map(ToString::to_string).unwrap_or_default();
    let method = head.method.to_string();
    let answer =
        shared.record(Recorded { method, path, headers: head.headers, body, taken: false });
    if !answer.delay.is_zero() {
        tokio::time::sleep(answer.delay).await;
    }
    match answer.fault {
        Fault::Hang => std::future::pending().await,
        Fault::Close => return Err(io::Error::other("scripted")),
        Fault::None | Fault::CloseMidAnswer => {}
    }
    let mut response = Response::builder().status(answer.status);
    for (name, value) in &answer.headers {
        response = response.header(name, value);
    }
    let broken = answer.fault == Fault::CloseMidAnswer;
    let body = ScriptedBody { chunk: Some(answer.body), broken, flushed: false };
    response.body(body).map_err(io::Error::other)
}

/// One chunk, and then perhaps a failure in place of the end.
struct ScriptedBody {
    chunk: Option<Bytes>,
    broken: bool,
    flushed: bool,
}

impl Body for ScriptedBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if let Some(chunk) = self.chunk.take() {
            return Poll::Ready(Some(Ok(Frame::data(chunk))));
        }
        if !self.broken {
            return Poll::Ready(None);
        }
        if !std::mem::replace(&mut self.flushed, true) {
            // What was written so far leaves while the body has nothing to say.
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Some(Err(io::Error::other("scripted"))))
    }

    fn is_end_stream(&self) -> bool {
        !self.broken && self.chunk.as_ref().is_none_or(Bytes::is_empty)
    }

    fn size_hint(&self) -> hyper::body::SizeHint {
        let left = self.chunk.as_ref().map_or(0, Bytes::len) as u64;
        // A broken answer promises more than it sends.
        hyper::body::SizeHint::with_exact(left + if self.broken { 100 } else { 0 })
    }
}
