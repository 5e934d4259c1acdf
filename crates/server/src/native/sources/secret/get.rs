//! `GET /v1/sources/{id}/secret`: get a source's secret.

use std::sync::Arc;

use axum::response::Response;
use hookyard_core::model::Source as CoreSource;
use hookyard_store::Seen;

use super::shape::{SourceSecret, answer};
use crate::native::call::{Call, Data, Within, Write};
use crate::native::paths;
use crate::problem::Problem;

/// Get a source's secret
#[utoipa::path(
    get,
    path = paths::SOURCE_SECRET,
    tag = "sources",
    responses((status = 200, description = "The secret", body = SourceSecret)),
)]
pub(super) async fn get_source_secret(
    call: Call<Within<Write<Data>>, Arc<CoreSource>>,
) -> Result<Response, Problem> {
    let Call { app, target: source, .. } = call;
    // A holder of the secret can pass for the sender, so a reading scope does not suffice.
    app.engine.note_seen(source.spec.workspace, Seen::SourceSecret(source.id)).await?;
    Ok(answer(&app, &source))
}
