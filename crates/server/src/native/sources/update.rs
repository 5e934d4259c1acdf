//! `PATCH /v1/sources/{id}`: change a source.

use std::sync::Arc;

use axum::Json;
use axum::response::{IntoResponse, Response};
use hookyard_core::model::Source as CoreSource;

use super::change::SourcePatch;
use super::check_republish;
use super::shape::Source;
use crate::native::call::{Call, Data, Within, Write};
use crate::native::input::Nothing;
use crate::native::paths;
use crate::native::sent::PatchBody;
use crate::problem::Problem;
use crate::public;

/// Change a source
///
/// A JSON merge patch (RFC 7396): absent members stay, null restores the default, a list is replaced as a
/// whole. The change counts from the next delivery on; existing rows stay.
#[utoipa::path(
    patch,
    path = paths::SOURCE,
    tag = "sources",
    responses((status = 200, description = "The source", body = Source)),
)]
pub(super) async fn update_source(
    call: Call<Within<Write<Data>>, Arc<CoreSource>, Nothing, PatchBody<SourcePatch>>,
) -> Result<Response, Problem> {
    let Call { app, caller: reach, target: source, body: PatchBody(patch), headers, .. } = call;
    let change = patch.change()?;
    check_republish(reach, change.options.republish.as_ref().and_then(Option::as_ref))?;
    let source = app.engine.patch_source(reach.workspace, source.id, change).await?;
    let base = public::url(&app.settings, &headers);
    Ok(Json(Source::new(&source, base.as_deref())).into_response())
}
