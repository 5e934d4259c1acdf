//! Taking connections and answering requests on them.

use std::future::Future;
use std::io::ErrorKind;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tower::ServiceExt;

use crate::peer::Peer;

/// The most connections at once. Each costs some 20 KiB, so all of them about 200 MiB; further
/// callers wait in the system's backlog.
const CONNECTIONS_MAX: usize = 10_000;

/// How long a connection may take to send the head of a request, the wait for its first byte
/// included: long enough for clients that keep connections between calls, short enough that silent
/// ones do not hold the places of others.
const HEAD_MAX: Duration = Duration::from_secs(75);

/// A request's head with more bytes is refused with 431, at the latest at twice as many: hyper looks
/// after each read, and a read may bring as much again. The longest that a known client sends is a
/// list with all filters, below 4 KiB; proxies commonly let 32 KiB through.
const HEAD_BYTES_MAX: usize = 32 << 10;

/// The most headers of a request: hyper's own default, named here because it is a promise.
const HEADERS_MAX: usize = 100;

/// How long to wait after the system refused a connection for want of descriptors or memory, so that
/// the loop does not spin until some are free.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves `router` on `listener` until `stop` resolves, then takes no more connections, closes the
/// idle ones and returns when the requests in flight are answered. Dropping the future gives up on
/// waiting for them.
pub async fn serve(listener: TcpListener, router: Router, stop: impl Future<Output = ()>) {
    let http = protocol();
    let graceful = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut stop = pin!(stop);
    loop {
        let next = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (place, accept(&listener).await)
        };
        let (place, (stream, peer)) = tokio::select! {
            biased;
            () = &mut stop => break,
            next = next => next,
        };
        let connection = answer(&http, stream, peer, router.clone(), graceful.watcher());
        tokio::spawn(async move {
            connection.await;
            drop(place);
        });
    }
    drop(listener);
    graceful.shutdown().await;
}

fn protocol() -> http1::Builder {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(HEAD_MAX)
        .max_headers(HEADERS_MAX)
        .max_buf_size(HEAD_BYTES_MAX)
        // UltraCart's PHP client looks up `Retry-After` in just this spelling (spec, trap 12).
        .title_case_headers(true);
    http
}

async fn accept(listener: &TcpListener) -> (TcpStream, Peer) {
    loop {
        match listener.accept().await {
            Ok((stream, address)) => return (stream, Peer(address.ip())),
            // The caller gave up before it was its turn.
            Err(error) if error.kind() == ErrorKind::ConnectionAborted => {}
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Answers the requests of one connection until either side ends it.
fn answer(
    http: &http1::Builder,
    stream: TcpStream,
    peer: Peer,
    router: Router,
    watcher: Watcher,
) -> impl Future<Output = ()> + Send + 'static {
    // An answer is written whole, so waiting for more to send only delays it. It is no harm when the
    // system refuses.
    let _ = stream.set_nodelay(true);
    let service = router.map_request(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer);
        request
    });
    let connection = http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
    let connection = watcher.watch(connection);
    async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection ended early");
        }
    }
}
