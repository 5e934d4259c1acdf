//! `POST /v1/credentials/{id}/rotate`: replace a credential's secret.

use axum::response::Response;
use hookyard_core::model::Credential as CoreCredential;
use hookyard_engine::access::{OVERLAP_DEFAULT, OVERLAP_MAX};
use jiff::SignedDuration;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::shape;
use super::shape::MadeCredential;
use crate::native::call::{Call, Person};
use crate::native::input::Nothing;
use crate::native::sent::JsonBody;
use crate::native::{input, paths};
use crate::problem::Problem;

/// How to rotate a credential.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CredentialRotation {
    /// For how long the old credential is still good: a day unless said, 30 days at most, and an hour at
    /// least for the credential that asks.
    #[schema(maximum = 2592000)]
    overlap_seconds: Option<u32>,
}

/// Rotate a credential
///
/// Makes a successor with the same settings, a new number and new secrets; the secrets are in the answer
/// and nowhere else. The old credential ends after the overlap.
#[utoipa::path(
    post,
    path = paths::CREDENTIAL_ROTATE,
    tag = "credentials",
    responses(
        (status = 201, description = "The successor with its secrets", body = MadeCredential, headers(
            ("location" = String, description = "Its path"),
        )),
        (status = 409, description = "It has ended"),
    ),
)]
pub(super) async fn rotate_credential(
    call: Call<Person, CoreCredential, Nothing, JsonBody<CredentialRotation>>,
) -> Result<Response, Problem> {
    let Call {
        app,
        caller: workspace,
        target: CoreCredential { id, .. },
        body: JsonBody(rotation),
        ..
    } = call;
    let max = u32::try_from(OVERLAP_MAX.as_secs()).unwrap_or(u32::MAX);
    let overlap = input::at_most("overlap_seconds", rotation.overlap_seconds, max)?;
    let overlap = overlap.map_or(OVERLAP_DEFAULT, |s| SignedDuration::from_secs(s.into()));
    let (credential, secrets) = app.engine.rotate_credential(workspace, id, overlap).await?;
    Ok(shape::made(&app, &credential, &secrets))
}

/// Examples of the file's schemas, by name.
pub(super) fn samples() -> Vec<(&'static str, Value)> {
    vec![("CredentialRotation", json!({"overlap_seconds": 86_400}))]
}
