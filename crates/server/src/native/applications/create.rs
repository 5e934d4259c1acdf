//! `POST /v1/applications`: register an application.

use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::change::NewApplication;
use super::shape::Application;
use crate::native::call::{Call, Person};
use crate::native::input::Nothing;
use crate::native::paths;
use crate::native::sent::JsonBody;
use crate::problem::Problem;

/// Register an application
///
/// The application has a client id and no secret: applications are public clients. The scopes are fixed
/// here; each person who consents grants all of them or a part.
#[utoipa::path(
    post,
    path = paths::APPLICATIONS,
    tag = "applications",
    responses(
        (status = 201, description = "The application", body = Application, headers(
            ("location" = String, description = "Its path"),
        )),
        (status = 409, description = "The workspace has too many"),
    ),
)]
pub(super) async fn create_application(
    call: Call<Person, (), Nothing, JsonBody<NewApplication>>,
) -> Result<Response, Problem> {
    let Call { app, caller: workspace, body: JsonBody(new), .. } = call;
    let (scopes, settings) = new.parts();
    let application = app.engine.create_application(workspace, scopes, settings).await?;
    let location = [(header::LOCATION, app.link(&paths::APPLICATION.of([&application.id])))];
    Ok((StatusCode::CREATED, location, Json(Application::new(&application))).into_response())
}
