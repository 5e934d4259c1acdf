//! The HTTP client: a pool of connections over the guarded connector.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::client::legacy;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::ClientConfig;

use super::connector::{ConnectError, Connector};
use super::policy::Guard;
use super::tls;

/// How long an unused connection is kept. Shorter than what common servers and balancers allow
/// (60 s and more), so that it is nearly always we who close.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// How many unused connections to one host are kept. An endpoint uses one at a time, so this many
/// endpoints with one host stay warm.
const IDLE_PER_HOST_MAX: usize = 64;

/// Sends requests to judged addresses only. HTTP/1.1, no redirects; cheap to clone.
#[derive(Clone)]
pub struct Client {
    inner: legacy::Client<Connector, Full<Bytes>>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Client")
    }
}

/// Why a request had no answer. The text is for the delivery log: it names what the guard refused or
/// what the system said.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct SendError(String);

impl Client {
    /// A client that trusts the system's root certificates. Fails when TLS cannot be set up.
    pub fn new(guard: Arc<Guard>) -> Result<Self, rustls::Error> {
        Ok(Self::with_tls(guard, tls::system_config()?))
    }

    fn with_tls(guard: Arc<Guard>, tls: Arc<ClientConfig>) -> Self {
        let inner = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_max_idle_per_host(IDLE_PER_HOST_MAX)
            .http1_title_case_headers(true)
            .build(Connector::new(guard, tls));
        Self { inner }
    }

    /// Sends a request and waits for the head of the answer. The caller bounds the time.
    pub async fn send(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, SendError> {
        self.inner.request(request).await.map_err(|error| SendError(explain(&error)))
    }
}

/// What went wrong, from the innermost cause that says something.
pub(crate) fn explain(error: &(dyn Error + 'static)) -> String {
    let mut cause = error;
    loop {
        if let Some(connect) = cause.downcast_ref::<ConnectError>() {
            return connect.to_string();
        }
        match cause.source() {
            Some(source) => cause = source,
            None => return cause.to_string(),
        }
    }
}
