//! `GET /v1/applications/{id}`: get an application.

use axum::Json;
use axum::response::{IntoResponse, Response};
use hookyard_core::model::Application as CoreApplication;

use super::shape::Application;
use crate::native::call::{Admin, Call};
use crate::native::paths;
use crate::problem::Problem;

/// Get an application
#[utoipa::path(
    get,
    path = paths::APPLICATION,
    tag = "applications",
    responses((status = 200, description = "The application", body = Application)),
)]
pub(super) async fn get_application(
    call: Call<Admin, CoreApplication>,
) -> Result<Response, Problem> {
    let Call { target: application, .. } = call;
    Ok(Json(Application::new(&application)).into_response())
}
