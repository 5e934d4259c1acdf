//! Delivering: claim, render, send, settle.
//!
//! [`Dispatcher`] finds the endpoints that have something to do and works on each in its own task.
//! The work is [`Deliverer::step`], again and again: read the head of the queue, render a bundle,
//! send it, record the attempt. Everything that is true about a queue is in the store; what is kept
//! here can be lost at any moment, and then at most the bundles in flight are sent twice.

use std::sync::Arc;

use crate::Engine;

mod dispatch;
mod limits;
pub mod render;
mod request;
mod step;
mod throttle;
mod transport;
mod verdict;
mod warn;

pub use dispatch::Dispatcher;
pub use request::request_headers;
pub use step::{Deliverer, Step, Worker};
pub use transport::{Answer, HttpTransport, Outgoing, Transport};

/// Starts delivering what is queued in the engine's store, over HTTP, on the current runtime. Fails
/// when TLS cannot be set up.
pub fn start(engine: &Engine) -> Result<Dispatcher, rustls::Error> {
    let transport = Arc::new(HttpTransport::new(Arc::clone(engine.guard()))?);
    Ok(Dispatcher::start(Arc::new(Deliverer::new(engine, transport))))
}
