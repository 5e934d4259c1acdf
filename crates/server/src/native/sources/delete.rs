//! `DELETE /v1/sources/{id}`: remove a source.

use std::sync::Arc;

use axum::http::StatusCode;
use hookyard_core::model::{NewSource, Source as CoreSource};

use crate::native::call::{Call, Data, Within, Write};
use crate::native::paths;
use crate::problem::Problem;

/// Remove a source
///
/// The source's URL is answered 404 from then on. The dataset and the rows stay.
#[utoipa::path(
    delete,
    path = paths::SOURCE,
    tag = "sources",
    responses((status = 204, description = "It is gone")),
)]
pub(super) async fn delete_source(
    call: Call<Within<Write<Data>>, Arc<CoreSource>>,
) -> Result<StatusCode, Problem> {
    let Call { app, target: source, .. } = call;
    let NewSource { workspace, project, .. } = source.spec;
    app.engine.delete_source(workspace, project, source.id).await?;
    Ok(StatusCode::NO_CONTENT)
}
