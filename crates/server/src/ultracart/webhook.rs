//! A webhook on the wire (docs/spec/ultracart.md#webhook), shaped by the reading client
//! (docs/spec/ultracart.md#generations).

use std::sync::Arc;

use hookyard_core::id::WorkspaceId;
use hookyard_core::model::{
    ApiVersion, Application, ApplicationSettings, AuthKind, Catalogue, Category, Endpoint,
    EventType, Scope, Secret, Subscription,
};
use hookyard_engine::endpoints::EndpointView;
use hookyard_store::{APPLICATIONS_MAX, Entity, StoreError};
use jiff::tz::TimeZone;
use serde::Serialize;

use super::answer::int32;
use super::auth::Caller;
use super::client::{Class, Client};
use super::dates;
use super::error::{ApiError, Subject};
use crate::App;

/// The text in place of a password, for callers with reading scopes only. Callers that send a webhook as
/// read send the mask back, and the mask changes nothing.
pub(super) const MASK: &str = "********";

/// The first version with `name` and `merchant_comments`.
const NAMES_SINCE: (u32, u32, u32) = (4, 1, 99);

/// The first version with `event_ruler`.
const RULES_SINCE: (u32, u32, u32) = (4, 0, 194);

/// The first version with `compress_events`.
const COMPRESSION_SINCE: (u32, u32, u32) = (4, 0, 80);

/// The conditions of an answer about webhooks, beside the webhooks.
pub(super) struct Shape {
    pub(super) client: Client,
    /// Whether the caller may change webhooks, and so may see the webhooks' passwords.
    pub(super) shows_passwords: bool,
    pub(super) catalogue: Arc<Catalogue>,
    pub(super) merchant: String,
    pub(super) time_zone: TimeZone,
    /// The workspace's applications; an application may have made a webhook.
    pub(super) applications: Vec<Application>,
    /// Whether unsubscribed events are shown, too.
    pub(super) placeholders: bool,
    /// The `api_version` in this request's body.
    pub(super) requested_version: Option<ApiVersion>,
    /// The `authentication_type` in this request's body.
    pub(super) requested_auth: Option<AuthKind>,
}

#[derive(Serialize)]
pub(super) struct Webhook<'a> {
    webhook_oid: i32,
    merchant_id: &'a str,
    webhook_url: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    merchant_comments: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    authentication_type: Option<AuthKind>,
    #[serde(skip_serializing_if = "Option::is_none")]
    basic_username: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    basic_password: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    iam_access_key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    api_version: Option<ApiVersion>,
    maximum_events: i32,
    maximum_size: i32,
    #[serde(skip_serializing_if = "Option::is_none")]
    compress_events: Option<bool>,
    disabled: bool,
    consecutive_failures: i32,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_retry_after: Option<String>,
    pending: i32,
    #[serde(skip_serializing_if = "Option::is_none")]
    application_profile: Option<ApplicationProfile<'a>>,
    event_categories: Vec<WebhookEventCategory<'a>>,
}

/// The application whose token registered a webhook.
#[derive(Serialize)]
struct ApplicationProfile<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    api_application_logo_url: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    application_description: Option<&'a str>,
    application_name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    developer_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    developer_website: Option<&'a str>,
}

impl<'a> ApplicationProfile<'a> {
    fn new(application: &'a Application) -> Self {
        let ApplicationSettings { name, developer, url, logo_url, description, .. } =
            &application.settings;
        Self {
            api_application_logo_url: logo_url.as_deref(),
            application_description: description.as_deref(),
            application_name: name,
            developer_name: developer.as_deref(),
            developer_website: url.as_deref(),
        }
    }
}

#[derive(Serialize)]
pub(super) struct WebhookEventCategory<'a> {
    event_category: &'a str,
    subscribed: bool,
    any_subscribed: bool,
    available_expansions: &'a [String],
    events: Vec<WebhookEventSubscription<'a>>,
}

#[derive(Serialize)]
struct WebhookEventSubscription<'a> {
    webhook_event_oid: i32,
    event_name: &'a str,
    event_description: &'a str,
    subscribed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    expansion: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_ruler: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    comments: Option<&'a str>,
    supports_reflow: bool,
    deprecated_flag: bool,
    discontinued_flag: bool,
}

impl Shape {
    /// The shape of answers to a caller about a workspace.
    pub(super) async fn new(
        app: &App,
        workspace: WorkspaceId,
        caller: &Caller,
    ) -> Result<Self, ApiError> {
        let reads = app.engine.of(workspace);
        let failed =
            |error: StoreError| ApiError::from_engine(error.into(), Subject::webhook("read"));
        let catalogue = reads.catalogue().await.map_err(failed)?;
        let found = reads.workspace().await.map_err(failed)?;
        let merchant = found.ok_or(StoreError::NotFound(Entity::Workspace)).map_err(failed)?;
        let applications = reads.applications(None, APPLICATIONS_MAX).await;
        Ok(Self {
            client: caller.client,
            shows_passwords: caller.may(Scope::WebhookWrite).is_ok(),
            catalogue,
            merchant: merchant.merchant,
            time_zone: app.settings.time_zone.clone(),
            applications: applications.map_err(failed)?,
            placeholders: false,
            requested_version: None,
            requested_auth: None,
        })
    }

    /// A webhook in the reader's form. The secret key for SQS is never shown.
    pub(super) fn webhook<'a>(&'a self, view: &'a EndpointView) -> Webhook<'a> {
        let EndpointView { endpoint, state } = view;
        let settings = &endpoint.settings;
        let knows = |since| self.client.knows(since);
        let names = |text: &'a Option<String>| text.as_deref().filter(|_| knows(NAMES_SINCE));
        // Nothing is tried again while the webhook is off.
        let backing_off = state.failures > 0 && !settings.disabled;
        let retry_at = state.retry_at.filter(|_| backing_off);
        Webhook {
            webhook_oid: endpoint.id.0,
            merchant_id: &self.merchant,
            webhook_url: &settings.url,
            name: names(&settings.name),
            merchant_comments: names(&settings.comments),
            authentication_type: self.authentication_type(settings.auth),
            basic_username: settings.basic_username.as_deref(),
            basic_password: settings.basic_password.as_ref().map(|secret| self.password(secret)),
            iam_access_key: settings.iam_access_key.as_deref(),
            api_version: self.api_version(),
            maximum_events: settings.maximum_events,
            maximum_size: settings.maximum_size,
            compress_events: knows(COMPRESSION_SINCE).then_some(settings.compress_events),
            disabled: settings.disabled,
            consecutive_failures: int32(state.failures),
            next_retry_after: retry_at.map(|at| dates::format(at, &self.time_zone)),
            pending: int32(state.pending),
            application_profile: self.maker(endpoint).map(ApplicationProfile::new),
            event_categories: self.categories(Some(endpoint)),
        }
    }

    /// Whether the caller sees a password of the webhook.
    pub(super) fn shows_password(&self, view: &EndpointView) -> bool {
        self.shows_passwords && view.endpoint.settings.basic_password.is_some()
    }

    fn password<'a>(&self, secret: &'a Secret) -> &'a str {
        if self.shows_passwords { secret.expose() } else { MASK }
    }

    /// The application whose token registered an endpoint, unless removed.
    fn maker(&self, endpoint: &Endpoint) -> Option<&Application> {
        let id = endpoint.application?;
        self.applications.iter().find(|application| application.id == id)
    }

    /// The whole catalogue, without subscriptions.
    pub(super) fn catalogue(&self) -> Vec<WebhookEventCategory<'_>> {
        self.categories(None)
    }

    /// Older clients fail on values newer than themselves (docs/spec/ultracart.md#trap-4). A client that
    /// sent the value in this request reads the value.
    fn authentication_type(&self, kind: AuthKind) -> Option<AuthKind> {
        let old = matches!(kind, AuthKind::None | AuthKind::Basic);
        let known = self.client.knows_new_auth_kinds() || self.requested_auth == Some(kind);
        (old || known).then_some(kind)
    }

    /// Each generation fails on the other generation's only value. Requests do not tell the two generations
    /// apart, unless the request itself carries a value (docs/spec/ultracart.md#trap-3).
    fn api_version(&self) -> Option<ApiVersion> {
        match self.client.class {
            Class::Legacy => self.requested_version,
            Class::Strict | Class::Modern => Some(ApiVersion::V20170301),
        }
    }

    fn categories<'a>(&'a self, endpoint: Option<&'a Endpoint>) -> Vec<WebhookEventCategory<'a>> {
        let categories = self.catalogue.categories.iter();
        let categories = categories.map(|category| {
            let shown = self.category(category, endpoint);
            // UltraCart has no such category: callers without placeholders get UltraCart's own answer.
            let placeholder = self.placeholders && !category.system;
            (placeholder || shown.any_subscribed).then_some(shown)
        });
        categories.flatten().collect()
    }

    fn category<'a>(
        &self,
        category: &'a Category,
        endpoint: Option<&'a Endpoint>,
    ) -> WebhookEventCategory<'a> {
        let events = category.event_types.iter().map(|kind| {
            let subscription = endpoint.and_then(|endpoint| endpoint.subscription(kind.id));
            self.event(kind, subscription.filter(|subscription| subscription.active))
        });
        let mut events: Vec<_> = events.collect();
        let subscribed = !events.is_empty() && events.iter().all(|event| event.subscribed);
        let any_subscribed = events.iter().any(|event| event.subscribed);
        events.retain(|event| self.placeholders || event.subscribed);
        WebhookEventCategory {
            event_category: &category.name,
            subscribed,
            any_subscribed,
            available_expansions: &category.expansions,
            events,
        }
    }

    fn event<'a>(
        &self,
        kind: &'a EventType,
        subscription: Option<&'a Subscription>,
    ) -> WebhookEventSubscription<'a> {
        let rule = subscription.and_then(|subscription| subscription.rule.as_deref());
        WebhookEventSubscription {
            webhook_event_oid: kind.id.0,
            event_name: &kind.name,
            event_description: &kind.description,
            subscribed: subscription.is_some(),
            expansion: subscription.and_then(|subscription| subscription.expansion.as_deref()),
            event_ruler: rule.filter(|_| self.client.knows(RULES_SINCE)),
            comments: subscription.and_then(|subscription| subscription.comments.as_deref()),
            supports_reflow: kind.supports_reflow,
            deprecated_flag: kind.deprecated,
            discontinued_flag: kind.discontinued,
        }
    }
}
