//! The form of an endpoint's requests.

use serde::{Deserialize, Serialize};

/// The form of a delivery's body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PayloadFormat {
    /// `{"events":[{"<type>":<object>}]}`, the form of UltraCart's webhooks.
    #[default]
    Bundle,
    /// `{"type":…,"timestamp":…,"data":<object>}`, the form that Standard Webhooks advises.
    Standard,
    /// The object alone.
    Data,
    /// A CloudEvent in structured mode.
    #[serde(rename = "cloudevents")]
    CloudEvents,
    /// A JSON array of CloudEvents (batched mode).
    #[serde(rename = "cloudevents-batch")]
    CloudEventsBatch,
    /// A CloudEvent in binary mode: the object as the body, the attributes in `ce-` headers.
    #[serde(rename = "cloudevents-binary")]
    CloudEventsBinary,
}

impl PayloadFormat {
    /// Whether a request has exactly one event.
    pub fn is_single(self) -> bool {
        !matches!(self, Self::Bundle | Self::CloudEventsBatch)
    }

    /// The media type of an uncompressed body.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Bundle => "application/json; charset=UTF-8",
            Self::Standard | Self::Data | Self::CloudEventsBinary => "application/json",
            Self::CloudEvents => "application/cloudevents+json",
            Self::CloudEventsBatch => "application/cloudevents-batch+json",
        }
    }
}

/// The method of an endpoint's requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum DeliveryMethod {
    /// `POST`.
    #[default]
    Post,
    /// `PUT`.
    Put,
    /// `PATCH`.
    Patch,
}

impl From<DeliveryMethod> for http::Method {
    fn from(method: DeliveryMethod) -> Self {
        match method {
            DeliveryMethod::Post => Self::POST,
            DeliveryMethod::Put => Self::PUT,
            DeliveryMethod::Patch => Self::PATCH,
        }
    }
}

/// The least and the most seconds that an exchange with a receiver may take. A place for sending is held for
/// so long, and a stop of the server waits for the exchange.
pub const TIMEOUT_SECONDS: std::ops::RangeInclusive<u8> = 1..=60;

/// The seconds that an exchange may take where the endpoint does not say (docs/spec/ultracart.md#algorithm).
pub const TIMEOUT_SECONDS_DEFAULT: u8 = 30;
