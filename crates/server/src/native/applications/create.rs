//! `POST /v1/applications`: register an application.

use axum::Json;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::APPLICATIONS;
use super::change::NewApplication;
use super::shape::Application;
use crate::App;
use crate::native::caller;
use crate::native::input::{self, Nothing};
use crate::problem::Problem;

/// Register an application
///
/// It has a client id and no secret: applications are public clients. What it may do is fixed here;
/// each person who lets it in allows that or a part of it.
#[utoipa::path(
    post,
    path = APPLICATIONS,
    tag = "applications",
    request_body = NewApplication,
    responses(
        (status = 201, description = "The application", body = Application, headers(
            ("location" = String, description = "Its path"),
        )),
        (status = 409, description = "The workspace has too many"),
    ),
    security(("simple_key" = ["admin"])),
)]
pub(super) async fn create_application(
    State(app): State<App>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let workspace = caller::person(&app, &headers).await?;
    input::query::<Nothing>(raw.as_deref())?;
    let new: NewApplication = input::json(&headers, body, &[input::JSON]).await?;
    let (scopes, settings) = new.parts();
    let application = app.engine.create_application(workspace, scopes, settings).await?;
    let location = [(header::LOCATION, format!("{APPLICATIONS}/{}", application.id))];
    Ok((StatusCode::CREATED, location, Json(Application::new(&application))).into_response())
}
