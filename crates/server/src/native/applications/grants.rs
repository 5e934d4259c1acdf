//! `/v1/applications/{id}/grants`: what people allowed an application, and taking it back.

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use hookyard_core::id::GrantId;
use hookyard_core::model::Scope;
use hookyard_engine::Error;
use serde::Serialize;
use utoipa::ToSchema;

use super::list::{Params, cut, next_page};
use super::shape::Grant;
use super::{APPLICATIONS, application_id};
use crate::App;
use crate::native::caller;
use crate::native::input::{self, Nothing, PathText};
use crate::problem::{Code, Problem};

/// A page of grants, numbers ascending.
#[derive(Serialize, ToSchema)]
pub(super) struct GrantPage {
    grants: Vec<Grant>,
    /// The path and query of the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// List an application's grants
///
/// A page of what people allowed it and did not take back, numbers ascending.
#[utoipa::path(
    get,
    path = "/v1/applications/{id}/grants",
    tag = "applications",
    params(("id" = i32, Path, description = "The application's number"), Params),
    responses((status = 200, description = "A page of grants", body = GrantPage)),
    security(("simple_key" = ["admin"])),
)]
pub(super) async fn list_grants(
    State(app): State<App>,
    PathText(id): PathText<String>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let workspace = caller::workspace(&app, &headers, Scope::Admin).await?;
    let (after, limit) = input::query::<Params>(raw.as_deref())?.checked()?;
    let (id, after) = (application_id(&id)?, after.map(GrantId));
    let found = app.engine.store().grants(workspace, id, after, limit + 1).await;
    let mut found = found.map_err(Error::from)?;
    let last = cut(&mut found, limit, |grant| grant.id.0);
    let page = GrantPage {
        grants: found.iter().map(Grant::from).collect(),
        next: last.map(|last| next_page(&format!("{APPLICATIONS}/{id}/grants"), last, limit)),
    };
    Ok(Json(page).into_response())
}

/// Revoke a grant
///
/// The access and refresh tokens that came of it open nothing any more.
#[utoipa::path(
    delete,
    path = "/v1/applications/{id}/grants/{grant}",
    tag = "applications",
    params(
        ("id" = i32, Path, description = "The application's number"),
        ("grant" = i32, Path, description = "The grant's number"),
    ),
    responses((status = 204, description = "It is revoked")),
    security(("simple_key" = ["admin"])),
)]
pub(super) async fn revoke_grant(
    State(app): State<App>,
    PathText((id, grant)): PathText<(String, String)>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
) -> Result<StatusCode, Problem> {
    let workspace = caller::person(&app, &headers).await?;
    input::query::<Nothing>(raw.as_deref())?;
    let id = application_id(&id)?;
    let grant: Option<GrantId> = input::number(&grant);
    let grant = grant.ok_or_else(|| Problem::new(Code::NotFound, "no such grant"))?;
    app.engine.revoke_grant(workspace, id, grant).await?;
    Ok(StatusCode::NO_CONTENT)
}
