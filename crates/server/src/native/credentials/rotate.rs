//! `POST /v1/credentials/{id}/rotate`: replace a credential's secret.

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;
use hookyard_engine::access::{OVERLAP_DEFAULT, OVERLAP_MAX};
use jiff::SignedDuration;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::shape::{self, MadeCredential};
use crate::App;
use crate::native::caller;
use crate::native::input::{self, Nothing, PathText};
use crate::problem::Problem;

/// How to rotate a credential.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CredentialRotation {
    /// For how long the old one is still good: a day unless said, 30 days at most, and an hour at
    /// least for the credential that asks.
    #[schema(maximum = 2592000)]
    overlap_seconds: Option<u32>,
}

/// Rotate a credential
///
/// Makes a successor that is the same but for its number and secrets, which are in the answer and
/// nowhere else. The old one ends after the overlap.
#[utoipa::path(
    post,
    path = "/v1/credentials/{id}/rotate",
    tag = "credentials",
    params(("id" = i32, Path, description = "The credential's number")),
    request_body = CredentialRotation,
    responses(
        (status = 201, description = "The successor with its secrets", body = MadeCredential, headers(
            ("location" = String, description = "Its path"),
        )),
        (status = 409, description = "It has ended"),
    ),
    security(("simple_key" = ["admin"])),
)]
pub(super) async fn rotate_credential(
    State(app): State<App>,
    PathText(id): PathText<String>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let workspace = caller::person(&app, &headers).await?;
    input::query::<Nothing>(raw.as_deref())?;
    let id = input::credential_id(&id)?;
    app.engine.credential(workspace, id).await?;
    let rotation: CredentialRotation = input::json(&headers, body, &[input::JSON]).await?;
    let max = u32::try_from(OVERLAP_MAX.as_secs()).unwrap_or(u32::MAX);
    let overlap = input::at_most("overlap_seconds", rotation.overlap_seconds, max)?;
    let overlap = overlap.map_or(OVERLAP_DEFAULT, |s| SignedDuration::from_secs(s.into()));
    let (credential, secrets) = app.engine.rotate_credential(workspace, id, overlap).await?;
    Ok(shape::made(&credential, &secrets, app.engine.clock().now()))
}

/// Examples of the schemas of this file, by name.
pub(super) fn samples() -> Vec<(&'static str, Value)> {
    vec![("CredentialRotation", json!({"overlap_seconds": 86_400}))]
}
