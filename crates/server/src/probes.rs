//! What a supervisor asks: is the process alive, can it take work.

use axum::Router;
use axum::extract::State;
use axum::routing::get;

use crate::App;
use crate::problem::{Code, Problem};

/// Answers as long as the process runs.
pub(crate) const LIVEZ: &str = "/livez";

/// Answers 200 while a transaction can be committed, else 503 with the reason.
pub(crate) const READYZ: &str = "/readyz";

pub(crate) fn router() -> Router<App> {
    Router::new().route(LIVEZ, get(livez)).route(READYZ, get(readyz))
}

async fn livez() -> &'static str {
    "ok\n"
}

async fn readyz(State(app): State<App>) -> Result<&'static str, Problem> {
    match app.engine.store().health().await {
        Ok(()) => Ok("ok\n"),
        Err(error) => Err(Problem::new(Code::Unavailable, error.to_string())),
    }
}
