//! `POST /v1/sources/{id}/key/rotate`: rotate a source's key.

use std::sync::Arc;

use axum::Json;
use axum::response::{IntoResponse, Response};
use hookyard_core::model::Source as CoreSource;
use serde::Deserialize;
use utoipa::IntoParams;

use super::shape::overlap;
use crate::native::call::{Call, Data, Within, Write};
use crate::native::paths;
use crate::native::sources::shape::Source;
use crate::problem::Problem;
use crate::public;

/// How a key is rotated.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct KeyRotationParams {
    /// For how many seconds the present URL is good, too; 0 unless said, at most 30 days.
    #[param(nullable = false, minimum = 0, maximum = 2592000)]
    overlap_seconds: Option<u32>,
}

/// Rotate a source's key
///
/// The source gets a new URL. The present URL is answered 404 once the overlap is over; an overlap may be
/// zero. A URL from an earlier rotation is answered 404 at once.
#[utoipa::path(
    post,
    path = paths::SOURCE_KEY_ROTATE,
    tag = "sources",
    responses((status = 200, description = "The source", body = Source)),
)]
pub(super) async fn rotate_key(
    call: Call<Within<Write<Data>>, Arc<CoreSource>, KeyRotationParams>,
) -> Result<Response, Problem> {
    let Call { app, target: source, query: params, headers, .. } = call;
    let overlap = overlap(params.overlap_seconds)?;
    let workspace = source.spec.workspace;
    let source = app.engine.rotate_source_key(workspace, source.id, overlap).await?;
    let base = public::url(&app.settings, &headers);
    Ok(Json(Source::new(&source, base.as_deref())).into_response())
}
