//! `PATCH /v1/workspace`: rename the workspace.

use axum::Json;
use axum::response::{IntoResponse, Response};

use super::shape::{Rename, Workspace};
use crate::native::call::{Call, Person};
use crate::native::input::Nothing;
use crate::native::paths;
use crate::native::sent::PatchBody;
use crate::problem::Problem;

/// Rename the workspace
///
/// The workspace's number and merchant code stay.
#[utoipa::path(
    patch,
    path = paths::WORKSPACE,
    tag = "workspace",
    responses((status = 200, description = "The workspace", body = Workspace)),
)]
pub(super) async fn rename_workspace(
    call: Call<Person, (), Nothing, PatchBody<Rename>>,
) -> Result<Response, Problem> {
    let Call { app, caller: workspace, body: PatchBody(Rename { name }), .. } = call;
    let workspace = app.engine.rename_workspace(workspace, name).await?;
    Ok(Json(Workspace::from(workspace)).into_response())
}
