//! `GET /v1/sources/{id}/verification/learnt`: get the secret that a handshake brought.

use std::sync::Arc;

use axum::Json;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use hookyard_core::model::{Secret, Source as CoreSource};
use hookyard_core::provider::{Preset, Verification};
use hookyard_store::Seen;
use serde::Serialize;
use utoipa::ToSchema;

use crate::native::call::{Call, Data, Within, Write};
use crate::native::paths;
use crate::problem::{Code, Problem};

/// The secret that a handshake brought.
#[derive(Serialize, ToSchema)]
struct LearntSecret<'a> {
    /// The secret; absent while no handshake came.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<&'a str>,
}

/// Get the secret that a handshake brought
///
/// Some providers want it entered with them once. 404 for a source whose provider brings none.
#[utoipa::path(
    get,
    path = paths::VERIFICATION_LEARNT,
    tag = "sources",
    responses((status = 200, description = "The secret", body = LearntSecret)),
)]
pub(super) async fn get_learnt_secret(
    call: Call<Within<Write<Data>>, Arc<CoreSource>>,
) -> Result<Response, Problem> {
    let Call { app, target: source, .. } = call;
    // Whoever knows it can pass for the provider, so reading it is not for readers.
    let verification = source.spec.options.verification.as_ref();
    let learns = |it: &&Verification| it.preset().is_some_and(Preset::learns);
    let Some(verification) = verification.filter(learns) else {
        return Err(Problem::new(Code::NotFound, "the source's provider brings no secret"));
    };
    let secret = verification.secrets.first().map(Secret::expose);
    app.engine.note_seen(source.spec.workspace, Seen::SourceSecret(source.id)).await?;
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(LearntSecret { secret })).into_response())
}
