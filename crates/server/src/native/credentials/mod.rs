//! `/v1/credentials`: keys and tokens that open the APIs.

mod change;
mod create;
mod get;
mod list;
mod revoke;
mod rotate;
mod shape;
mod update;

use utoipa_axum::router::OpenApiRouter;

use super::operation::operations;
use crate::App;

/// Examples of the folder's schemas, by name.
pub(super) fn samples() -> Vec<(&'static str, serde_json::Value)> {
    [change::samples(), rotate::samples()].concat()
}

pub(super) fn router() -> OpenApiRouter<App> {
    operations![
        list::list_credentials,
        create::create_credential,
        get::get_credential,
        update::update_credential,
        revoke::revoke_credential,
        rotate::rotate_credential,
    ]
}
