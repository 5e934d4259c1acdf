//! `GET /webhook/webhooks/{webhookOid}/logs/{requestId}`

use axum::extract::State;
use axum::response::Response;
use hookyard_core::model::Scope;

use super::answer;
use super::attempts::LogShape;
use super::auth::Caller;
use super::error::{ApiError, Subject};
use super::path::{PathTexts, webhook_oid};
use crate::App;

/// The last parameter may contain slashes: the oldest SDK sends slashes unencoded.
pub(super) async fn handle(
    State(app): State<App>,
    caller: Caller,
    PathTexts((oid, request_id)): PathTexts<(String, String)>,
) -> Result<Response, ApiError> {
    let workspace = caller.may(Scope::WebhookRead)?;
    let id = webhook_oid(&app, workspace, &oid, "read").await?;
    let request_id = request_id.trim_end_matches('/');

    let failed = |error| ApiError::from_engine(error, Subject::webhook("read"));
    let detail = app.engine.attempt_detail(workspace, id, request_id).await.map_err(failed)?;
    let missing = Subject { object: "webhook_log", verb: "read" };
    let detail = detail.ok_or_else(|| ApiError::missing(missing))?;
    let catalogue = app.engine.of(workspace).catalogue().await;
    let catalogue = catalogue.map_err(|error| failed(error.into()))?;
    let shape = LogShape {
        client: caller.client,
        catalogue: &catalogue,
        time_zone: &app.settings.time_zone,
    };
    Ok(answer::one("webhook_log", &shape.log(&detail)))
}
