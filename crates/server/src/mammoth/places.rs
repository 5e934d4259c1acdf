//! Workspaces and projects: as much as clients ask for to test a connection.

use axum::Json;
use hookyard_core::model::Scope;
use serde::Serialize;

use super::call::{Call, require};
use super::error::ApiError;
use super::query::Page;

/// What these lists hold when the caller names no limit, and at most (spec section 6.2).
const LIMIT_DEFAULT: usize = 10;
const LIMIT_MAX: usize = 100;

#[derive(Debug, Serialize)]
struct Named {
    id: i32,
    name: String,
}

#[derive(Debug, Serialize)]
pub(super) struct Workspaces {
    workspaces: Vec<Named>,
    limit: usize,
    offset: u64,
    next: String,
}

#[derive(Debug, Serialize)]
pub(super) struct Projects {
    projects: Vec<Named>,
    limit: usize,
    offset: u64,
    next: String,
}

/// The workspaces that the caller's credential opens: its own.
pub(super) async fn workspaces(call: Call) -> Result<Json<Workspaces>, ApiError> {
    let credential = call.credential().await?;
    require(&credential, Scope::DataRead)?;
    let page = page(&call)?;
    let own = call.app.engine.store().workspace(credential.workspace).await?;
    let named = own.into_iter().map(|own| Named { id: own.id.0, name: own.name }).collect();
    let (workspaces, next) = cut(&call, page, named);
    Ok(Json(Workspaces { workspaces, limit: page.limit, offset: page.offset, next }))
}

/// A workspace's projects, as far as the caller's credential opens them.
pub(super) async fn projects(call: Call) -> Result<Json<Projects>, ApiError> {
    let credential = call.of_workspace(Scope::DataRead).await?;
    let page = page(&call)?;
    let projects = call.app.engine.store().projects(credential.workspace).await?;
    let named = projects
        .into_iter()
        .filter(|project| credential.opens(project.id))
        .map(|project| Named { id: project.id.0, name: project.name })
        .collect();
    let (projects, next) = cut(&call, page, named);
    Ok(Json(Projects { projects, limit: page.limit, offset: page.offset, next }))
}

fn page(call: &Call) -> Result<Page, ApiError> {
    let mut query = call.query();
    let page = query.page(LIMIT_DEFAULT, LIMIT_MAX);
    call.checked(query)?;
    Ok(page)
}

fn cut(call: &Call, page: Page, named: Vec<Named>) -> (Vec<Named>, String) {
    let (shown, next) = page.cut(named);
    (shown, next.map(|offset| call.page_at(offset)).unwrap_or_default())
}
