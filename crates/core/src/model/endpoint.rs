use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Audience, DisabledReason, EndpointCustomer, EndpointOptions, EndpointSecrets, Secret};
use crate::id::{ApplicationId, DatasetId, EndpointId, EventTypeId, WorkspaceId};

/// The `maximum_events` of an endpoint without a value (docs/spec/ultracart.md#choices).
pub const MAXIMUM_EVENTS_DEFAULT: i32 = 100;

/// The `maximum_size` of an endpoint without a value, in bytes, and the cap at delivery
/// (docs/spec/ultracart.md#choices).
pub const MAXIMUM_SIZE_DEFAULT: i32 = 900_000;

/// How a delivery proves the sender's identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum AuthKind {
    /// Not at all.
    #[default]
    #[serde(rename = "none")]
    None,
    /// HTTP basic with the endpoint's own user and password.
    #[serde(rename = "basic")]
    Basic,
    /// HTTP basic with the credentials of an API user.
    #[serde(rename = "api user")]
    ApiUser,
    /// Amazon SQS with the endpoint's IAM keys.
    #[serde(rename = "aws iam")]
    AwsIam,
}

/// The date of the object model requested by an endpoint. Each SDK generation knows exactly one date
/// (docs/spec/ultracart.md#trap-3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ApiVersion {
    /// SDKs up to 28 April 2017.
    #[serde(rename = "2016-10-01")]
    V20161001,
    /// SDKs from 6 May 2017.
    #[serde(rename = "2017-03-01")]
    V20170301,
}

/// The owner's choices for an endpoint, without the subscriptions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointSettings {
    /// The target, an absolute http or https URL.
    pub url: String,
    /// A name for people, at most 80 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// A note for people, at most 2,000 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comments: Option<String>,
    /// How deliveries prove the sender's identity.
    pub auth: AuthKind,
    /// The user of [`AuthKind::Basic`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basic_username: Option<String>,
    /// The password of [`AuthKind::Basic`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basic_password: Option<Secret>,
    /// The key of [`AuthKind::AwsIam`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iam_access_key: Option<String>,
    /// The secret of [`AuthKind::AwsIam`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iam_secret_key: Option<Secret>,
    /// The requested model date; absent means the latest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_version: Option<ApiVersion>,
    /// The most events of a bundle, as submitted.
    pub maximum_events: i32,
    /// The most bytes of a bundle, as submitted; capped at delivery.
    pub maximum_size: i32,
    /// Whether bundles are gzipped and sent as base64 text.
    pub compress_events: bool,
    /// Whether nothing is queued or sent.
    pub disabled: bool,
    /// Settings beyond the UltraCart API.
    #[serde(default)]
    pub options: EndpointOptions,
}

/// The start of an endpoint's target for events stored in a dataset; the dataset's number follows.
pub const DATASET_SCHEME: &str = "dataset:";

impl EndpointSettings {
    /// The settings of an endpoint with only a known target.
    pub fn to_url(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            name: None,
            comments: None,
            auth: AuthKind::None,
            basic_username: None,
            basic_password: None,
            iam_access_key: None,
            iam_secret_key: None,
            api_version: None,
            maximum_events: MAXIMUM_EVENTS_DEFAULT,
            maximum_size: MAXIMUM_SIZE_DEFAULT,
            compress_events: false,
            disabled: false,
            options: EndpointOptions::default(),
        }
    }

    /// The dataset for the events, if the target is a dataset. Such events are stored and not sent.
    pub fn dataset(&self) -> Option<DatasetId> {
        let number = self.url.strip_prefix(DATASET_SCHEME)?;
        let digits = number.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| number.parse().ok()).flatten()
    }

    /// The settings without secrets, and the secrets.
    pub fn split(mut self) -> (Self, EndpointSecrets) {
        let mut secrets = EndpointSecrets {
            basic_password: self.basic_password.take(),
            iam_secret_key: self.iam_secret_key.take(),
            ..EndpointSecrets::default()
        };
        self.options.take_secrets(&mut secrets);
        (self, secrets)
    }

    /// Undoes [`EndpointSettings::split`].
    pub fn join(mut self, secrets: EndpointSecrets) -> Self {
        let EndpointSecrets { basic_password, iam_secret_key, signing, headers, auth } = secrets;
        self.basic_password = basic_password;
        self.iam_secret_key = iam_secret_key;
        self.options.put_secrets(signing, headers, auth);
        self
    }
}

/// Endpoint x event type.
///
/// A cancelled subscription is kept with `active` false: events still in the queue go out with the old
/// expansion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscription {
    /// The event type.
    pub event_type: EventTypeId,
    /// Whether events of the type are queued for the endpoint.
    pub active: bool,
    /// The parts to send beyond the base object, exactly as submitted: a comma list of dotted paths.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expansion: Option<String>,
    /// A note for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comments: Option<String>,
    /// The rule for an event to match, exactly as submitted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
}

/// An outbound target with its subscriptions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// The endpoint's number.
    pub id: EndpointId,
    /// The owning workspace.
    pub workspace: WorkspaceId,
    /// The number of the revision: counts from 1 and grows with each change of settings and subscriptions. An
    /// attempt names the revision in use, to show the request in its original form later.
    pub revision: u32,
    /// When the endpoint was registered.
    pub created_at: Timestamp,
    /// Why Hookyard disabled the endpoint; `None` for an enabled endpoint, or after the owner disabled the
    /// endpoint.
    pub disabled_reason: Option<DisabledReason>,
    /// The application of the registering token.
    pub application: Option<ApplicationId>,
    /// The owning customer, fixed when the endpoint is made; `None` for an endpoint of the workspace's owner.
    pub customer: Option<EndpointCustomer>,
    /// The owner's choices.
    pub settings: EndpointSettings,
    /// The subscriptions, event types ascending.
    pub subscriptions: Vec<Subscription>,
}

impl Endpoint {
    /// The subscription to an event type, active or not.
    pub fn subscription(&self, event_type: EventTypeId) -> Option<&Subscription> {
        self.subscriptions.iter().find(|subscription| subscription.event_type == event_type)
    }

    /// Whether events for the audience may reach the endpoint at all.
    pub fn hears(&self, audience: &Audience) -> bool {
        self.customer.as_ref().is_none_or(|customer| customer.hears(audience))
    }

    /// Whether events of the type are queued for the endpoint now.
    pub fn wants(&self, event_type: EventTypeId) -> bool {
        !self.settings.disabled
            && self.subscription(event_type).is_some_and(|subscription| subscription.active)
    }
}
