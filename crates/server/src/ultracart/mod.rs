//! The UltraCart REST v2 webhook API under `/rest/v2` (spec/ultracart.md).

use axum::Router;

use crate::App;

pub(crate) fn router() -> Router<App> {
    Router::new()
}
