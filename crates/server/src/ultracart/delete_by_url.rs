//! `DELETE /webhook/webhooks`: the webhook with the `webhook_url` of the body.
//!
//! The answer has a body: clients fail on an empty one although the deletion happened
//! (docs/spec/ultracart.md#trap-7).

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use hookyard_core::model::Scope;

use super::auth::Caller;
use super::error::{ApiError, Subject};
use super::webhook::Shape;
use super::{answer, body, change};
use crate::App;

pub(super) async fn handle(
    State(app): State<App>,
    caller: Caller,
    body: Body,
) -> Result<Response, ApiError> {
    let workspace = caller.may(Scope::WebhookWrite)?;
    let body = body::read_object(body).await?;
    let url = change::parse_url(&body)?;
    // Before the deletion, so that no failure can follow the deletion.
    let shape = Shape::new(&app, workspace, &caller).await?;

    let view = app.engine.delete_endpoint_by_url(workspace, url).await;
    let view = view.map_err(|error| ApiError::from_engine(error, Subject::webhook("deleted")))?;
    Ok(answer::one("webhook", &shape.webhook(&view)))
}
