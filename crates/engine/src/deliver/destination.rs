//! Where an endpoint's events go.
//!
//! Each kind of destination is a file with the same parts:
//!
//! - its settings, and the part that all its requests share (`target`);
//! - how a request is sent (`Sender::send`), with the outcome as an [`Answer`](super::outgoing::Answer),
//!   whose status the verdict judges alike for all destinations;
//! - the headers of a request in the delivery log (`logged_headers`).
//!
//! CONTRIBUTING.md says how to add a kind.

use ::http::HeaderValue;
use hookyard_core::model::{Endpoint, Header};

use super::api_user::ApiUser;
use super::coding::DestinationKind;
use super::outgoing::Outgoing;
use super::request::{Message, Template};

pub(super) mod dataset;
pub(super) mod http;
pub(super) mod sqs;

use self::dataset::Dataset;
use self::http::Http;
use self::sqs::Queue;

/// Where an endpoint's events go, with the means of the way there.
#[derive(Debug)]
pub(super) enum Destination {
    /// A receiver of HTTP requests.
    Http(Http),
    /// A queue of Amazon SQS.
    Sqs(Queue),
    /// A dataset of the workspace.
    Dataset(Dataset),
}

/// An endpoint's destination, and the part that all requests share.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) destination: Destination,
    template: Template,
}

impl Target {
    /// The target of an endpoint. Fails when nothing can be sent with its settings; the text is for
    /// the delivery log.
    pub(super) fn new(
        endpoint: &Endpoint,
        user_agent: &HeaderValue,
        api_user: Option<&ApiUser>,
    ) -> Result<Self, String> {
        let (destination, template) = match DestinationKind::of(&endpoint.settings) {
            DestinationKind::Http => {
                let (http, template) = http::target(endpoint, user_agent, api_user)?;
                (Destination::Http(http), template)
            }
            DestinationKind::Sqs => {
                let (queue, template) = sqs::target(endpoint, user_agent)?;
                (Destination::Sqs(queue), template)
            }
            DestinationKind::Dataset(id) => {
                let (dataset, template) = dataset::target(endpoint, id)?;
                (Destination::Dataset(dataset), template)
            }
        };
        Ok(Self { destination, template })
    }

    /// One request.
    pub(super) fn request(&self, message: Message<'_>) -> Outgoing {
        self.template.request(message)
    }

    /// The headers of a request as the log shows them: credentials are masked.
    pub(super) fn logged_headers(&self, request: &Outgoing) -> Vec<Header> {
        match &self.destination {
            Destination::Http(http) => http.logged_headers(request),
            Destination::Sqs(_) => sqs::logged_headers(request),
            Destination::Dataset(_) => dataset::logged_headers(request),
        }
    }
}

#[cfg(test)]
#[path = "destination_tests.rs"]
mod tests;
