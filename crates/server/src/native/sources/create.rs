//! `POST /v1/sources`: make a source.

use axum::Json;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hookyard_core::model::Scope;

use super::change::NewSource;
use super::shape::Source;
use super::{SOURCES, check_republish};
use crate::App;
use crate::native::input::{self, Nothing};
use crate::native::{caller, place};
use crate::problem::Problem;

/// Make a source
///
/// Its dataset is made with it. Nothing is required.
#[utoipa::path(
    post,
    path = SOURCES,
    tag = "sources",
    request_body = NewSource,
    responses(
        (status = 201, description = "The source", body = Source, headers(
            ("location" = String, description = "Its path"),
        )),
    ),
    security(("simple_key" = ["data_write"])),
)]
pub(super) async fn create_source(
    State(app): State<App>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let reach = caller::reach(&app, &headers, Scope::DataWrite).await?;
    input::query::<Nothing>(raw.as_deref())?;
    let new: NewSource = input::json(&headers, body, &[input::JSON]).await?;
    let (project, draft) = new.draft()?;
    check_republish(reach, draft.options.republish.as_ref())?;
    let project = place::project(&app, reach, project.map(|project| project.0)).await?;
    let source = app.engine.create_source(reach.workspace, project, draft).await?;
    let location = [(header::LOCATION, format!("{SOURCES}/{}", source.id))];
    Ok((StatusCode::CREATED, location, Json(Source::new(&source))).into_response())
}
