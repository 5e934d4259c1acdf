//! How a delivery proves its sender, on the wire.

use hookyard_core::model::{AuthKind, EndpointSettings, NativeAuth};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A way to prove the sender of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = AuthKind)]
pub(super) enum Kind {
    /// Not at all.
    None,
    /// HTTP basic with the endpoint's own user and password.
    Basic,
    /// HTTP basic with the credentials of an API user.
    ApiUser,
    /// Amazon SQS with the endpoint's IAM keys.
    AwsIam,
    /// A static bearer token.
    Bearer,
    /// A bearer token from OAuth2 client credentials (RFC 6749 section 4.4).
    Oauth2,
}

impl Kind {
    /// The kind of an endpoint.
    pub(super) fn of(settings: &EndpointSettings) -> Self {
        match &settings.options.auth {
            Some(NativeAuth::Bearer { .. }) => return Self::Bearer,
            Some(NativeAuth::OAuth2(_)) => return Self::Oauth2,
            None => {}
        }
        match settings.auth {
            AuthKind::None => Self::None,
            AuthKind::Basic => Self::Basic,
            AuthKind::ApiUser => Self::ApiUser,
            AuthKind::AwsIam => Self::AwsIam,
        }
    }

    /// The kind in the settings shared with the UltraCart API.
    pub(super) fn core(self) -> AuthKind {
        match self {
            Self::None | Self::Bearer | Self::Oauth2 => AuthKind::None,
            Self::Basic => AuthKind::Basic,
            Self::ApiUser => AuthKind::ApiUser,
            Self::AwsIam => AuthKind::AwsIam,
        }
    }
}
