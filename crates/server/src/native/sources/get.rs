//! `GET /v1/sources/{id}`: get a source.

use std::sync::Arc;

use axum::Json;
use axum::response::{IntoResponse, Response};
use hookyard_core::model::Source as CoreSource;

use super::shape::Source;
use crate::native::call::{Call, Data, Read, Within};
use crate::native::paths;
use crate::problem::Problem;
use crate::public;

/// Get a source
#[utoipa::path(
    get,
    path = paths::SOURCE,
    tag = "sources",
    responses((status = 200, description = "The source", body = Source)),
)]
pub(super) async fn get_source(
    call: Call<Within<Read<Data>>, Arc<CoreSource>>,
) -> Result<Response, Problem> {
    let Call { app, target: source, headers, .. } = call;
    let base = public::url(&app.settings, &headers);
    Ok(Json(Source::new(&source, base.as_deref())).into_response())
}
