//! `PUT /v1/customers/{customer}`: make a customer, or replace a customer's settings.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::shape::{Customer, Settings};
use crate::native::call::{Call, Webhooks, Write};
use crate::native::input::Nothing;
use crate::native::paths;
use crate::native::sent::JsonBody;
use crate::native::target::CustomerText;
use crate::problem::Problem;

/// Make a customer
///
/// Makes the customer, or replaces the settings of a customer that is there: what is absent is empty
/// then. An id has 1 to 256 letters, digits and `. _ : @ -`. The first endpoint with a customer makes the
/// customer, too.
#[utoipa::path(
    put,
    path = paths::CUSTOMER,
    tag = "customers",
    responses(
        (status = 200, description = "The customer, changed", body = Customer),
        (status = 201, description = "The customer, made", body = Customer),
        (status = 409, description = "There are as many as there may be"),
    ),
)]
pub(super) async fn put_customer(
    call: Call<Write<Webhooks>, CustomerText, Nothing, JsonBody<Settings>>,
) -> Result<Response, Problem> {
    let Call { app, caller: workspace, target, body: JsonBody(settings), .. } = call;
    let CustomerText(code) = target;
    let (view, new) = app.engine.put_customer(workspace, &code, settings.into()).await?;
    let status = if new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(Customer::from(view))).into_response())
}
