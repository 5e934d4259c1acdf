use std::sync::Arc;

use async_trait::async_trait;
use hookyard_core::id::WorkspaceId;
use hookyard_core::model::{
    Customer, CustomerCode, CustomerPatch, CustomerSettings, Endpoint, EndpointSettings,
    Subscription,
};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::StoreError;

/// The most customers of a workspace: ten times the largest measured workspace. A record has some kilobytes
/// at most.
pub const CUSTOMERS_MAX: usize = 1_000_000;

/// The most endpoints of a customer. A customer is removed in one transaction, which others wait for.
pub const CUSTOMER_ENDPOINTS_MAX: usize = 1_000;

/// Reads the columns of customers, on both stores.
pub(crate) const CUSTOMERS: &str =
    "SELECT id, workspace_id, code, name, metadata, created_ms FROM customers";

/// A removed customer, with all that went along.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemovedCustomer {
    /// The customer.
    pub customer: Customer,
    /// The removed endpoints, numbers ascending.
    pub endpoints: Vec<Arc<Endpoint>>,
}

/// Customers of workspaces. A customer without endpoints is a record alone.
#[async_trait]
pub trait CustomerStore: Send + Sync {
    /// Makes a customer, or replaces a customer's settings; whether the customer is new.
    /// [`StoreError::NotFound`] when there is no such workspace, [`StoreError::Conflict`] when the workspace
    /// has [`CUSTOMERS_MAX`].
    async fn put_customer(
        &self,
        workspace: WorkspaceId,
        code: CustomerCode,
        settings: CustomerSettings,
        now: Timestamp,
    ) -> Result<(Customer, bool), StoreError>;

    /// Changes a customer's settings; `None` when there is no such customer. [`StoreError::Conflict`] when
    /// the changed settings are out of bounds.
    async fn patch_customer(
        &self,
        workspace: WorkspaceId,
        code: CustomerCode,
        patch: CustomerPatch,
    ) -> Result<Option<Customer>, StoreError>;

    /// A customer; `None` when there is no such customer.
    async fn customer(
        &self,
        workspace: WorkspaceId,
        code: CustomerCode,
    ) -> Result<Option<Customer>, StoreError>;

    /// Customers with ids after another id, ascending by bytes; at most `limit`.
    async fn customers(
        &self,
        workspace: WorkspaceId,
        after: Option<CustomerCode>,
        limit: usize,
    ) -> Result<Vec<Customer>, StoreError>;

    /// Registers an endpoint of a customer, as [`CatalogStore::create_endpoint`](crate::CatalogStore) does
    /// for the owner. The first endpoint with an unknown customer makes the customer's record.
    /// [`StoreError::Conflict`] when the customer has [`CUSTOMER_ENDPOINTS_MAX`], or the workspace has
    /// [`CUSTOMERS_MAX`].
    async fn create_customer_endpoint(
        &self,
        workspace: WorkspaceId,
        customer: CustomerCode,
        settings: EndpointSettings,
        subscriptions: Vec<Subscription>,
        now: Timestamp,
    ) -> Result<Arc<Endpoint>, StoreError>;

    /// Removes a customer with all endpoints, their queues and dead letters. `None` when there is no such
    /// customer. Attempts can no longer be read, and go with their age.
    async fn delete_customer(
        &self,
        workspace: WorkspaceId,
        code: CustomerCode,
    ) -> Result<Option<RemovedCustomer>, StoreError>;
}

/// Refuses a customer beyond the most.
pub(crate) fn may_add_customer(there: usize) -> Result<(), StoreError> {
    if there < CUSTOMERS_MAX {
        return Ok(());
    }
    let message = format!("the workspace has {CUSTOMERS_MAX} customers, which is the most");
    Err(StoreError::Conflict(message))
}

/// Refuses an endpoint beyond the most of a customer.
pub(crate) fn may_add_endpoint(code: &CustomerCode, there: usize) -> Result<(), StoreError> {
    if there < CUSTOMER_ENDPOINTS_MAX {
        return Ok(());
    }
    Err(StoreError::Conflict(format!(
        "the customer {code} has {CUSTOMER_ENDPOINTS_MAX} endpoints, which is the most"
    )))
}

/// The settings after a change, within bounds.
pub(crate) fn patched(
    before: CustomerSettings,
    patch: CustomerPatch,
) -> Result<CustomerSettings, StoreError> {
    let after = before.patched(patch);
    match after.check() {
        Ok(()) => Ok(after),
        Err((member, fault)) => Err(StoreError::Conflict(format!("{member} {fault}"))),
    }
}

/// The detail for the audit log of a customer that appears, changes or goes. Metadata is for programs, and
/// may be long.
pub(crate) fn about(settings: &CustomerSettings) -> Value {
    json!({ "name": settings.name, "metadata": settings.metadata.keys().collect::<Vec<_>>() })
}
