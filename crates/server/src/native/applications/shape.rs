//! An application on the wire.

use hookyard_core::id::{ApplicationId, CredentialId, GrantId, WorkspaceId};
use hookyard_core::model::{
    Application as CoreApplication, ApplicationSettings, Grant as CoreGrant, GrantVia, Scope,
};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::native::scope::{self, ScopeName};

/// An OAuth2 client of the workspace, let in by people.
#[derive(Serialize, ToSchema)]
pub(super) struct Application<'a> {
    /// The application's number.
    id: i32,
    /// The public name in OAuth2 requests.
    client_id: &'a str,
    /// When the application was registered.
    created_at: Timestamp,
    /// The name shown to people.
    name: &'a str,
    /// The application's maker.
    #[serde(skip_serializing_if = "Option::is_none")]
    developer: Option<&'a str>,
    /// Where people read more about the application.
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<&'a str>,
    /// A picture of the application.
    #[serde(skip_serializing_if = "Option::is_none")]
    logo_url: Option<&'a str>,
    /// The application's purpose.
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    /// The redirect URIs; a request names a redirect URI exactly, to the character.
    redirect_uris: &'a [String],
    /// The widest scopes of the application's tokens.
    scopes: Vec<ScopeName>,
    /// Whether every authorization must come with a PKCE challenge.
    require_pkce: bool,
    /// Whether devices without a browser may ask.
    device_flow: bool,
    /// Whether the application may do nothing for now.
    disabled: bool,
}

impl<'a> Application<'a> {
    pub(super) fn new(application: &'a CoreApplication) -> Self {
        let CoreApplication { id, workspace: _, client_id, created_at, scopes, disabled, settings } =
            application;
        // The pattern is exhaustive: a new setting needs a decision here about how to show the value.
        let ApplicationSettings {
            name,
            developer,
            url,
            logo_url,
            description,
            redirect_uris,
            require_pkce,
            device_flow,
        } = settings;
        Self {
            id: id.0,
            client_id,
            created_at: *created_at,
            name,
            developer: developer.as_deref(),
            url: url.as_deref(),
            logo_url: logo_url.as_deref(),
            description: description.as_deref(),
            redirect_uris,
            scopes: scope::names(*scopes),
            require_pkce: *require_pkce,
            device_flow: *device_flow,
            disabled: *disabled,
        }
    }
}

/// A person's consent to an application, with all resulting tokens.
#[derive(Serialize, ToSchema)]
pub(super) struct Grant {
    /// The grant's number.
    id: i32,
    /// How the application came to the grant.
    via: ViaBody,
    /// The scopes granted.
    scopes: Vec<ScopeName>,
    /// The number of the credential by which the person proved an identity.
    approved_by: i32,
    /// When the grant's first token was given out.
    created_at: Timestamp,
    /// When the grant's newest token was given out.
    refreshed_at: Timestamp,
}

/// How an application came to a grant: by a `code` that a browser brought back, or from a `device`.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = GrantVia)]
enum ViaBody {
    Code,
    Device,
}

impl From<&CoreGrant> for Grant {
    fn from(grant: &CoreGrant) -> Self {
        let CoreGrant {
            id,
            application: _,
            workspace: _,
            via,
            scopes,
            approved_by,
            created_at,
            refreshed_at,
        } = grant;
        let via = match via {
            GrantVia::Code => ViaBody::Code,
            GrantVia::Device => ViaBody::Device,
        };
        Self {
            id: id.0,
            via,
            scopes: scope::names(*scopes),
            approved_by: approved_by.0,
            created_at: *created_at,
            refreshed_at: *refreshed_at,
        }
    }
}

/// Examples of the folder's schemas, by name, made as answers are made.
pub(in super::super) fn samples() -> Vec<(&'static str, Value)> {
    let text = |text: &str| Some(text.to_owned());
    let scopes = [Scope::WebhookRead, Scope::WebhookWrite].into_iter().collect();
    let application = CoreApplication {
        id: ApplicationId(3),
        workspace: WorkspaceId(1),
        client_id: "0b2f6d1a9c4e4f0f8a5b0199d2a3b4c5".to_owned(),
        created_at: Timestamp::UNIX_EPOCH,
        scopes,
        disabled: false,
        settings: ApplicationSettings {
            name: "Reports".to_owned(),
            developer: text("Example Ltd"),
            url: text("https://reports.example.com/"),
            logo_url: text("https://reports.example.com/logo.png"),
            description: text("Counts orders by region."),
            redirect_uris: vec!["https://reports.example.com/back".to_owned()],
            require_pkce: true,
            device_flow: false,
        },
    };
    let grant = CoreGrant {
        id: GrantId(8),
        application: ApplicationId(3),
        workspace: WorkspaceId(1),
        via: GrantVia::Code,
        scopes,
        approved_by: CredentialId(1),
        created_at: Timestamp::UNIX_EPOCH,
        refreshed_at: Timestamp::UNIX_EPOCH,
    };
    let new = json!({
        "name": "Reports",
        "redirect_uris": ["https://reports.example.com/back"],
        "scopes": ["webhook_read", "webhook_write"],
        "require_pkce": true,
    });
    let patch = json!({"description": "Counts orders by region.", "disabled": true});
    vec![
        ("Application", json!(Application::new(&application))),
        ("Grant", json!(Grant::from(&grant))),
        ("NewApplication", new),
        ("ApplicationPatch", patch),
    ]
}
