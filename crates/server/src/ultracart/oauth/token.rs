//! `POST /oauth/token`: codes and refresh tokens for tokens.

use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use hookyard_core::id::WorkspaceId;
use hookyard_core::model::Workspace;
use hookyard_engine::Error;
use hookyard_engine::limits::Failures;
use hookyard_engine::oauth::{Exchange, ExchangeError, Tokens};
use hookyard_store::Entity;
use http::HeaderMap;
use serde::Serialize;

use super::super::answer;
use super::super::client::{Class, Client};
use super::error::OAuthError;
use super::form::Form;
use super::unstored::unstored;
use crate::App;

/// The grant type of devices in RFC 8628; the SDKs' documentation has the short word.
const DEVICE_GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// Tokens as the SDKs read them: the lifetime is a text, and the type in lower case
/// (docs/spec/ultracart.md#trap-13).
#[derive(Serialize)]
struct Answer<'a> {
    access_token: &'a str,
    token_type: &'a str,
    expires_in: String,
    refresh_token: &'a str,
    scope: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    merchant_id: Option<&'a str>,
}

pub(super) async fn handle(
    State(app): State<App>,
    Extension(failures): Extension<Arc<Failures>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, OAuthError> {
    failures.check(app.engine.clock().monotonic()).map_err(OAuthError::too_many)?;
    let form = Form::read(&headers, body).await.map_err(OAuthError::unread)?;
    let exchange = exchange(&form)?;
    let tokens = issue(&app, &form, exchange).await.inspect_err(|error| {
        if matches!(error, ExchangeError::UnknownClient | ExchangeError::Useless(_)) {
            failures.count(app.engine.clock().monotonic());
        }
    })?;
    let workspace = workspace(&app, tokens.grant.workspace).await?;
    // Java refuses a key newer than its SDK (docs/spec/ultracart.md#oauth2).
    let is_strict = Client::from_headers(&headers).class == Class::Strict;
    let answer = Answer {
        access_token: &tokens.access,
        token_type: "bearer",
        expires_in: tokens.expires_in.to_string(),
        refresh_token: &tokens.refresh,
        scope: tokens.grant.scopes.to_string(),
        merchant_id: (!is_strict).then_some(&*workspace.merchant),
    };
    Ok(unstored(answer::json(&answer)))
}

async fn issue(app: &App, form: &Form, exchange: Exchange) -> Result<Tokens, ExchangeError> {
    let application = app.engine.client(form.get("client_id").unwrap_or_default()).await?;
    app.engine.exchange(&application, exchange, app.settings.lifetimes).await
}

/// The proof that the application exchanges for tokens.
fn exchange(form: &Form) -> Result<Exchange, OAuthError> {
    let needed = |name: &str| form.owned(name).ok_or_else(|| OAuthError::missing(name));
    needed("client_id")?;
    match needed("grant_type")?.as_str() {
        "authorization_code" => Ok(Exchange::Code {
            code: needed("code")?,
            redirect_uri: needed("redirect_uri")?,
            verifier: form.owned("code_verifier"),
        }),
        "refresh_token" => Ok(Exchange::Refresh(needed("refresh_token")?)),
        "device_code" | DEVICE_GRANT => Ok(Exchange::Device(needed("device_code")?)),
        other => Err(OAuthError::unsupported_grant(other)),
    }
}

/// The workspace of the tokens.
pub(super) async fn workspace(app: &App, id: WorkspaceId) -> Result<Workspace, Error> {
    let found = app.engine.of(id).workspace().await?;
    found.ok_or(Error::NotFound(Entity::Workspace))
}
