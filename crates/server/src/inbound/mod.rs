//! The receive path of sources (spec/mammoth.md sections 2 to 5).

use axum::Router;

use crate::App;

pub(crate) fn router() -> Router<App> {
    Router::new()
}
