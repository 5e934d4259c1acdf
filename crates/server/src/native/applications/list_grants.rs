//! `GET /v1/applications/{id}/grants`: list an application's grants.

use axum::Json;
use axum::response::{IntoResponse, Response};
use hookyard_core::id::{ApplicationId, GrantId};
use serde::Serialize;
use utoipa::ToSchema;

use super::list::Params;
use super::shape::Grant;
use crate::native::call::{Admin, Call};
use crate::native::page::Page;
use crate::native::paths;
use crate::problem::Problem;

/// A page of grants, numbers ascending.
#[derive(Serialize, ToSchema)]
pub(super) struct GrantPage {
    grants: Vec<Grant>,
    /// The path and query of the next page; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// List an application's grants
///
/// A page of the application's grants without the revoked ones, numbers ascending.
#[utoipa::path(
    get,
    path = paths::GRANTS,
    tag = "applications",
    responses((status = 200, description = "A page of grants", body = GrantPage)),
)]
pub(super) async fn list_grants(
    call: Call<Admin, ApplicationId, Params>,
) -> Result<Response, Problem> {
    let Call { app, caller: workspace, target: id, query: params, .. } = call;
    let (after, limit) = params.checked()?;
    let after = after.map(GrantId);
    let found = app.engine.of(workspace).grants(id, after, limit.and_one()).await?;
    let page = Page::cut(found, limit);
    let grants = page.entries.iter().map(Grant::from).collect();
    let next =
        page.next(&app.link(&paths::GRANTS.of([&id])), |last| Params::behind(last.id.0, limit));
    Ok(Json(GrantPage { grants, next }).into_response())
}
