//! `/v1/credentials/{id}`: show, change and revoke a credential.

use axum::Json;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use hookyard_core::model::{Credential as CoreCredential, Scope};

use super::change::CredentialPatch;
use super::shape::Credential;
use crate::App;
use crate::native::caller;
use crate::native::input::{self, Nothing, PathText};
use crate::problem::Problem;

/// Get a credential
#[utoipa::path(
    get,
    path = "/v1/credentials/{id}",
    tag = "credentials",
    params(("id" = i32, Path, description = "The credential's number")),
    responses((status = 200, description = "The credential", body = Credential)),
    security(("simple_key" = ["admin"])),
)]
pub(super) async fn get_credential(
    State(app): State<App>,
    PathText(id): PathText<String>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let workspace = caller::workspace(&app, &headers, Scope::Admin).await?;
    input::query::<Nothing>(raw.as_deref())?;
    let credential = app.engine.credential(workspace, input::credential_id(&id)?).await?;
    Ok(answer(&app, &credential))
}

/// Change a credential
///
/// A JSON merge patch (RFC 7396): what is absent stays, null goes back to the default, a list is
/// replaced as a whole. It is in effect at once. Of itself a credential can change the name only.
#[utoipa::path(
    patch,
    path = "/v1/credentials/{id}",
    tag = "credentials",
    params(("id" = i32, Path, description = "The credential's number")),
    request_body(content(
        (CredentialPatch = "application/merge-patch+json"),
        (CredentialPatch = "application/json"),
    )),
    responses(
        (status = 200, description = "The credential", body = Credential),
        (status = 409, description = "It was revoked, or it is the one that asks"),
    ),
    security(("simple_key" = ["admin"])),
)]
pub(super) async fn update_credential(
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
    let kinds = [input::MERGE_PATCH, input::JSON];
    let patch: CredentialPatch = input::json(&headers, body, &kinds).await?;
    let credential = app.engine.change_credential(workspace, id, patch.change()?).await?;
    Ok(answer(&app, &credential))
}

/// Revoke a credential
///
/// It opens nothing any more, at once and for good. A credential cannot revoke itself.
#[utoipa::path(
    delete,
    path = "/v1/credentials/{id}",
    tag = "credentials",
    params(("id" = i32, Path, description = "The credential's number")),
    responses(
        (status = 204, description = "It is revoked"),
        (status = 409, description = "It is the one that asks"),
    ),
    security(("simple_key" = ["admin"])),
)]
pub(super) async fn revoke_credential(
    State(app): State<App>,
    PathText(id): PathText<String>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
) -> Result<StatusCode, Problem> {
    let workspace = caller::person(&app, &headers).await?;
    input::query::<Nothing>(raw.as_deref())?;
    app.engine.revoke_credential(workspace, input::credential_id(&id)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn answer(app: &App, credential: &CoreCredential) -> Response {
    Json(Credential::new(credential, app.engine.clock().now())).into_response()
}
