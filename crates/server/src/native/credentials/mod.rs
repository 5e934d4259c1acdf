//! `/v1/credentials`: who may come in.

mod change;
mod create;
mod list;
mod one;
mod rotate;
mod shape;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::App;

/// Where credentials are listed and made.
const CREDENTIALS: &str = "/v1/credentials";

/// Examples of the schemas of this folder, by name.
pub(super) fn samples() -> Vec<(&'static str, serde_json::Value)> {
    [change::samples(), rotate::samples()].concat()
}

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list::list_credentials, create::create_credential))
        .routes(routes!(one::get_credential, one::update_credential, one::revoke_credential))
        .routes(routes!(rotate::rotate_credential))
}
