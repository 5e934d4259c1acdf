//! `PATCH /v1/customers/{customer}`: change a customer.

use axum::Json;
use axum::response::{IntoResponse, Response};

use super::shape::{Customer, CustomerChange};
use crate::native::call::{Call, Webhooks, Write};
use crate::native::input::Nothing;
use crate::native::paths;
use crate::native::sent::PatchBody;
use crate::native::target::CustomerText;
use crate::problem::Problem;

/// Change a customer
///
/// A JSON merge patch (RFC 7396): what is absent stays, also in `metadata`; null takes away.
#[utoipa::path(
    patch,
    path = paths::CUSTOMER,
    tag = "customers",
    responses((status = 200, description = "The customer", body = Customer)),
)]
pub(super) async fn update_customer(
    call: Call<Write<Webhooks>, CustomerText, Nothing, PatchBody<CustomerChange>>,
) -> Result<Response, Problem> {
    let Call { app, caller: workspace, target, body: PatchBody(change), .. } = call;
    let CustomerText(code) = target;
    let view = app.engine.patch_customer(workspace, &code, change.into()).await?;
    Ok(Json(Customer::from(view)).into_response())
}
