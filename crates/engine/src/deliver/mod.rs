//! Delivering: claim, render, send, settle.
//!
//! [`Dispatcher`] finds the endpoints that have something to do and works on each in a separate task. The
//! work is [`Deliverer::step`], again and again: read the head of the queue, render a bundle, send the
//! bundle, record the attempt. An endpoint takes its bundles [one by one](one_by_one) or in several [`lanes`]
//! at a time; each bundle goes to the endpoint's [`destination`]. The store holds all truth about a queue.
//! The state kept here can be lost at any moment, and then at most the bundles in flight are sent twice.

use std::sync::Arc;

use crate::Engine;

mod api_user;
mod attempt;
mod coding;
mod common;
mod consequences;
mod deliverer;
mod destination;
mod dispatch;
mod lanes;
mod limits;
mod oauth;
mod one_by_one;
mod options;
mod outgoing;
mod plan;
pub mod render;
mod request;
mod shortage;
mod step;
mod throttle;
mod trace;
mod transport;
mod verdict;
mod waits;
mod warn;
mod worker;

pub use api_user::{ApiUser, ApiUserHost};
pub(crate) use attempt::LOGGED_CHARACTERS_MAX;
pub use deliverer::Deliverer;
pub use destination::http::Http;
pub use destination::sqs::Queue;
pub use dispatch::Dispatcher;
pub use limits::CONNECTIONS_DEFAULT;
pub use options::{DISABLE_AFTER_DEFAULT, Options, USER_AGENT_DEFAULT};
pub use outgoing::{Answer, Outgoing, Unanswered};
pub use request::request_headers;
pub use step::Step;
pub use transport::{NetTransport, Transport};
pub use worker::Worker;

/// Starts delivering the queued events of the engine's store, over the network, on the current runtime. Fails
/// when TLS cannot be set up.
pub fn start(engine: &Engine, options: Options) -> Result<Dispatcher, rustls::Error> {
    let transport = NetTransport::new(
        Arc::clone(engine.guard()),
        engine.clock(),
        options.sqs_endpoint_url.as_ref(),
        options.connections_max,
    )?;
    Ok(Dispatcher::start(Arc::new(Deliverer::new(engine, Arc::new(transport), options))))
}
