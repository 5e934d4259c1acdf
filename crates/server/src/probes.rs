//! Probes for a supervisor: is the process alive, can the server take work.

use axum::extract::State;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::App;
use crate::problem::{Code, Problem};

/// Answers as long as the process runs.
pub(crate) const LIVEZ: &str = "/livez";

/// Answers 200 while a transaction can be committed, else 503 with the reason.
pub(crate) const READYZ: &str = "/readyz";

pub(crate) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(livez)).routes(routes!(readyz))
}

/// Ask whether the process runs
#[utoipa::path(
    get,
    path = LIVEZ,
    tag = "installation",
    responses((status = 200, description = "It runs", body = String, content_type = "text/plain")),
)]
async fn livez() -> &'static str {
    "ok\n"
}

/// Ask whether the server takes work
///
/// The server takes work while a transaction can be committed. The check runs at most once a second,
/// whoever asks.
#[utoipa::path(
    get,
    path = READYZ,
    tag = "installation",
    responses(
        (status = 200, description = "It does", body = String, content_type = "text/plain"),
        (status = 503, description = "It does not now, for the reason said"),
    ),
)]
async fn readyz(State(app): State<App>) -> Result<&'static str, Problem> {
    match app.readiness.ask().await {
        Ok(()) => Ok("ok\n"),
        Err(reason) => Err(Problem::new(Code::Unavailable, reason.as_ref())),
    }
}
