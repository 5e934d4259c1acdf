//! `GET /v1/sources/{id}/verification/learnt`: get the secret from a handshake.

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

/// The secret from a handshake.
#[derive(Serialize, ToSchema)]
struct LearntSecret<'a> {
    /// The secret; absent while no handshake came.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<&'a str>,
}

/// Get the secret from a handshake
///
/// Some providers ask their users to enter the secret once. 404 for a source whose provider sends no secret
/// in a handshake.
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
    // A holder of the secret can pass for the provider, so a reading scope does not suffice.
    let verification = source.spec.options.verification.as_ref();
    let learns = |it: &&Verification| it.preset().is_some_and(Preset::learns);
    let Some(verification) = verification.filter(learns) else {
        return Err(Problem::new(Code::NotFound, "the source's provider brings no secret"));
    };
    let secret = verification.secrets.first().map(Secret::expose);
    app.engine.note_seen(source.spec.workspace, Seen::SourceSecret(source.id)).await?;
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(LearntSecret { secret })).into_response())
}
