//! `/v1/endpoints/{id}/secret`: the signing secrets of deliveries.

use axum::Json;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use hookyard_core::model::Signing;
use hookyard_core::signature::signer;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

/// The signing secrets of deliveries (Standard Webhooks).
#[derive(Serialize, ToSchema)]
pub(super) struct SigningSecrets<'a> {
    /// The prefix of the three header names.
    prefix: &'a str,
    /// The signing secrets, newest first. All secrets sign until they expire.
    keys: Vec<SigningSecret<'a>>,
}

/// One signing secret of deliveries.
#[derive(Serialize, ToSchema)]
pub(super) struct SigningSecret<'a> {
    /// `whsec_` for HMAC-SHA256 or `whsk_` for ed25519, then the key in base64.
    secret: &'a str,
    /// The public key that verifies signatures of an ed25519 key.
    #[serde(skip_serializing_if = "Option::is_none")]
    public_key: Option<String>,
    /// The end of signing with the secret; absent for the present secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Timestamp>,
}

pub(super) fn answer(signing: &Signing) -> Response {
    let keys = signing.keys.iter().map(|key| SigningSecret {
        secret: key.secret.expose(),
        public_key: signer::public_key(&key.secret),
        expires_at: key.expires_at,
    });
    let body = SigningSecrets { prefix: &signing.prefix, keys: keys.collect() };
    ([(header::CACHE_CONTROL, "no-store")], Json(body)).into_response()
}

/// Examples of the file's schemas, by name.
pub(in crate::native) fn samples() -> Vec<(&'static str, Value)> {
    vec![("SecretRotation", json!({"kind": "ed25519", "overlap_seconds": 3_600}))]
}
