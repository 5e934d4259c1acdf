//! `/v1/workspace` and `/v1/projects`: the tenant and the tenant's parts.

mod create_project;
mod delete_project;
mod get_project;
mod get_quotas;
mod get_workspace;
mod list_projects;
mod rename_project;
mod rename_workspace;
mod shape;

use utoipa_axum::router::OpenApiRouter;

use crate::App;
use crate::native::operation::operations;

pub(in crate::native) use shape::samples;

pub(super) fn router() -> OpenApiRouter<App> {
    operations![
        get_workspace::get_workspace,
        get_quotas::get_quotas,
        rename_workspace::rename_workspace,
        list_projects::list_projects,
        create_project::create_project,
        get_project::get_project,
        rename_project::rename_project,
        delete_project::delete_project,
    ]
}
