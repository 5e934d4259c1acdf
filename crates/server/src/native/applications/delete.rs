//! `DELETE /v1/applications/{id}`: remove an application.

use axum::http::StatusCode;
use hookyard_core::id::ApplicationId;

use crate::native::call::{Call, Person};
use crate::native::paths;
use crate::problem::Problem;

/// Remove an application
///
/// All grants go with the application: no token of the application opens anything any more.
#[utoipa::path(
    delete,
    path = paths::APPLICATION,
    tag = "applications",
    responses((status = 204, description = "It is gone")),
)]
pub(super) async fn delete_application(
    call: Call<Person, ApplicationId>,
) -> Result<StatusCode, Problem> {
    let Call { app, caller: workspace, target: id, .. } = call;
    app.engine.delete_application(workspace, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
