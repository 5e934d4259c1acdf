//! The Mammoth webhooks API, bare and under `/api/v2` (spec/mammoth.md).

use axum::Router;

use crate::App;

pub(crate) fn router() -> Router<App> {
    Router::new()
}
