//! `GET /v1/customers`: pages of customers.

use axum::Json;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::shape::Customer;
use crate::native::call::{Call, Read, Webhooks};
use crate::native::page::{Page, PageSize};
use crate::native::paths;
use crate::problem::Problem;

/// How many customers of a page. A customer has some kilobytes at most.
const PAGE: PageSize = PageSize { default: 100, max: 500 };

/// Which customers to list.
#[derive(Deserialize, Serialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Params {
    /// Customers with ids after this id only, in the order of bytes.
    #[param(value_type = Option<String>, nullable = false)]
    after: Option<String>,
    /// The most customers of the page; 100 unless said.
    #[param(nullable = false, minimum = 1, maximum = 500)]
    limit: Option<usize>,
}

/// A page of customers, ids ascending in the order of bytes.
#[derive(Serialize, ToSchema)]
pub(super) struct CustomerPage {
    customers: Vec<Customer>,
    /// The path and query of the next page; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// List customers
#[utoipa::path(
    get,
    path = paths::CUSTOMERS,
    tag = "customers",
    responses((status = 200, description = "A page of customers", body = CustomerPage)),
)]
pub(super) async fn list_customers(
    call: Call<Read<Webhooks>, (), Params>,
) -> Result<Response, Problem> {
    let Call { app, caller: workspace, query: params, .. } = call;
    let limit = PAGE.limit(params.limit)?;
    let after = params.after.as_deref();
    let found = app.engine.customers(workspace, after, limit.and_one()).await?;
    let page = Page::cut(found, limit);
    let next = page.next(&app.link(&paths::CUSTOMERS), |last| Params {
        after: Some(last.customer.code.to_string()),
        limit: Some(limit.get()),
    });
    let customers = page.entries.into_iter().map(Customer::from).collect();
    Ok(Json(CustomerPage { customers, next }).into_response())
}
