//! `GET /v1/applications`: pages of applications.

use axum::Json;
use axum::response::{IntoResponse, Response};
use hookyard_core::id::ApplicationId;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::shape::Application;
use crate::native::call::{Admin, Call};
use crate::native::page::{Limit, Page, PageSize};
use crate::native::{input, paths};
use crate::problem::Problem;

/// How many entries of a page. With the longest settings an application has some fifty kilobytes.
const PAGE: PageSize = PageSize { default: 100, max: 200 };

/// A page of applications.
#[derive(Deserialize, Serialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Params {
    /// Applications with a higher number only.
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
    /// The path and query of the next page; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

impl Params {
    /// The number to begin behind, and how many entries.
    pub(super) fn checked(self) -> Result<(Option<i32>, Limit), Problem> {
        Ok((input::number_of("after", self.after)?, PAGE.limit(self.limit)?))
    }

    /// The query of the page behind a number.
    pub(super) fn behind(last: i32, limit: Limit) -> Self {
        Self { after: Some(last.unsigned_abs()), limit: Some(limit.get()) }
    }
}

/// List applications
///
/// A page of the workspace's applications, numbers ascending.
#[utoipa::path(
    get,
    path = paths::APPLICATIONS,
    tag = "applications",
    responses((status = 200, description = "A page of applications", body = ApplicationPage)),
)]
pub(super) async fn list_applications(call: Call<Admin, (), Params>) -> Result<Response, Problem> {
    let Call { app, caller: workspace, query: params, .. } = call;
    let (after, limit) = params.checked()?;
    let after = after.map(ApplicationId);
    let found = app.engine.of(workspace).applications(after, limit.and_one()).await?;
    let page = Page::cut(found, limit);
    let applications = page.entries.iter().map(Application::new).collect();
    let next = page.next(&app.link(&paths::APPLICATIONS), |last| Params::behind(last.id.0, limit));
    Ok(Json(ApplicationPage { applications, next }).into_response())
}
