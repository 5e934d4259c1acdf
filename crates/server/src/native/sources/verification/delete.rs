//! `DELETE /v1/sources/{id}/verification`: go back to the usual proofs.

use std::sync::Arc;

use axum::http::StatusCode;
use hookyard_core::model::Source as CoreSource;

use crate::native::call::{Call, Data, Within, Write};
use crate::native::paths;
use crate::problem::Problem;

/// Go back to the usual proofs
///
/// The secrets of the verification are forgotten.
#[utoipa::path(
    delete,
    path = paths::VERIFICATION,
    tag = "sources",
    responses((status = 204, description = "It is gone")),
)]
pub(super) async fn delete_verification(
    call: Call<Within<Write<Data>>, Arc<CoreSource>>,
) -> Result<StatusCode, Problem> {
    let Call { app, target: source, .. } = call;
    app.engine.set_verification(source.spec.workspace, source.id, None).await?;
    Ok(StatusCode::NO_CONTENT)
}
