//! Sending one request to its destination.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use hookyard_core::clock::Clock;
use hookyard_core::model::TIMEOUT_SECONDS_DEFAULT;
use url::Url;

use super::destination::http::{self, Http};
use super::destination::sqs::{self, Queue};
use super::destination::{Destination, dataset};
use super::limits::HUNG_AFTER;
use super::oauth;
use super::outgoing::{Answer, Deadline, Outgoing, Unanswered};
use crate::net::{Client, Guard, Sockets};

// A kept token is good until its request ends, unless the endpoint gives the receiver more time. A token
// that ends meanwhile is fetched anew.
const _: () = assert!(oauth::MARGIN.as_secs() >= TIMEOUT_SECONDS_DEFAULT as u64);
// A receiver that never answers is known to hang, unless the endpoint gives it less time.
const _: () = assert!(HUNG_AFTER.as_secs() < TIMEOUT_SECONDS_DEFAULT as u64);

/// The ways out of this server, one method for each destination outside. Tests script a transport.
///
/// Each method reads the answer in a bounded time. An answer of any status is `Ok`, also when the answer
/// breaks off after its head: the receiver has said how the request ended.
#[async_trait]
pub trait Transport: fmt::Debug + Send + Sync {
    /// Sends a request over HTTP.
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
        Ok(Self { http, sqs })
    }
}

#[async_trait]
impl Transport for NetTransport {
    async fn post(&self, to: &Http, request: Outgoing) -> Result<Answer, Unanswered> {
        let deadline = Deadline::after(request.timeout);
        self.http.send(to, request, deadline).await
    }

    async fn enqueue(&self, to: &Queue, request: Outgoing) -> Result<Answer, Unanswered> {
        Deadline::after(request.timeout).bound(self.sqs.send(to, request)).await
    }
}

#[cfg(test)]
#[path = "transport_tests.rs"]
mod tests;
