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

/// The next secret of deliveries.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SourceSecretRotation {
    /// The secret, instead of a secret made by the server.
    #[schema(value_type = Option<String>, write_only, min_length = 1, max_length = 1000)]
    secret: Option<Secret>,
    /// For how many seconds the present secret proves, too; 0 unless said, at most 30 days.
    #[schema(minimum = 0, maximum = 2592000)]
    overlap_seconds: Option<u32>,
}

/// Rotate a source's secret
///
/// Deliveries must prove knowledge of the new secret or, until the overlap is over, of the present secret.
/// A secret from an earlier rotation ends at once. An open source becomes secure.
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
