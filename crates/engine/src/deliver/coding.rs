//! The kind of an endpoint's destination, and the coding of its bundles on the way there.

use hookyard_core::id::DatasetId;
use hookyard_core::model::{AuthKind, ContentEncoding, EndpointSettings, PayloadFormat};

/// A kind of destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DestinationKind {
    /// A receiver of HTTP requests.
    Http,
    /// A queue of Amazon SQS.
    Sqs,
    /// A dataset of the workspace.
    Dataset(DatasetId),
}

impl DestinationKind {
    /// The kind that the settings ask for.
    pub(super) fn of(settings: &EndpointSettings) -> Self {
        match settings.dataset() {
            Some(dataset) => Self::Dataset(dataset),
            None if settings.auth == AuthKind::AwsIam && settings.options.auth.is_none() => {
                Self::Sqs
            }
            None => Self::Http,
        }
    }
}

/// How a document becomes a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coding {
    /// The document itself is the body.
    Plain,
    /// Base64 of gzip, as text (docs/spec/ultracart.md#compressed-bodies).
    GzipText,
    /// Gzip, as a content encoding.
    Gzip,
}

/// The coding that an endpoint asks for. Text that is compressed already is not compressed again.
pub(super) fn coding(settings: &EndpointSettings) -> Coding {
    let as_text = settings.compress_events && settings.options.format == PayloadFormat::Bundle;
    match (DestinationKind::of(settings), as_text, settings.options.encoding) {
        // A row is text, whatever is said of requests.
        (DestinationKind::Dataset(_), ..) => Coding::Plain,
        (DestinationKind::Http | DestinationKind::Sqs, true, _) => Coding::GzipText,
        // A queue takes text only.
        (DestinationKind::Http, false, ContentEncoding::Gzip) => Coding::Gzip,
        (DestinationKind::Http | DestinationKind::Sqs, false, _) => Coding::Plain,
    }
}
