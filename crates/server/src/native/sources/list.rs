//! `GET /v1/sources`: pages of sources.

use axum::Json;
use axum::response::{IntoResponse, Response};
use hookyard_core::id::{ProjectId, SourceId};
use hookyard_store::SourceQuery;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::shape::Source;
use crate::native::call::{Call, Data, Read, Within};
use crate::native::page::{Page, PageSize};
use crate::native::{input, paths};
use crate::problem::Problem;
use crate::public;

/// How many sources of a page. With every setting at its longest each has some twenty kilobytes.
const PAGE: PageSize = PageSize { default: 100, max: 200 };

/// The sources to list.
#[derive(Deserialize, Serialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Params {
    /// Sources of this project only; of all projects by default.
    #[param(nullable = false, minimum = 0, maximum = 2147483647)]
    project: Option<u32>,
    /// Sources with a higher number only.
    #[param(nullable = false, minimum = 0, maximum = 2147483647)]
    after: Option<u32>,
    /// The most sources of the page; 100 unless said.
    #[param(nullable = false, minimum = 1, maximum = 200)]
    limit: Option<usize>,
}

/// A page of sources, numbers ascending.
#[derive(Serialize, ToSchema)]
pub(super) struct SourcePage<'a> {
    sources: Vec<Source<'a>>,
    /// The path and query of the next page; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// List sources
///
/// A page of the workspace's sources, numbers ascending.
#[utoipa::path(
    get,
    path = paths::SOURCES,
    tag = "sources",
    responses((status = 200, description = "A page of sources", body = SourcePage)),
)]
pub(super) async fn list_sources(
    call: Call<Within<Read<Data>>, (), Params>,
) -> Result<Response, Problem> {
    let Call { app, caller: reach, query: params, headers, .. } = call;
    let limit = PAGE.limit(params.limit)?;
    let project = input::number_of("project", params.project)?;
    let after = input::number_of("after", params.after)?;
    let query = SourceQuery {
        project: reach.narrow(project.map(ProjectId))?,
        after: after.map(SourceId),
        limit: limit.and_one(),
    };
    let found = app.engine.of(reach.workspace).sources_page(query).await?;
    let page = Page::cut(found, limit);
    let base = public::url(&app.settings, &headers);
    let sources = page.entries.iter().map(|source| Source::new(source, base.as_deref())).collect();
    let next = page.next(&app.link(&paths::SOURCES), |last| Params {
        after: Some(last.id.0.unsigned_abs()),
        limit: Some(limit.get()),
        ..params
    });
    Ok(Json(SourcePage { sources, next }).into_response())
}
