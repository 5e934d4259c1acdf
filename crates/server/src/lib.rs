//! The HTTP surface: the compatible APIs, the native API and the receive path.
//!
//! Each API maps its own wire types to calls of the engine and the engine's errors to its own form;
//! no API uses another.
#![forbid(unsafe_code)]

use std::future::Future;
use std::sync::Arc;

use axum::http::HeaderValue;
use axum::{Router, middleware};
use hookyard_engine::Engine;
use hookyard_engine::deliver::USER_AGENT_DEFAULT;
use hookyard_engine::oauth::Lifetimes;
use hookyard_tables::{Tables, sql};
use ipnet::IpNet;
use tokio::net::TcpListener;

#[cfg(test)]
mod access_tests;
#[cfg(test)]
mod audit_tests;
mod body;
mod budget;
mod gate;
mod inbound;
#[cfg(test)]
mod limit_tests;
mod listener;
mod mammoth;
mod native;
mod peer;
mod probes;
mod problem;
mod public;
mod readiness;
mod request_log;
mod sandbox;
#[cfg(test)]
mod tenant_tests;
#[cfg(test)]
mod test_server;
mod turned;
mod ultracart;

use budget::Budget;
pub use listener::Bounds;
pub use native::audit_line;
use problem::{Code, Problem};
use readiness::Readiness;
use request_log::RequestLog;

/// The state common to all handlers.
#[derive(Clone)]
pub(crate) struct App {
    pub(crate) engine: Arc<Engine>,
    pub(crate) tables: Tables,
    pub(crate) settings: Arc<Settings>,
    pub(crate) budget: Arc<Budget>,
    pub(crate) readiness: Readiness,
    /// When the server started.
    pub(crate) started: jiff::Timestamp,
}

/// An operator's decisions about the HTTP surface.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The zone of the dates in UltraCart answers.
    pub time_zone: jiff::tz::TimeZone,
    /// The largest published event, in bytes.
    pub event_bytes_max: usize,
    /// The largest batch of published events, in bytes.
    pub batch_bytes_max: usize,
    /// The largest received delivery, in bytes, decoded.
    pub receive_bytes_max: usize,
    /// The proxies trusted to name a caller's address.
    pub trusted_proxies: Vec<IpNet>,
    /// The URL of this server for people, devices and senders, as in `https://hooks.example.com`, perhaps
    /// with a path, without a slash at the end. Without the setting, people and devices are led to the
    /// address of each request, and providers with signed URLs are refused.
    pub public_url: Option<String>,
    /// The `User-Agent` of deliveries, for samples of requests.
    pub user_agent: HeaderValue,
    /// How long OAuth2 tokens are good for.
    pub lifetimes: Lifetimes,
    /// How much callers may take of the server.
    pub bounds: Bounds,
    /// The bounds of a query.
    pub sql: sql::Limits,
}

impl Settings {
    /// The budget of bytes of all bodies under way: at least four of the largest that is accepted.
    fn body_bytes_total(&self) -> usize {
        let largest = self.event_bytes_max.max(self.batch_bytes_max).max(self.receive_bytes_max);
        self.bounds.body_bytes_total.max(largest.saturating_mul(budget::LARGEST_BODIES))
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            time_zone: jiff::tz::TimeZone::UTC,
            event_bytes_max: 1 << 20,
            batch_bytes_max: 10 << 20,
            receive_bytes_max: 10 << 20,
            trusted_proxies: Vec::new(),
            public_url: None,
            user_agent: USER_AGENT_DEFAULT,
            lifetimes: Lifetimes::default(),
            bounds: Bounds::default(),
            sql: sql::Limits::default(),
        }
    }
}

/// All routes of Hookyard.
pub fn router(engine: Arc<Engine>, tables: Tables, settings: Settings) -> Router {
    let settings = Arc::new(settings);
    let (clock, entropy) = (Arc::clone(engine.clock()), Arc::clone(engine.entropy()));
    let readiness = Readiness::new(Arc::clone(&engine), Arc::clone(&clock));
    let log = RequestLog::new(clock, entropy.as_ref(), Arc::clone(&settings));
    let budget = Budget::new(settings.body_bytes_total());
    let started = engine.clock().now();
    let app = App { engine, tables, settings, budget, readiness, started };
    Router::new()
        .merge(ultracart::router(&app))
        .merge(mammoth::router())
        .merge(inbound::router())
        .merge(native::router())
        .method_not_allowed_fallback(|| async {
            Problem::new(Code::MethodNotAllowed, "this path does not take this method")
        })
        .fallback(|| async { Problem::new(Code::NotFound, "there is nothing at this path") })
        .layer(middleware::from_fn_with_state(app.clone(), gate::pass))
        .layer(log)
        .with_state(app)
}

/// Serves `router` on `listener` until `stop` resolves. Then takes no more connections, closes idle
/// connections and returns when the requests in flight are answered. Dropping the future gives up on the
/// requests in flight.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    bounds: Bounds,
    trusted_proxies: Vec<IpNet>,
    stop: impl Future<Output = ()>,
) {
    listener::serve(listener, (router, gate::refuse), bounds, trusted_proxies, stop).await;
}
