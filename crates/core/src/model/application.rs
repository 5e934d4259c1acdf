use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Scopes;
use crate::id::{ApplicationId, CredentialId, GrantId, WorkspaceId};

/// What the owner of an application says about it, all of which can be changed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ApplicationSettings {
    /// What people know it by.
    pub name: String,
    /// Its maker, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub developer: Option<String>,
    /// Where people read more about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// A picture of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logo_url: Option<String>,
    /// What it does, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Where people may be sent back to with a code; one of them, to the character.
    #[serde(default)]
    pub redirect_uris: Vec<String>,
    /// Whether every authorization must come with a PKCE challenge.
    #[serde(default)]
    pub require_pkce: bool,
    /// Whether devices without a browser may ask for authorization.
    #[serde(default)]
    pub device_flow: bool,
}

/// An application on its way into the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewApplication {
    /// Its public name in OAuth2 requests.
    pub client_id: String,
    /// The most that its tokens may do.
    pub scopes: Scopes,
    /// What its owner says about it.
    pub settings: ApplicationSettings,
}

/// A program of somebody that people let into the workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Application {
    /// Its number.
    pub id: ApplicationId,
    /// The workspace that it was registered in, the only one that its tokens open.
    pub workspace: WorkspaceId,
    /// Its public name in OAuth2 requests.
    pub client_id: String,
    /// When it was registered.
    pub created_at: Timestamp,
    /// The most that its tokens may do, as it was registered: a person who said yes said it to this.
    pub scopes: Scopes,
    /// Whether it may do nothing for now.
    pub disabled: bool,
    /// What its owner says about it.
    pub settings: ApplicationSettings,
}

/// A change of an application; `None` leaves what is there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ApplicationChange {
    /// The new name.
    pub name: Option<String>,
    /// The new maker; `Some(None)` takes it away, as for the next three.
    pub developer: Option<Option<String>>,
    /// The new address.
    pub url: Option<Option<String>>,
    /// The new picture.
    pub logo_url: Option<Option<String>>,
    /// The new description.
    pub description: Option<Option<String>>,
    /// The new redirect URIs, all of them.
    pub redirect_uris: Option<Vec<String>>,
    /// Whether PKCE is demanded.
    pub require_pkce: Option<bool>,
    /// Whether devices may ask.
    pub device_flow: Option<bool>,
    /// Whether it is disabled.
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
    /// A code that a browser brought back.
    Code,
    /// A code that a device showed.
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

/// One yes of a person to an application. All tokens that came of it live and die with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// Its number.
    pub id: GrantId,
    /// The application that it was given to.
    pub application: ApplicationId,
    /// The workspace that it opens.
    pub workspace: WorkspaceId,
    /// How.
    pub via: GrantVia,
    /// What it allows.
    pub scopes: Scopes,
    /// The credential by which the person proved who they are.
    pub approved_by: CredentialId,
    /// When its first token was given out.
    pub created_at: Timestamp,
    /// When its newest token was given out.
    pub refreshed_at: Timestamp,
}
