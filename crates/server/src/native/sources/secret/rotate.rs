//! `POST /v1/sources/{id}/secret/rotate`: rotate a source's secret.

use std::sync::Arc;

use axum::response::Response;
use hookyard_core::model::{Secret, Source as CoreSource};
use serde::Deserialize;
use utoipa::ToSchema;

use super::shape::{SourceSecret, answer, overlap};
use crate::native::call::{Call, Data, Within, Write};
use crate::native::input::Nothing;
use crate::native::paths;
use crate::native::sent::JsonBody;
use crate::problem::Problem;

/// What deliveries must prove to know from now on.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SourceSecretRotation {
    /// The secret, instead of one that is made.
    #[schema(value_type = Option<String>, write_only, min_length = 1, max_length = 1000)]
    secret: Option<Secret>,
    /// For how many seconds the present secret proves, too; 0 unless said, at most 30 days.
    #[schema(minimum = 0, maximum = 2592000)]
    overlap_seconds: Option<u32>,
}

/// Rotate a source's secret
///
/// Deliveries must prove to know the new one, or until the overlap is over the present one; that of an
/// earlier rotation counts no more. A source that was open is secure.
#[utoipa::path(
    post,
    path = paths::SOURCE_SECRET_ROTATE,
    tag = "sources",
    responses((status = 200, description = "The secret", body = SourceSecret)),
)]
pub(super) async fn rotate_source_secret(
    call: Call<Within<Write<Data>>, Arc<CoreSource>, Nothing, JsonBody<SourceSecretRotation>>,
) -> Result<Response, Problem> {
    let Call { app, target: source, body: JsonBody(rotation), .. } = call;
    let overlap = overlap(rotation.overlap_seconds)?;
    let (workspace, id) = (source.spec.workspace, source.id);
    let source = app.engine.rotate_source_secret(workspace, id, rotation.secret, overlap).await?;
    Ok(answer(&app, &source))
}
