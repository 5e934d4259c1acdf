//! Delivering: claim, render, send, settle.
//!
//! [`Dispatcher`] finds the endpoints that have something to do and works on each in its own task.
//! The work is [`Deliverer::step`], again and again: read the head of the queue, render a bundle,
//! send it, record the attempt. Everything that is true about a queue is in the store; what is kept
//! here can be lost at any moment, and then at most the bundles in flight are sent twice.

use std::sync::Arc;
use std::time::Duration;

use hookyard_core::id::WorkspaceId;
use url::Url;

use crate::Engine;

mod api_user;
mod attempt;
mod consequences;
mod dispatch;
mod landing;
mod lanes;
mod limits;
mod oauth;
mod plan;
pub mod render;
mod request;
mod shortage;
mod sqs;
mod step;
mod throttle;
mod trace;
mod transport;
mod verdict;
mod waits;
mod warn;

pub use api_user::{ApiUser, ApiUserHost};
pub use dispatch::Dispatcher;
pub use landing::Landing;
pub use limits::CONNECTIONS_DEFAULT;
pub use request::request_headers;
pub use step::{Deliverer, Step, Worker};
pub use transport::{Answer, HttpTransport, Outgoing, Transport, Unanswered};

/// How long an endpoint may take nothing before it is disabled, unless the operator says otherwise:
/// five days, a long weekend and a working day to notice.
pub const DISABLE_AFTER_DEFAULT: Duration = Duration::from_secs(5 * 24 * 60 * 60);

/// What the operator decides about delivering.
#[derive(Debug, Clone)]
pub struct Options {
    /// The API user, and the one workspace it belongs to: endpoints of others never see it.
    pub api_user: Option<(WorkspaceId, ApiUser)>,
    /// Where all requests to Amazon SQS go instead of the queues' own hosts.
    pub sqs_endpoint_url: Option<Url>,
    /// How long an endpoint may take nothing before it is disabled; `None` for ever.
    pub disable_after: Option<Duration>,
    /// Connections to receivers at once. Each is an open file.
    pub connections_max: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            api_user: None,
            sqs_endpoint_url: None,
            disable_after: Some(DISABLE_AFTER_DEFAULT),
            connections_max: CONNECTIONS_DEFAULT,
        }
    }
}

/// Starts delivering what is queued in the engine's store, over HTTP, on the current runtime. Fails
/// when TLS cannot be set up.
pub fn start(engine: &Engine, options: Options) -> Result<Dispatcher, rustls::Error> {
    let transport = HttpTransport::new(
        Arc::clone(engine.guard()),
        engine.clock(),
        options.sqs_endpoint_url.as_ref(),
        options.connections_max,
    )?;
    Ok(Dispatcher::start(Arc::new(Deliverer::new(engine, Arc::new(transport), options))))
}
