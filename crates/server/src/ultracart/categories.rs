//! `GET /webhook/webhook_event_categories`

use axum::extract::State;
use axum::response::Response;
use hookyard_core::model::Scope;

use super::answer;
use super::auth::Caller;
use super::error::ApiError;
use super::webhook::Shape;
use crate::App;

pub(super) async fn handle(State(app): State<App>, caller: Caller) -> Result<Response, ApiError> {
    let workspace = caller.may(Scope::WebhookRead)?;
    let shape = Shape { placeholders: true, ..Shape::new(&app, workspace, &caller).await? };
    Ok(answer::one("event_categories", &shape.catalogue()))
}
