//! Sending one request to its destination.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use hookyard_core::clock::Clock;
use url::Url;

use super::destination::http::{self, Http};
use super::destination::sqs::{self, Queue};
use super::destination::{Destination, dataset};
use super::limits::HUNG_AFTER;
use super::oauth;
use super::outgoing::{Answer, Deadline, Outgoing, Unanswered};
use crate::net::{Client, Guard, Sockets};

/// From the first look-up to the end of the answer (docs/spec/ultracart.md#algorithm).
const EXCHANGE_TIMEOUT: Duration = Duration::from_secs(30);

// A kept token is good until its request ends.
const _: () = assert!(oauth::MARGIN.as_secs() >= EXCHANGE_TIMEOUT.as_secs());
// A receiver that never answers is known to hang.
const _: () = assert!(HUNG_AFTER.as_secs() < EXCHANGE_TIMEOUT.as_secs());

/// The ways out of this server, one method for each destination outside. Tests script a transport.
///
/// Each method reads the answer in a bounded time. An answer of any status is `Ok`, also when the answer
/// breaks off after its head: the receiver has said how the request ended.
#[async_trait]
pub trait Transport: fmt::Debug + Send + Sync {
    /// Posts a request.
    async fn post(&self, to: &Http, request: Outgoing) -> Result<Answer, Unanswered>;

    /// Puts a request into a queue, as a message.
    async fn enqueue(&self, to: &Queue, request: Outgoing) -> Result<Answer, Unanswered>;
}

/// The senders of all destinations.
#[derive(Debug)]
pub(super) struct Senders {
    outside: Arc<dyn Transport>,
    datasets: dataset::Sender,
}

impl Senders {
    pub(super) fn new(outside: Arc<dyn Transport>, datasets: dataset::Sender) -> Self {
        Self { outside, datasets }
    }

    pub(super) async fn send(
        &self,
        to: &Destination,
        request: Outgoing,
    ) -> Result<Answer, Unanswered> {
        match to {
            Destination::Http(http) => self.outside.post(http, request).await,
            Destination::Sqs(queue) => self.outside.enqueue(queue, request).await,
            Destination::Dataset(dataset) => self.datasets.send(dataset, request).await,
        }
    }
}

/// The network, by the guarded client.
#[derive(Debug)]
pub struct NetTransport {
    http: http::Sender,
    sqs: sqs::Sender,
    timeout: Duration,
}

impl NetTransport {
    /// A transport that connects to the addresses that the guard allows, with so many connections at once.
    /// `sqs_endpoint_url` takes the place of all queues' hosts. Fails when TLS cannot be set up.
    pub fn new(
        guard: Arc<Guard>,
        clock: &Arc<dyn Clock>,
        sqs_endpoint_url: Option<&Url>,
        connections_max: usize,
    ) -> Result<Self, rustls::Error> {
        let sockets = Sockets::new(connections_max);
        let client = Client::new(Arc::clone(&guard), &sockets)?;
        let sqs = sqs::Sender::new(client.clone(), Arc::clone(clock), sqs_endpoint_url.cloned());
        let http = http::Sender::new(client, guard, &sockets, Arc::clone(clock))?;
        Ok(Self { http, sqs, timeout: EXCHANGE_TIMEOUT })
    }
}

#[async_trait]
impl Transport for NetTransport {
    async fn post(&self, to: &Http, request: Outgoing) -> Result<Answer, Unanswered> {
        self.http.send(to, request, Deadline::after(self.timeout)).await
    }

    async fn enqueue(&self, to: &Queue, request: Outgoing) -> Result<Answer, Unanswered> {
        Deadline::after(self.timeout).bound(self.sqs.send(to, request)).await
    }
}

#[cfg(test)]
#[path = "transport_tests.rs"]
mod tests;
