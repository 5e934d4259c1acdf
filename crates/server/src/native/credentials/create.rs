//! `POST /v1/credentials`: make a credential.

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;

use super::CREDENTIALS;
use super::change::NewCredential;
use super::shape::{self, MadeCredential};
use crate::App;
use crate::native::caller;
use crate::native::input::{self, Nothing};
use crate::problem::Problem;

/// Make a credential
///
/// Its secrets are in the answer and nowhere else. The credential of an application may not do this,
/// whatever its scopes are.
#[utoipa::path(
    post,
    path = CREDENTIALS,
    tag = "credentials",
    request_body = NewCredential,
    responses(
        (status = 201, description = "The credential with its secrets", body = MadeCredential, headers(
            ("location" = String, description = "Its path"),
        )),
        (status = 409, description = "The workspace has as many as it may"),
    ),
    security(("simple_key" = ["admin"])),
)]
pub(super) async fn create_credential(
    State(app): State<App>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let workspace = caller::person(&app, &headers).await?;
    input::query::<Nothing>(raw.as_deref())?;
    let new: NewCredential = input::json(&headers, body, &[input::JSON]).await?;
    let (credential, secrets) = app.engine.create_credential(workspace, new.spec()?).await?;
    Ok(shape::made(&credential, &secrets, app.engine.clock().now()))
}
