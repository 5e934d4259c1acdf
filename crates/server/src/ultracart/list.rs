//! `GET /webhook/webhooks`

use axum::extract::{RawQuery, State};
use axum::response::Response;
use hookyard_core::model::Scope;
use hookyard_engine::endpoints::ListQuery;
use hookyard_store::Seen;

use super::answer::{self, ResultSet};
use super::auth::Caller;
use super::error::{ApiError, Subject};
use super::query::Query;
use super::webhook::Shape;
use crate::App;

pub(super) async fn handle(
    State(app): State<App>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let workspace = caller.may(Scope::WebhookRead)?;
    let query = Query::parse(query.as_deref());
    let paging = query.paging()?;
    let placeholders = query.placeholders()?;
    let wanted = ListQuery { sort: query.sort()?, offset: paging.skip(), limit: paging.take() };

    let page = app.engine.list_endpoints(workspace, wanted).await;
    let page = page.map_err(|error| ApiError::from_engine(error, Subject::webhook("read")))?;
    let shape = Shape { placeholders, ..Shape::new(&app, workspace, &caller).await? };
    if page.endpoints.iter().any(|view| shape.shows_password(view)) {
        app.engine.note_listed(workspace, Seen::EndpointPasswords).await;
    }
    let webhooks: Vec<_> = page.endpoints.iter().map(|view| shape.webhook(view)).collect();
    let more = paging.skip().saturating_add(webhooks.len()) < page.total;
    let result_set = ResultSet::page(paging, webhooks.len(), more, Some(page.total));
    Ok(answer::page("webhooks", &webhooks, result_set))
}
