//! `PUT /webhook/webhooks/{webhookOid}`

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use hookyard_core::model::Scope;

use super::auth::Caller;
use super::error::{ApiError, Subject};
use super::path::{PathTexts, webhook_oid};
use super::query::Query;
use super::webhook::Shape;
use super::{answer, body, change};
use crate::App;

pub(super) async fn handle(
    State(app): State<App>,
    caller: Caller,
    PathTexts(oid): PathTexts<String>,
    RawQuery(query): RawQuery,
    body: Body,
) -> Result<Response, ApiError> {
    let workspace = caller.may(Scope::WebhookWrite)?;
    let id = webhook_oid(&app, workspace, &oid, "updated").await?;
    let placeholders = Query::parse(query.as_deref()).placeholders()?;
    let change = change::parse(&body::read_object(body).await?, caller.client)?;
    let (requested_version, requested_auth) = (change.api_version, change.auth);

    let view = app.engine.update_endpoint(workspace, id, change).await;
    let view = view.map_err(|error| ApiError::from_engine(error, Subject::webhook("updated")))?;
    let shape = Shape::new(&app, workspace, &caller).await?;
    let shape = Shape { placeholders, requested_version, requested_auth, ..shape };
    Ok(answer::one("webhook", &shape.webhook(&view)))
}
