//! `GET /v1/customers/{customer}`: a customer.

use axum::Json;
use axum::response::{IntoResponse, Response};

use super::shape::Customer;
use crate::native::call::{Call, Read, Webhooks};
use crate::native::paths;
use crate::native::target::CustomerText;
use crate::problem::Problem;

/// Get a customer
#[utoipa::path(
    get,
    path = paths::CUSTOMER,
    tag = "customers",
    responses((status = 200, description = "The customer", body = Customer)),
)]
pub(super) async fn get_customer(
    call: Call<Read<Webhooks>, CustomerText>,
) -> Result<Response, Problem> {
    let Call { app, caller: workspace, target: CustomerText(code), .. } = call;
    let view = app.engine.customer(workspace, &code).await?;
    Ok(Json(Customer::from(view)).into_response())
}
