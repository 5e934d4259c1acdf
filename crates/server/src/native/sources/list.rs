//! `GET /v1/sources`: pages of sources.

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use hookyard_core::id::{ProjectId, SourceId};
use hookyard_core::model::Scope;
use hookyard_engine::Error;
use hookyard_store::SourceQuery;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::SOURCES;
use super::shape::Source;
use crate::App;
use crate::native::{caller, input};
use crate::problem::Problem;

/// Sources of a page that does not say.
const LIMIT_DEFAULT: usize = 100;

/// The most sources of a page. With every setting at its longest each has some twenty kilobytes.
const LIMIT_MAX: usize = 200;

/// Which sources to list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Params {
    /// Of this project only; of all unless said.
    #[param(nullable = false, minimum = 0, maximum = 2147483647)]
    project: Option<u32>,
    /// With a higher number than this.
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
    /// The path and query of the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// List sources
///
/// A page of the workspace's sources, numbers ascending.
#[utoipa::path(
    get,
    path = SOURCES,
    tag = "sources",
    params(Params),
    responses((status = 200, description = "A page of sources", body = SourcePage)),
    security(("simple_key" = ["data_read"])),
)]
pub(super) async fn list_sources(
    State(app): State<App>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let reach = caller::reach(&app, &headers, Scope::DataRead).await?;
    let params: Params = input::query(raw.as_deref())?;
    let limit = input::limit(params.limit, LIMIT_DEFAULT, LIMIT_MAX)?;
    let project = input::number_of("project", params.project)?;
    let after = input::number_of("after", params.after)?;
    let query = SourceQuery {
        project: reach.narrow(project.map(ProjectId))?,
        after: after.map(SourceId),
        // One more than the page tells whether there is another.
        limit: limit + 1,
    };
    let found = app.engine.store().sources_page(reach.workspace, query).await;
    let found = found.map_err(Error::from)?;
    let shown = &found[..found.len().min(limit)];
    let next = shown.last().filter(|_| found.len() > limit).map(|last| {
        let pairs = [
            ("project", params.project.map(|project| project.to_string())),
            ("after", Some(last.id.to_string())),
            ("limit", Some(limit.to_string())),
        ];
        input::next_page(SOURCES, &pairs)
    });
    let sources = shown.iter().map(|source| Source::new(source)).collect();
    Ok(Json(SourcePage { sources, next }).into_response())
}
