//! From a body to the engine's request.

use hookyard_core::model::{ApplicationChange, ApplicationSettings, Scope, Scopes};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::native::input::Field;
use crate::native::scope::ScopeName;
use crate::problem::{Code, Problem};

/// A new application.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewApplication {
    /// The name shown to people.
    #[schema(min_length = 1, max_length = 100)]
    name: String,
    /// The application's maker.
    #[schema(nullable = true, max_length = 100)]
    developer: Option<String>,
    /// Where people read more about the application: an https URL.
    #[schema(nullable = true, max_length = 2000)]
    url: Option<String>,
    /// A picture of the application: an https URL.
    #[schema(nullable = true, max_length = 2000)]
    logo_url: Option<String>,
    /// The application's purpose.
    #[schema(nullable = true, max_length = 500)]
    description: Option<String>,
    /// The redirect URIs: https, http to the machine itself, or a private scheme with a dot in its name. At
    /// least one URI, unless `device_flow` is on.
    #[serde(default)]
    #[schema(max_items = 20)]
    redirect_uris: Vec<String>,
    /// The widest scopes of the application's tokens. The scopes cannot be changed later, because people
    /// consent to the scopes.
    #[schema(min_items = 1)]
    scopes: Vec<ScopeName>,
    /// Whether every authorization must come with a PKCE challenge; false unless said, since no
    /// UltraCart SDK can send one.
    require_pkce: Option<bool>,
    /// Whether devices without a browser may ask; false unless said.
    device_flow: Option<bool>,
}

/// A change of an application: an absent field stays, null removes a value or restores the default.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ApplicationPatch {
    /// The name shown to people.
    #[serde(default)]
    #[schema(value_type = String, required = false, min_length = 1, max_length = 100)]
    name: Field<String>,
    /// The application's maker.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 100)]
    developer: Field<String>,
    /// Where people read more about the application: an https URL.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 2000)]
    url: Field<String>,
    /// A picture of the application: an https URL.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 2000)]
    logo_url: Field<String>,
    /// The application's purpose.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 500)]
    description: Field<String>,
    /// All redirect URIs; the list is replaced as a whole.
    #[serde(default)]
    #[schema(value_type = Option<Vec<String>>, max_items = 20)]
    redirect_uris: Field<Vec<String>>,
    /// Whether every authorization must come with a PKCE challenge.
    #[serde(default)]
    #[schema(value_type = Option<bool>)]
    require_pkce: Field<bool>,
    /// Whether devices without a browser may ask.
    #[serde(default)]
    #[schema(value_type = Option<bool>)]
    device_flow: Field<bool>,
    /// Whether the application is disabled: requests with its tokens are then answered 410.
    #[serde(default)]
    #[schema(value_type = Option<bool>)]
    disabled: Field<bool>,
}

impl NewApplication {
    /// The scopes and settings for the engine.
    pub(super) fn parts(self) -> (Scopes, ApplicationSettings) {
        let Self {
            name,
            developer,
            url,
            logo_url,
            description,
            redirect_uris,
            scopes,
            require_pkce,
            device_flow,
        } = self;
        let scopes = scopes.into_iter().map(Scope::from).collect();
        let settings = ApplicationSettings {
            name,
            developer,
            url,
            logo_url,
            description,
            redirect_uris,
            require_pkce: require_pkce.unwrap_or_default(),
            device_flow: device_flow.unwrap_or_default(),
        };
        (scopes, settings)
    }
}

impl ApplicationPatch {
    /// The change for the engine.
    pub(super) fn change(self) -> Result<ApplicationChange, Problem> {
        let Self {
            name,
            developer,
            url,
            logo_url,
            description,
            redirect_uris,
            require_pkce,
            device_flow,
            disabled,
        } = self;
        Ok(ApplicationChange {
            name: match name {
                Field::Null => {
                    return Err(Problem::of_field(
                        Code::InvalidValue,
                        "name",
                        "cannot be taken away",
                    ));
                }
                name => name.or_default(String::new()),
            },
            developer: optional(developer),
            url: optional(url),
            logo_url: optional(logo_url),
            description: optional(description),
            redirect_uris: redirect_uris.or_default(Vec::new()),
            require_pkce: require_pkce.or_default(false),
            device_flow: device_flow.or_default(false),
            disabled: disabled.or_default(false),
        })
    }
}

fn optional(field: Field<String>) -> Option<Option<String>> {
    match field {
        Field::Absent => None,
        Field::Null => Some(None),
        Field::Value(text) => Some(Some(text)),
    }
}
