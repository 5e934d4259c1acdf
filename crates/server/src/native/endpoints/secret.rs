//! `/v1/endpoints/{id}/secret`: what deliveries are signed with.

use axum::Json;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use hookyard_core::model::{Scope, Secret, Signing};
use hookyard_core::signature::signer;
use hookyard_engine::endpoints::{NewSecret, OVERLAP_DEFAULT, OVERLAP_MAX};
use hookyard_store::Seen;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::App;
use crate::native::caller;
use crate::native::input::{self, Nothing, PathText};
use crate::problem::{Code, Problem};

/// What deliveries are signed with (Standard Webhooks).
#[derive(Serialize, ToSchema)]
struct SigningSecrets<'a> {
    /// What the names of the three headers start with.
    prefix: &'a str,
    /// The newest first. All of them sign until they expire.
    keys: Vec<SigningSecret<'a>>,
}

/// One secret that deliveries are signed with.
#[derive(Serialize, ToSchema)]
struct SigningSecret<'a> {
    /// `whsec_` for HMAC-SHA256 or `whsk_` for ed25519, then the key in base64.
    secret: &'a str,
    /// What verifies the signatures of an ed25519 key.
    #[serde(skip_serializing_if = "Option::is_none")]
    public_key: Option<String>,
    /// From then on nothing is signed with it any more; absent for the present one.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Timestamp>,
}

/// What to sign with from now on.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SecretRotation {
    /// What kind of secret to make; `symmetric` unless said. Not together with `secret`.
    kind: Option<SecretKind>,
    /// The secret, instead of one that is made.
    #[schema(value_type = Option<String>, write_only)]
    secret: Option<Secret>,
    /// How many seconds the present secret goes on signing; a day unless said.
    #[schema(minimum = 0, maximum = 2592000)]
    overlap_seconds: Option<u32>,
}

/// A kind of secret.
#[derive(Deserialize, ToSchema, Clone, Copy)]
#[serde(rename_all = "snake_case")]
enum SecretKind {
    /// HMAC-SHA256.
    Symmetric,
    /// Ed25519.
    Ed25519,
}

/// Get an endpoint's signing secrets
#[utoipa::path(
    get,
    path = "/v1/endpoints/{id}/secret",
    tag = "endpoints",
    params(("id" = i32, Path, description = "The endpoint's number")),
    responses((status = 200, description = "The secrets", body = SigningSecrets)),
    security(("simple_key" = ["webhook_write"])),
)]
pub(super) async fn get_secret(
    State(app): State<App>,
    PathText(id): PathText<String>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    // Whoever knows it can pass for the sender, so reading it is not for readers.
    let workspace = caller::workspace(&app, &headers, Scope::WebhookWrite).await?;
    input::query::<Nothing>(raw.as_deref())?;
    let id = input::endpoint_id(&id)?;
    let signing = app.engine.signing(workspace, id).await?;
    app.engine.note_seen(workspace, Seen::EndpointSecret(id)).await?;
    Ok(answer(&signing))
}

/// Rotate an endpoint's signing secret
///
/// Deliveries are signed with a new secret from now on, and with the present one too for a while, so
/// that the receiver can change over.
#[utoipa::path(
    post,
    path = "/v1/endpoints/{id}/secret/rotate",
    tag = "endpoints",
    params(("id" = i32, Path, description = "The endpoint's number")),
    request_body = SecretRotation,
    responses(
        (status = 200, description = "The secrets", body = SigningSecrets),
        (status = 409, description = "Others kept changing the endpoint"),
    ),
    security(("simple_key" = ["webhook_write"])),
)]
pub(super) async fn rotate_secret(
    State(app): State<App>,
    PathText(id): PathText<String>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let workspace = caller::workspace(&app, &headers, Scope::WebhookWrite).await?;
    input::query::<Nothing>(raw.as_deref())?;
    let id = input::endpoint_id(&id)?;
    app.engine.endpoint_view(workspace, id).await?;
    let rotation: SecretRotation = input::json(&headers, body, &[input::JSON]).await?;
    let new = match (rotation.kind, rotation.secret) {
        (Some(_), Some(_)) => {
            let detail = "does not go together with `secret`, which says its own kind";
            return Err(Problem::of_field(Code::InvalidValue, "kind", detail));
        }
        (_, Some(secret)) => NewSecret::Given(secret),
        (Some(SecretKind::Ed25519), None) => NewSecret::Ed25519,
        (_, None) => NewSecret::Symmetric,
    };
    let max = u32::try_from(OVERLAP_MAX.as_secs()).unwrap_or(u32::MAX);
    let overlap = input::at_most("overlap_seconds", rotation.overlap_seconds, max)?;
    let overlap = overlap.map_or(OVERLAP_DEFAULT, |s| SignedDuration::from_secs(s.into()));
    let signing = app.engine.rotate_signing_secret(workspace, id, new, overlap).await?;
    Ok(answer(&signing))
}

fn answer(signing: &Signing) -> Response {
    let keys = signing.keys.iter().map(|key| SigningSecret {
        secret: key.secret.expose(),
        public_key: signer::public_key(&key.secret),
        expires_at: key.expires_at,
    });
    let body = SigningSecrets { prefix: &signing.prefix, keys: keys.collect() };
    ([(header::CACHE_CONTROL, "no-store")], Json(body)).into_response()
}

/// Examples of the schemas of this file, by name.
pub(super) fn samples() -> Vec<(&'static str, Value)> {
    vec![("SecretRotation", json!({"kind": "ed25519", "overlap_seconds": 3_600}))]
}
