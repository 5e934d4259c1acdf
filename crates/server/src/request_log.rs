//! The frame of every request: the log line, the id, the actor, the deadline, an answer even when a handler
//! panics, and the limits on browsers' use of the answer.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use hookyard_core::clock::Clock;
use hookyard_core::entropy::{self, Entropy};
use hookyard_store::Actor;
use tower::{Layer, Service};

use crate::probes::{LIVEZ, READYZ};
use crate::problem::{Code, Problem};
use crate::{Settings, peer, sandbox};

/// The header with the request's id for the caller. Mammoth's clients put the id into their exceptions
/// (docs/spec/mammoth.md#clients).
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The longest id that is taken from a caller: room for a UUID or a trace id, with a prefix.
const REQUEST_ID_LENGTH_MAX: usize = 128;

/// UltraCart's own header for the same id: the log line has this id where an answer has the header.
const ULTRACART_REQUEST_ID: HeaderName = HeaderName::from_static("x-ultracart-request-id");

/// The most time from the head of a request to the head of its answer. The largest body takes 40 seconds at
/// 2 Mbit/s; a caller slower than a quarter of this rate holds memory for nobody.
const REQUEST_MAX: Duration = Duration::from_secs(180);

/// Digits of the part of request ids that tells processes apart.
const PROCESS_DIGITS: usize = 12;

/// Puts [`Logged`] around a service.
#[derive(Clone)]
pub(crate) struct RequestLog {
    clock: Arc<dyn Clock>,
    ids: Arc<RequestIds>,
    settings: Arc<Settings>,
}

impl RequestLog {
    pub(crate) fn new(
        clock: Arc<dyn Clock>,
        entropy: &dyn Entropy,
        settings: Arc<Settings>,
    ) -> Self {
        let ids =
            RequestIds { process: entropy::hex(entropy, PROCESS_DIGITS), last: AtomicU64::new(0) };
        Self { clock, ids: Arc::new(ids), settings }
    }
}

/// Request ids without a random draw for each id: the random part is drawn once, and the rest counts.
struct RequestIds {
    process: String,
    last: AtomicU64,
}

impl RequestIds {
    fn next(&self) -> HeaderValue {
        let number = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        let id = format!("{}{number:08x}", self.process);
        // Hexadecimal digits are always a header value.
        HeaderValue::try_from(id).unwrap_or_else(|_| HeaderValue::from_static("-"))
    }
}

impl<S> Layer<S> for RequestLog {
    type Service = Logged<S>;

    fn layer(&self, inner: S) -> Logged<S> {
        Logged { inner, log: self.clone() }
    }
}

/// A service with one log line for every request.
#[derive(Clone)]
pub(crate) struct Logged<S> {
    inner: S,
    log: RequestLog,
}

impl<S> Service<Request> for Logged<S>
where
    S: Service<Request, Response = Response, Error = Infallible, Future: Send + 'static>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response, Infallible>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let line = Line::begin(&self.log, &request);
        let address = peer::caller(&request, &self.log.settings.trusted_proxies);
        let id = line.id.to_str().unwrap_or_default().to_owned();
        let actor = Actor::request(self.log.clock.now(), address, id);
        let asked = Arc::clone(&actor).scope(self.inner.call(request));
        let answer = AssertUnwindSafe(asked).catch_unwind();
        Box::pin(async move {
            let mut response = match tokio::time::timeout(REQUEST_MAX, answer).await {
                Ok(Ok(Ok(response))) => response,
                Ok(Err(_)) => {
                    // The panic's own message went to the standard error output already.
                    tracing::error!(request_id = ?line.id, "a handler panicked");
                    Problem::new(Code::Internal, "the server failed; its log says why")
                        .into_response()
                }
                Err(_) => Problem::new(Code::Timeout, "the request took too long to arrive")
                    .into_response(),
            };
            line.end(&mut response, &actor);
            sandbox::confine(response.headers_mut());
            Ok(response)
        })
    }
}

/// A request's line in the making.
struct Line {
    id: HeaderValue,
    /// Data for the log line only; `None` for a request without a log line.
    logged: Option<Logging>,
}

struct Logging {
    clock: Arc<dyn Clock>,
    began: Duration,
    method: Method,
    route: Option<MatchedPath>,
}

impl Line {
    fn begin(log: &RequestLog, request: &Request) -> Self {
        let logged = tracing::enabled!(tracing::Level::WARN).then(|| Logging {
            clock: Arc::clone(&log.clock),
            began: log.clock.monotonic(),
            method: request.method().clone(),
            route: request.extensions().get().cloned(),
        });
        let id = incoming(request).unwrap_or_else(|| log.ids.next());
        Self { id, logged }
    }

    /// Sets the request's id in the answer and logs the id. The route is the matched pattern, never the
    /// path, which may hold a source's key.
    fn end(self, response: &mut Response, actor: &Actor) {
        if let Some(logging) = self.logged {
            let shown = response.headers().get(ULTRACART_REQUEST_ID).unwrap_or(&self.id);
            logging.log(response.status(), shown, actor);
        }
        response.headers_mut().insert(REQUEST_ID, self.id);
    }
}

/// The caller's own id for the request, if short and made of characters without a special meaning in logs
/// and shells.
fn incoming(request: &Request) -> Option<HeaderValue> {
    let id = request.headers().get(REQUEST_ID)?;
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.:/+=@".contains(byte);
    let sane =
        (1..=REQUEST_ID_LENGTH_MAX).contains(&id.len()) && id.as_bytes().iter().all(is_plain);
    sane.then(|| id.clone())
}

impl Logging {
    fn log(&self, status: StatusCode, id: &HeaderValue, actor: &Actor) {
        let route = self.route.as_ref().map_or("unmatched", MatchedPath::as_str);
        let took = self.clock.monotonic().saturating_sub(self.began);
        let elapsed_ms = took.as_micros() as f64 / 1000.0;
        let method = self.method.as_str();
        let request_id = id.to_str().unwrap_or_default();
        let status = status.as_u16();
        let address = actor.address.map(tracing::field::display);
        let credential = actor.credential().map(|(id, _)| id.0);
        macro_rules! line {
            ($level:ident) => {
                tracing::$level!(
                    method, route, status, elapsed_ms, request_id, address, credential, "request"
                )
            };
        }
        if status >= 500 {
            line!(warn);
        } else if matches!(route, LIVEZ | READYZ) {
            line!(debug);
        } else {
            line!(info);
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::Body;
    use axum::routing::get;
    use hookyard_testkit::{SeededEntropy, SimClock};
    use tower::ServiceExt;

    use super::*;

    async fn call(request: Request) -> Response {
        let clock = Arc::new(SimClock::default());
        Router::new()
            .route("/fine", get(|| async { "fine" }))
            .route("/panic", get(crash))
            .route("/stuck", get(std::future::pending::<()>))
            .layer(RequestLog::new(clock, &SeededEntropy::new(1), Arc::default()))
            .oneshot(request)
            .await
            .unwrap()
    }

    async fn crash() -> &'static str {
        panic!("a bug")
    }

    fn request(path: &str) -> Request {
        Request::get(path).body(Body::empty()).unwrap()
    }

    #[tokio::test]
    async fn a_panic_is_answered() {
        let response = call(request("/panic")).await;
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(response.headers()["content-type"], "application/problem+json");
        assert!(response.headers().contains_key(REQUEST_ID));
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_takes_too_long_is_answered() {
        let response = call(request("/stuck")).await;
        assert_eq!(response.status(), StatusCode::REQUEST_TIMEOUT);
    }

    #[tokio::test]
    async fn every_answer_names_a_request_id() {
        let own = call(request("/fine")).await;
        assert_eq!(own.headers()[REQUEST_ID].len(), PROCESS_DIGITS + 8);
        for (sent, kept) in [("abc-1", true), ("a b", false), (&"x".repeat(1000), false)] {
            let mut request = request("/fine");
            request.headers_mut().insert(REQUEST_ID, HeaderValue::from_str(sent).unwrap());
            assert_eq!(call(request).await.headers()[REQUEST_ID] == sent, kept, "{sent}");
        }
    }
}
