//! `DELETE /webhook/webhooks/{webhookOid}`

use axum::extract::State;
use hookyard_core::model::Scope;
use http::StatusCode;

use super::auth::Caller;
use super::error::{ApiError, Subject};
use super::path::{PathTexts, webhook_oid};
use crate::App;

pub(super) async fn handle(
    State(app): State<App>,
    caller: Caller,
    PathTexts(oid): PathTexts<String>,
) -> Result<StatusCode, ApiError> {
    let workspace = caller.may(Scope::WebhookWrite)?;
    let id = webhook_oid(&app, workspace, &oid, "deleted").await?;
    let deleted = app.engine.delete_endpoint(workspace, id, None).await;
    deleted.map_err(|error| ApiError::from_engine(error, Subject::webhook("deleted")))?;
    Ok(StatusCode::NO_CONTENT)
}
