//! `/v1/applications`: OAuth2 clients of the workspace, and the grants by people.

mod change;
mod create;
mod delete;
mod get;
mod list;
mod list_grants;
mod revoke_grant;
mod shape;
mod update;

use utoipa_axum::router::OpenApiRouter;

use super::operation::operations;
use crate::App;

pub(super) use shape::samples;

pub(super) fn router() -> OpenApiRouter<App> {
    operations![
        list::list_applications,
        create::create_application,
        get::get_application,
        update::update_application,
        delete::delete_application,
        list_grants::list_grants,
        revoke_grant::revoke_grant,
    ]
}
