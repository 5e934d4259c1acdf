//! `DELETE /v1/customers/{customer}`: remove a customer with all endpoints.

use axum::Json;
use axum::response::{IntoResponse, Response};
use hookyard_engine::customers::CustomerRemoval;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::native::call::{Call, Webhooks, Write};
use crate::native::paths;
use crate::native::target::CustomerText;
use crate::problem::Problem;

/// How to remove a customer.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Params {
    /// With true, nothing is removed: the answer only counts.
    #[param(nullable = false)]
    dry_run: Option<bool>,
}

/// The extent of a customer's removal.
#[derive(Serialize, ToSchema)]
pub(super) struct RemovedCustomer {
    /// Endpoints of the customer.
    endpoints: usize,
    /// Events that wait in the endpoints' queues.
    pending: u64,
    /// The endpoints' dead letters.
    dead_letters: u64,
    /// Whether nothing was removed.
    dry_run: bool,
}

/// Remove a customer
///
/// Removes the customer with all endpoints, their queues, their logs and their dead letters. Events stay in
/// the journal for as long as the retention says.
#[utoipa::path(
    delete,
    path = paths::CUSTOMER,
    tag = "customers",
    responses((status = 200, description = "What is removed", body = RemovedCustomer)),
)]
pub(super) async fn delete_customer(
    call: Call<Write<Webhooks>, CustomerText, Params>,
) -> Result<Response, Problem> {
    let Call { app, caller: workspace, target: CustomerText(code), query, .. } = call;
    let dry_run = query.dry_run.unwrap_or(false);
    let removal = app.engine.delete_customer(workspace, &code, dry_run).await?;
    let CustomerRemoval { endpoints, pending, dead_letters } = removal;
    Ok(Json(RemovedCustomer { endpoints, pending, dead_letters, dry_run }).into_response())
}
