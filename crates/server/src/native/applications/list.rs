//! `GET /v1/applications`: pages of applications.

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use hookyard_core::id::ApplicationId;
use hookyard_core::model::Scope;
use hookyard_engine::Error;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::APPLICATIONS;
use super::shape::Application;
use crate::App;
use crate::native::{caller, input};
use crate::problem::Problem;

/// Entries of a page that does not say.
pub(super) const LIMIT_DEFAULT: usize = 100;

/// The most entries of a page. With the longest settings an application has some fifty kilobytes.
pub(super) const LIMIT_MAX: usize = 200;

/// Which entries to list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Params {
    /// With a higher number than this.
    #[param(nullable = false, minimum = 0, maximum = 2147483647)]
    after: Option<u32>,
    /// The most entries of the page; 100 unless said.
    #[param(nullable = false, minimum = 1, maximum = 200)]
    limit: Option<usize>,
}

/// A page of applications, numbers ascending.
#[derive(Serialize, ToSchema)]
pub(super) struct ApplicationPage<'a> {
    applications: Vec<Application<'a>>,
    /// The path and query of the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

impl Params {
    /// The number to begin behind, and how many entries.
    pub(super) fn checked(self) -> Result<(Option<i32>, usize), Problem> {
        let limit = input::limit(self.limit, LIMIT_DEFAULT, LIMIT_MAX)?;
        let after = input::number_of("after", self.after)?;
        Ok((after, limit))
    }
}

/// Cuts what was read, one more than the page has, to the page; the number to go on behind.
pub(super) fn cut<T>(found: &mut Vec<T>, limit: usize, id: impl Fn(&T) -> i32) -> Option<i32> {
    let more = found.len() > limit;
    found.truncate(limit);
    found.last().filter(|_| more).map(id)
}

/// The path and query of the page behind a number.
pub(super) fn next_page(path: &str, last: i32, limit: usize) -> String {
    let pairs = [("after", Some(last.to_string())), ("limit", Some(limit.to_string()))];
    input::next_page(path, &pairs)
}

/// List applications
///
/// A page of the workspace's applications, numbers ascending.
#[utoipa::path(
    get,
    path = APPLICATIONS,
    tag = "applications",
    params(Params),
    responses((status = 200, description = "A page of applications", body = ApplicationPage)),
    security(("simple_key" = ["admin"])),
)]
pub(super) async fn list_applications(
    State(app): State<App>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let workspace = caller::workspace(&app, &headers, Scope::Admin).await?;
    let (after, limit) = input::query::<Params>(raw.as_deref())?.checked()?;
    let after = after.map(ApplicationId);
    let found = app.engine.store().applications(workspace, after, limit + 1).await;
    let mut found = found.map_err(Error::from)?;
    let last = cut(&mut found, limit, |application| application.id.0);
    let page = ApplicationPage {
        applications: found.iter().map(Application::new).collect(),
        next: last.map(|last| next_page(APPLICATIONS, last, limit)),
    };
    Ok(Json(page).into_response())
}
