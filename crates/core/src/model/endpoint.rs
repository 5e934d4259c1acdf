use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{DisabledReason, EndpointOptions, EndpointSecrets, Secret};
use crate::id::{ApplicationId, DatasetId, EndpointId, EventTypeId, WorkspaceId};

/// The `maximum_events` of an endpoint that does not say (docs/spec/ultracart.md#choices).
pub const MAXIMUM_EVENTS_DEFAULT: i32 = 100;

/// The `maximum_size` of an endpoint that does not say, in bytes, and the cap at delivery
/// (docs/spec/ultracart.md#choices).
pub const MAXIMUM_SIZE_DEFAULT: i32 = 900_000;

/// How a delivery proves who sent it.
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

/// The date of the object model that an endpoint asked for. Each SDK generation knows exactly one
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

/// What an endpoint's owner decides, without its subscriptions.
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
    /// How deliveries prove who sent them.
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
    /// The model date that was asked for; absent means the latest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_version: Option<ApiVersion>,
    /// The most events of one bundle, as submitted.
    pub maximum_events: i32,
    /// The most bytes of one bundle, as submitted; capped at delivery.
    pub maximum_size: i32,
    /// Whether bundles are gzipped and sent as base64 text.
    pub compress_events: bool,
    /// Whether nothing is queued or sent.
    pub disabled: bool,
    /// What the UltraCart API cannot say.
    #[serde(default)]
    pub options: EndpointOptions,
}

/// What the target of an endpoint begins with whose events land in a dataset; then comes its number.
pub const DATASET_SCHEME: &str = "dataset:";

impl EndpointSettings {
    /// The settings of an endpoint of which only the target is known.
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

    /// The dataset that events land in instead of being sent, where the target is one.
    pub fn dataset(&self) -> Option<DatasetId> {
        let number = self.url.strip_prefix(DATASET_SCHEME)?;
        let digits = number.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| number.parse().ok()).flatten()
    }

    /// The settings without their secrets, and the secrets.
    pub fn split(mut self) -> (Self, EndpointSecrets) {
        let mut secrets = EndpointSecrets {
            basic_password: self.basic_password.take(),
            iam_secret_key: self.iam_secret_key.take(),
            ..EndpointSecrets::default()
        };
        self.options.take_secrets(&mut secrets);
        (self, secrets)
    }

    /// What [`EndpointSettings::split`] took apart.
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
/// One that was cancelled is kept with `active` false: its events that are still queued go out with
/// the expansion that it had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscription {
    /// The event type.
    pub event_type: EventTypeId,
    /// Whether events of the type are queued for the endpoint.
    pub active: bool,
    /// What to send beyond the base object, exactly as submitted: a comma list of dotted paths.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expansion: Option<String>,
    /// A note for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comments: Option<String>,
    /// The rule that an event must match, exactly as submitted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
}

/// An outbound target with its subscriptions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Its number.
    pub id: EndpointId,
    /// The workspace that owns it.
    pub workspace: WorkspaceId,
    /// Counts the changes of settings and subscriptions, from 1. An attempt names the revision it
    /// was made with, so that its request can be shown as it was.
    pub revision: u32,
    /// When it was registered.
    pub created_at: Timestamp,
    /// Why Hookyard disabled it; `None` while it is enabled, or when its owner disabled it.
    pub disabled_reason: Option<DisabledReason>,
    /// The application whose token registered it.
    pub application: Option<ApplicationId>,
    /// What its owner decided.
    pub settings: EndpointSettings,
    /// Its subscriptions, event types ascending.
    pub subscriptions: Vec<Subscription>,
}

impl Endpoint {
    /// The subscription to an event type, active or not.
    pub fn subscription(&self, event_type: EventTypeId) -> Option<&Subscription> {
        self.subscriptions.iter().find(|subscription| subscription.event_type == event_type)
    }

    /// Whether events of the type are queued for this endpoint now.
    pub fn wants(&self, event_type: EventTypeId) -> bool {
        !self.settings.disabled
            && self.subscription(event_type).is_some_and(|subscription| subscription.active)
    }
}
