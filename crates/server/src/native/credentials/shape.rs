//! Credentials on the wire.

use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use hookyard_core::model::{Credential as CoreCredential, CredentialKind};
use hookyard_engine::access::Secrets;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::App;
use crate::native::paths;
use crate::native::scope::{self, ScopeName};

/// A credential. The secret was shown once, at the creation.
#[derive(Serialize, ToSchema)]
pub(super) struct Credential<'a> {
    /// The credential's number.
    id: i32,
    /// How the credential is presented.
    #[schema(inline = false)]
    kind: Kind,
    /// The name shown to people; may be empty.
    name: &'a str,
    /// The credential's scopes.
    scopes: Vec<ScopeName>,
    /// Whether the credential opens anything now.
    state: State,
    /// When the credential was made; absent for credentials older than the field.
    #[serde(skip_serializing_if = "Option::is_none")]
    created_at: Option<Timestamp>,
    /// When the credential expires.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Timestamp>,
    /// The ranges of addresses allowed to use the credential; any when the list is empty.
    allowed_ips: Vec<String>,
    /// When the credential was last used, to the minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_used_at: Option<Timestamp>,
    /// When the credential was revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked_at: Option<Timestamp>,
    /// The number of the application that the credential was given to.
    #[serde(skip_serializing_if = "Option::is_none")]
    application: Option<i32>,
    /// The number of the only project that the credential opens; absent for the whole workspace.
    #[serde(skip_serializing_if = "Option::is_none")]
    project: Option<i32>,
}

/// A credential with the only sight of the secrets.
#[derive(Serialize, ToSchema)]
pub(super) struct MadeCredential<'a> {
    #[serde(flatten)]
    credential: Credential<'a>,
    /// A simple key, for the header `x-ultracart-simple-key`.
    #[serde(skip_serializing_if = "Option::is_none")]
    simple_key: Option<&'a str>,
    /// The key of a pair, for the header `x-api-key`.
    #[serde(skip_serializing_if = "Option::is_none")]
    api_key: Option<&'a str>,
    /// The secret of a pair, for the header `x-api-secret`.
    #[serde(skip_serializing_if = "Option::is_none")]
    api_secret: Option<&'a str>,
    /// A token, for the header `authorization`, behind `Bearer`.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<&'a str>,
}

/// How a credential is presented.
#[derive(Clone, Copy, Serialize, Deserialize, ToSchema)]
#[schema(as = CredentialKind)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    /// One secret in `x-ultracart-simple-key`.
    Simple,
    /// A key in `x-api-key` and the secret in `x-api-secret`.
    Pair,
    /// A token in `authorization`, behind `Bearer`.
    Token,
}

/// Whether a credential opens anything.
#[derive(Serialize, ToSchema)]
#[schema(as = CredentialState)]
#[serde(rename_all = "lowercase")]
enum State {
    /// The credential opens.
    Active,
    /// The credential, or the application of the credential, is disabled for now.
    Disabled,
    /// The credential has expired.
    Expired,
    /// The credential was revoked.
    Revoked,
}

impl From<Kind> for CredentialKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Simple => Self::Simple,
            Kind::Pair => Self::Pair,
            Kind::Token => Self::Token,
        }
    }
}

impl<'a> Credential<'a> {
    pub(super) fn new(credential: &'a CoreCredential, now: Timestamp) -> Self {
        let kind = match credential.kind {
            CredentialKind::Simple => Kind::Simple,
            CredentialKind::Pair => Kind::Pair,
            CredentialKind::Token => Kind::Token,
        };
        let state = match credential {
            revoked if revoked.revoked_at.is_some() => State::Revoked,
            expired if expired.has_ended(now) => State::Expired,
            disabled if disabled.disabled => State::Disabled,
            _ => State::Active,
        };
        Self {
            id: credential.id.0,
            kind,
            name: &credential.name,
            scopes: scope::names(credential.scopes),
            state,
            created_at: credential.created_at,
            expires_at: credential.expires_at,
            allowed_ips: credential.allowed_ips.iter().map(ToString::to_string).collect(),
            last_used_at: credential.last_used_at,
            revoked_at: credential.revoked_at,
            application: credential.application.map(|id| id.0),
            project: credential.project.map(|id| id.0),
        }
    }
}

/// The answer with one credential.
pub(super) fn answer(app: &App, credential: &CoreCredential) -> Response {
    Json(Credential::new(credential, app.engine.clock().now())).into_response()
}

/// The answer that shows a new credential with the secrets.
pub(super) fn made(app: &App, credential: &CoreCredential, secrets: &Secrets) -> Response {
    let shown = |wanted: &str| {
        let mut named = secrets.named();
        named.find_map(|(name, secret)| (name == wanted).then_some(secret))
    };
    let body = MadeCredential {
        credential: Credential::new(credential, app.engine.clock().now()),
        simple_key: shown("simple_key"),
        api_key: shown("api_key"),
        api_secret: shown("api_secret"),
        token: shown("token"),
    };
    let location = app.link(&paths::CREDENTIAL.of([&credential.id]));
    let headers = [(header::CACHE_CONTROL, "no-store".to_owned()), (header::LOCATION, location)];
    (StatusCode::CREATED, headers, Json(body)).into_response()
}
