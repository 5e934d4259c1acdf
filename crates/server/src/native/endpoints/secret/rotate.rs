//! `POST /v1/endpoints/{id}/secret/rotate`: rotate an endpoint's signing secret.

use axum::response::Response;
use hookyard_core::model::Secret;
use hookyard_engine::endpoints::{EndpointView, NewSecret, OVERLAP_DEFAULT, OVERLAP_MAX};
use jiff::SignedDuration;
use serde::Deserialize;
use utoipa::ToSchema;

use super::shape::{SigningSecrets, answer};
use crate::native::call::{Call, Webhooks, Write};
use crate::native::input::Nothing;
use crate::native::sent::JsonBody;
use crate::native::{input, paths};
use crate::problem::{Code, Problem};

/// The next signing secret.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SecretRotation {
    /// The kind of a secret made by the server; `symmetric` by default. Not together with `secret`.
    kind: Option<SecretKind>,
    /// The secret, instead of a secret made by the server.
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

/// Rotate an endpoint's signing secret
///
/// Deliveries are signed with a new secret from now on, and with the present one too for a while, so
/// that the receiver can change over.
#[utoipa::path(
    post,
    path = paths::SIGNING_SECRET_ROTATE,
    tag = "endpoints",
    responses(
        (status = 200, description = "The secrets", body = SigningSecrets),
        (status = 409, description = "Others kept changing the endpoint"),
    ),
)]
pub(super) async fn rotate_secret(
    call: Call<Write<Webhooks>, EndpointView, Nothing, JsonBody<SecretRotation>>,
) -> Result<Response, Problem> {
    let Call { app, caller: workspace, target: current, body: JsonBody(rotation), .. } = call;
    let id = current.endpoint.id;
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
