//! `POST /oauth/revoke`: an application gives a grant back.

use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use hookyard_engine::limits::Failures;
use hookyard_engine::oauth::ExchangeError;
use http::HeaderMap;
use serde::Serialize;

use super::super::answer;
use super::error::OAuthError;
use super::form::Form;
use super::unstored::unstored;
use crate::App;

#[derive(Serialize)]
struct Answer {
    message: &'static str,
    successful: bool,
}

pub(super) async fn handle(
    State(app): State<App>,
    Extension(failures): Extension<Arc<Failures>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, OAuthError> {
    failures.check(app.engine.clock().monotonic()).map_err(OAuthError::too_many)?;
    let form = Form::read(&headers, body).await.map_err(OAuthError::unread)?;
    let client_id = form.get("client_id").ok_or_else(|| OAuthError::missing("client_id"))?;
    let token = form.get("token").ok_or_else(|| OAuthError::missing("token"))?;
    let application = app.engine.client(client_id).await.inspect_err(|error| {
        if matches!(error, ExchangeError::UnknownClient) {
            failures.count(app.engine.clock().monotonic());
        }
    })?;
    app.engine.revoke_token(&application, token).await?;
    let message = "the token opens nothing any more, and neither does any other of its grant";
    Ok(unstored(answer::json(&Answer { message, successful: true })))
}
