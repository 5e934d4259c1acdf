//! The key and the secret of a source.

use axum::Json;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use hookyard_core::model::{Secret, Source as CoreSource};
use hookyard_engine::sources::OVERLAP_MAX;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::App;
use crate::native::input;
use crate::problem::Problem;

/// The secret behind the proof of deliveries to a source.
#[derive(Serialize, ToSchema)]
pub(super) struct SourceSecret<'a> {
    /// The secret; absent when the source is open.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<&'a str>,
    /// The end of the previous secret's overlap; absent when the previous secret proves nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    previous_until: Option<Timestamp>,
}

/// The overlap in a caller's request.
pub(super) fn overlap(seconds: Option<u32>) -> Result<SignedDuration, Problem> {
    let most = u32::try_from(OVERLAP_MAX.as_secs()).unwrap_or(u32::MAX);
    let seconds = input::at_most("overlap_seconds", seconds, most)?.unwrap_or(0);
    Ok(SignedDuration::from_secs(seconds.into()))
}

pub(super) fn answer(app: &App, source: &CoreSource) -> Response {
    let now = app.engine.clock().now();
    let secret = source.spec.secret.as_ref().map(Secret::expose);
    let previous = source.spec.previous.secret.as_ref().filter(|it| it.counts(now));
    let body = SourceSecret { secret, previous_until: previous.map(|it| it.until) };
    ([(header::CACHE_CONTROL, "no-store")], Json(body)).into_response()
}

/// Examples of the file's schemas, by name.
pub(in crate::native) fn samples() -> Vec<(&'static str, Value)> {
    vec![(
        "SourceSecretRotation",
        json!({"secret": "whsec_of_the_provider", "overlap_seconds": 86_400}),
    )]
}
