//! `PATCH /v1/applications/{id}`: change an application.

use axum::Json;
use axum::response::{IntoResponse, Response};
use hookyard_core::model::Application as CoreApplication;

use super::change::ApplicationPatch;
use super::shape::Application;
use crate::native::call::{Call, Person};
use crate::native::input::Nothing;
use crate::native::paths;
use crate::native::sent::PatchBody;
use crate::problem::Problem;

/// Change an application
///
/// A JSON merge patch (RFC 7396): absent members stay, null removes a value, a list is replaced as a whole.
/// A disabled application's tokens are answered 410 until the application is enabled again, and its consent
/// pages say so.
#[utoipa::path(
    patch,
    path = paths::APPLICATION,
    tag = "applications",
    responses((status = 200, description = "The application", body = Application)),
)]
pub(super) async fn update_application(
    call: Call<Person, CoreApplication, Nothing, PatchBody<ApplicationPatch>>,
) -> Result<Response, Problem> {
    let Call {
        app,
        caller: workspace,
        target: CoreApplication { id, .. },
        body: PatchBody(patch),
        ..
    } = call;
    let application = app.engine.update_application(workspace, id, patch.change()?).await?;
    Ok(Json(Application::new(&application)).into_response())
}
