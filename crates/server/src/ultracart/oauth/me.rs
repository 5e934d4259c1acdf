//! `GET /oauth/me`: whom a token belongs to.

use axum::extract::State;
use axum::response::Response;
use hookyard_engine::Error;
use serde::Serialize;

use super::super::answer;
use super::super::auth::Caller;
use super::super::error::{ApiError, Subject};
use super::token::workspace;
use super::unstored::unstored;
use crate::App;

#[derive(Serialize)]
struct Me<'a> {
    merchant_id: &'a str,
    merchant_name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    application_name: Option<&'a str>,
    scopes: Vec<&'static str>,
}

pub(super) async fn handle(State(app): State<App>, caller: Caller) -> Result<Response, ApiError> {
    let credential = caller.credential();
    let failed = |error: Error| ApiError::from_engine(error, Subject::webhook("read"));
    let workspace = workspace(&app, credential.workspace).await.map_err(failed)?;
    let application = match credential.application {
        Some(id) => Some(app.engine.application(credential.workspace, id).await.map_err(failed)?),
        None => None,
    };
    let me = Me {
        merchant_id: &workspace.merchant,
        merchant_name: &workspace.name,
        client_id: application.as_ref().map(|application| &*application.client_id),
        application_name: application.as_ref().map(|application| &*application.settings.name),
        scopes: credential.scopes.iter().map(|scope| scope.as_str()).collect(),
    };
    Ok(unstored(answer::json(&me)))
}
