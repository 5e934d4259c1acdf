//! `POST /v1/endpoints`: register an endpoint.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::change::NewEndpoint;
use super::shape;
use super::shape::Endpoint;
use crate::native::call::{Call, Webhooks, Write};
use crate::native::input::Nothing;
use crate::native::paths;
use crate::native::sent::JsonBody;
use crate::problem::Problem;

/// Register an endpoint
///
/// The target is judged now and again whenever it is connected to. With basic authentication a
/// password must be given: secrets are never shown.
#[utoipa::path(
    post,
    path = paths::ENDPOINTS,
    tag = "endpoints",
    responses(
        (status = 201, description = "The endpoint", body = Endpoint, headers(
            ("etag" = String, description = "Its revision"),
            ("location" = String, description = "Its path"),
        )),
    ),
)]
pub(super) async fn create_endpoint(
    call: Call<Write<Webhooks>, (), Nothing, JsonBody<NewEndpoint>>,
) -> Result<Response, Problem> {
    let Call { app, caller: workspace, body: JsonBody(NewEndpoint(new)), .. } = call;
    let view = app.engine.create_endpoint(workspace, new.change(None)?).await?;
    let location = [(header::LOCATION, app.link(&paths::ENDPOINT.of([&view.endpoint.id])))];
    Ok((location, shape::answer(&app, StatusCode::CREATED, &view).await?).into_response())
}
