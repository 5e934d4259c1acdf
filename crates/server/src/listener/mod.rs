//! Accepting connections and answering requests, without waiting for callers that do not move.

use std::convert::Infallible;
use std::future::{Future, ready};
use std::io::ErrorKind;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulConnection, GracefulShutdown, Watcher};
use ipnet::IpNet;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower::{Service, ServiceExt};

use crate::peer::Peer;
use crate::sandbox;
use crate::turned::Turned;

mod body;
mod connection;
mod heads;
mod pace;
mod places;
mod wire;

use body::{Answering, Arriving};
pub(crate) use connection::Connection;
use places::Places;
use wire::Wire;

/// Bytes of a head above the limits on its parts within which the answer still has the form of the path's
/// API. A head above this bound gets a bare 431.
const HEAD_BYTES_SPARE: usize = 16 << 10;

/// The most parsed headers of a request; more than [`crate::turned::HEADERS_MAX`] headers are refused.
const HEADERS_PARSED_MAX: usize = 256;

/// How long to wait after the system refused a connection for want of descriptors or memory, so that
/// the loop does not spin until some are free.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The pause between searches for a connection to close while all places are taken.
const SCARCE_PAUSE: Duration = Duration::from_millis(50);

/// How many connections are told at once why they are refused; more are closed without a word.
const REFUSALS_MAX: usize = 64;

/// The longest time for telling a caller of a refusal.
const REFUSAL_MAX: Duration = Duration::from_secs(5);

/// Bounds on callers' use of the server, and on slowness.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bounds {
    /// Connections at once. Each connection costs some 20 KiB. When nearly all places are taken,
    /// connections that wait for their callers are closed. While no connection waits, further callers wait
    /// in the system's backlog.
    pub connections_max: usize,
    /// Connections at once from one address (of IPv6, one /64); `None` for no bound. Trusted proxies are
    /// not counted.
    pub connections_per_address_max: Option<usize>,
    /// The longest path and query of a request, in bytes.
    pub uri_bytes_max: usize,
    /// The most bytes of names and values of a request's headers.
    pub header_bytes_max: usize,
    /// Bytes of all bodies of requests and answers under way; at least four of the largest body that is
    /// accepted, whatever is said here.
    pub body_bytes_total: usize,
    /// How long a connection may be idle between requests.
    pub idle: Duration,
    /// The longest time of a request's head, from first byte to last.
    pub head: Duration,
    /// In this time [`pace::BYTES_MIN`] of a body must arrive, or as much of an answer be read.
    pub stall: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            connections_max: 10_000,
            connections_per_address_max: Some(1_000),
            uri_bytes_max: 16 << 10,
            header_bytes_max: 32 << 10,
            body_bytes_total: 256 << 20,
            idle: Duration::from_secs(75),
            head: Duration::from_secs(15),
            stall: Duration::from_secs(30),
        }
    }
}

/// The answer to a request for a path that is turned away, in the form of the path's API.
pub(crate) type Refuse = fn(path: &str, turned: &Turned) -> Response<Body>;

/// Serves `router` on `listener` until `stop` resolves. Then takes no more connections, closes idle
/// connections and returns when the requests in flight are answered. Dropping the future gives up on the
/// requests in flight. `refuse` answers callers without a place.
pub(crate) async fn serve(
    listener: TcpListener,
    (router, refuse): (Router, Refuse),
    bounds: Bounds,
    trusted_proxies: Vec<IpNet>,
    stop: impl Future<Output = ()>,
) {
    let server = Server::new((router, refuse), bounds, trusted_proxies);
    let graceful = GracefulShutdown::new();
    let mut stop = pin!(stop);
    loop {
        let next = async { (server.room().await, accept(&listener).await) };
        let (room, (stream, address)) = tokio::select! {
            biased;
            () = &mut stop => break,
            next = next => next,
        };
        server.take(stream, address, room, graceful.watcher());
    }
    drop(listener);
    graceful.shutdown().await;
}

/// The state common to all connections.
struct Server {
    http: http1::Builder,
    bounds: Arc<Bounds>,
    router: Router,
    refuse: Refuse,
    connections: Arc<Semaphore>,
    places: Places,
    refusals: Arc<Semaphore>,
}

impl Server {
    fn new(
        (router, refuse): (Router, Refuse),
        bounds: Bounds,
        trusted_proxies: Vec<IpNet>,
    ) -> Self {
        let each = bounds.connections_per_address_max;
        let places = Places::new(bounds.connections_max, each, trusted_proxies);
        Self {
            http: protocol(&bounds),
            connections: Arc::new(Semaphore::new(bounds.connections_max)),
            bounds: Arc::new(bounds),
            router,
            refuse,
            places,
            refusals: Arc::new(Semaphore::new(REFUSALS_MAX)),
        }
    }

    /// Room for one more connection. Without room, connections that become idle are closed.
    async fn room(&self) -> Option<OwnedSemaphorePermit> {
        loop {
            let room = Arc::clone(&self.connections).acquire_owned();
            match tokio::time::timeout(SCARCE_PAUSE, room).await {
                Ok(room) => return room.ok(),
                Err(_) => self.places.make_room(),
            }
        }
    }

    /// Serves a connection in a task of its own.
    fn take(
        &self,
        stream: TcpStream,
        address: IpAddr,
        room: Option<OwnedSemaphorePermit>,
        watcher: Watcher,
    ) {
        let connection = Arc::new(Connection::default());
        let Some(place) = self.places.take(address, &connection) else {
            return self.refuse(stream, address);
        };
        let at = (stream, address, Arc::clone(&connection));
        let serving = watcher.watch(self.answer(&self.http, at, self.router.clone()));
        tokio::spawn(async move {
            let mut serving = pin!(serving);
            loop {
                tokio::select! {
                    biased;
                    result = &mut serving => break ended(result),
                    () = connection.is_asked_to_leave() => {
                        if connection.waits_since().is_some() {
                            tracing::debug!(%address, "closed a waiting connection for newcomers");
                            break;
                        }
                        place.stays();
                    }
                }
            }
            drop((room, place));
        });
    }

    /// Answers the first request of a caller with too many connections with the refusal.
    fn refuse(&self, stream: TcpStream, address: IpAddr) {
        let Ok(permit) = Arc::clone(&self.refusals).try_acquire_owned() else { return };
        tracing::debug!(%address, "too many connections from one address");
        let mut http = self.http.clone();
        http.keep_alive(false);
        let refuse = self.refuse;
        let service = tower::service_fn(move |request: Request<Body>| {
            let mut response = refuse(request.uri().path(), &Turned::Connections);
            sandbox::confine(response.headers_mut());
            ready(Ok(response))
        });
        let at = (stream, address, Arc::default());
        let connection = self.answer(&http, at, service);
        tokio::spawn(async move {
            if let Ok(result) = tokio::time::timeout(REFUSAL_MAX, connection).await {
                ended(result);
            }
            drop(permit);
        });
    }

    /// The requests of one connection, until either side ends it.
    fn answer<S>(
        &self,
        http: &http1::Builder,
        (stream, address, connection): (TcpStream, IpAddr, Arc<Connection>),
        service: S,
    ) -> impl GracefulConnection<Error = hyper::Error> + Send + 'static + use<S>
    where
        S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
        S: Clone + Send + 'static,
        S::Future: Send,
    {
        // An answer is written whole, so waiting for more to send only delays the answer. A refusal by the
        // system does no harm.
        let _ = stream.set_nodelay(true);
        let wire = Wire::new(stream, Arc::clone(&connection), Arc::clone(&self.bounds));
        let stall = self.bounds.stall;
        let service = service_fn(move |request: Request<Incoming>| {
            connection.began();
            let (mut parts, body) = request.into_parts();
            parts.extensions.insert(Peer(address));
            parts.extensions.insert(Arc::clone(&connection));
            let body = Body::new(Arriving::new(body, Arc::clone(&connection), stall));
            let answer = service.clone().oneshot(Request::from_parts(parts, body));
            let connection = Arc::clone(&connection);
            async move {
                let answer = answer.await?;
                Ok::<_, Infallible>(answer.map(|body| Answering::new(body, connection)))
            }
        });
        http.serve_connection(TokioIo::new(wire), service)
    }
}

fn protocol(bounds: &Bounds) -> http1::Builder {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        // The timeout includes the wait for the first byte. From the first byte on, the wire has a shorter
        // timeout.
        .header_read_timeout(bounds.idle.max(bounds.head))
        .max_headers(HEADERS_PARSED_MAX)
        .max_buf_size(bounds.uri_bytes_max + bounds.header_bytes_max + HEAD_BYTES_SPARE)
        // UltraCart's PHP client looks up `Retry-After` in exactly this spelling
        // (docs/spec/ultracart.md#trap-12).
        .title_case_headers(true);
    http
}

async fn accept(listener: &TcpListener) -> (TcpStream, IpAddr) {
    loop {
        match listener.accept().await {
            Ok((stream, address)) => return (stream, address.ip()),
            // The caller gave up before its turn.
            Err(error) if error.kind() == ErrorKind::ConnectionAborted => {}
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn ended(result: hyper::Result<()>) {
    if let Err(error) = result {
        tracing::debug!(%error, "a connection ended early");
    }
}
