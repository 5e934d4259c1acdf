use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Scopes;
use crate::id::{ApplicationId, CredentialId, GrantId, WorkspaceId};

/// An application's description by the owner. The owner can change every field.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ApplicationSettings {
    /// The name shown to people.
    pub name: String,
    /// The application's maker, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub developer: Option<String>,
    /// A page with more information for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The address of a logo.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logo_url: Option<String>,
    /// A description for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Redirect URIs: an authorization request must name a URI of the list, character for character.
    #[serde(default)]
    pub redirect_uris: Vec<String>,
    /// Whether every authorization must come with a PKCE challenge.
    #[serde(default)]
    pub require_pkce: bool,
    /// Whether devices without a browser may ask for authorization.
    #[serde(default)]
    pub device_flow: bool,
}

/// A new application, before the store has a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewApplication {
    /// The public name in OAuth2 requests.
    pub client_id: String,
    /// The largest scopes of the application's tokens.
    pub scopes: Scopes,
    /// The description by the owner.
    pub settings: ApplicationSettings,
}

/// A third party's program, admitted to the workspace by people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Application {
    /// The application's number.
    pub id: ApplicationId,
    /// The workspace of the registration, the only workspace open to the application's tokens.
    pub workspace: WorkspaceId,
    /// The public name in OAuth2 requests.
    pub client_id: String,
    /// When the application was registered.
    pub created_at: Timestamp,
    /// The largest scopes of the application's tokens, fixed at registration: people consent to these scopes.
    pub scopes: Scopes,
    /// Whether the application is refused everything for now.
    pub disabled: bool,
    /// The description by the owner.
    pub settings: ApplicationSettings,
}

/// A change of an application; `None` keeps the old value.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ApplicationChange {
    /// The new name.
    pub name: Option<String>,
    /// The new maker; `Some(None)` removes the maker, as for the next three.
    pub developer: Option<Option<String>>,
    /// The new address.
    pub url: Option<Option<String>>,
    /// The new picture.
    pub logo_url: Option<Option<String>>,
    /// The new description.
    pub description: Option<Option<String>>,
    /// The new redirect URIs, the full list.
    pub redirect_uris: Option<Vec<String>>,
    /// Whether PKCE is demanded.
    pub require_pkce: Option<bool>,
    /// Whether devices may ask.
    pub device_flow: Option<bool>,
    /// Whether the application is disabled.
    pub disabled: Option<bool>,
}

impl ApplicationChange {
    /// Changes the application.
    pub fn apply(self, application: &mut Application) {
        fn put<T>(place: &mut T, value: Option<T>) {
            if let Some(value) = value {
                *place = value;
            }
        }
        let settings = &mut application.settings;
        put(&mut settings.name, self.name);
        put(&mut settings.developer, self.developer);
        put(&mut settings.url, self.url);
        put(&mut settings.logo_url, self.logo_url);
        put(&mut settings.description, self.description);
        put(&mut settings.redirect_uris, self.redirect_uris);
        put(&mut settings.require_pkce, self.require_pkce);
        put(&mut settings.device_flow, self.device_flow);
        put(&mut application.disabled, self.disabled);
    }
}

/// How an application came to a grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GrantVia {
    /// An authorization code, returned by a browser.
    Code,
    /// A user code, shown by a device.
    Device,
}

impl GrantVia {
    /// The word in answers and in the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Code => "code",
            Self::Device => "device",
        }
    }

    /// Reads the word.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Code, Self::Device].into_iter().find(|via| via.as_str() == text)
    }
}

/// A person's consent to an application. All tokens of a grant live and die with the grant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The grant's number.
    pub id: GrantId,
    /// The application with the consent.
    pub application: ApplicationId,
    /// The workspace open to the grant's tokens.
    pub workspace: WorkspaceId,
    /// How.
    pub via: GrantVia,
    /// The allowed scopes.
    pub scopes: Scopes,
    /// The credential of the person at the consent.
    pub approved_by: CredentialId,
    /// When the grant's first token was issued.
    pub created_at: Timestamp,
    /// When the grant's newest token was issued.
    pub refreshed_at: Timestamp,
}
