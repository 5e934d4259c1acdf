//! `DELETE /v1/sources/{id}/key/previous`: end a source's previous key.

use std::sync::Arc;

use axum::http::StatusCode;
use hookyard_core::model::Source as CoreSource;

use crate::native::call::{Call, Data, Within, Write};
use crate::native::paths;
use crate::problem::Problem;

/// End a source's previous key
///
/// The URL before the rotation is answered 404 from now on, whatever is left of the overlap.
#[utoipa::path(
    delete,
    path = paths::SOURCE_KEY_PREVIOUS,
    tag = "sources",
    responses((status = 204, description = "It is over")),
)]
pub(super) async fn end_previous_key(
    call: Call<Within<Write<Data>>, Arc<CoreSource>>,
) -> Result<StatusCode, Problem> {
    let Call { app, target: source, .. } = call;
    app.engine.end_previous_key(source.spec.workspace, source.id).await?;
    Ok(StatusCode::NO_CONTENT)
}
