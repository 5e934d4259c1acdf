//! A workspace's customers: records, counts, and the removal with all endpoints.

use std::collections::HashMap;

use hookyard_core::id::{CustomerId, EndpointId, WorkspaceId};
use hookyard_core::model::{Customer, CustomerCode, CustomerPatch, CustomerSettings, QueueState};
use hookyard_store::Entity;

use crate::{Engine, Error};

/// A customer with counts of the customer's endpoints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomerView {
    /// The customer.
    pub customer: Customer,
    /// How many endpoints the customer has.
    pub endpoints: usize,
    /// How many of the endpoints failed since the last success.
    pub failing: usize,
}

/// The extent of a customer's removal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CustomerRemoval {
    /// Endpoints.
    pub endpoints: usize,
    /// Events that wait in the endpoints' queues.
    pub pending: u64,
    /// The endpoints' dead letters.
    pub dead_letters: u64,
}

impl Engine {
    /// Makes a customer, or replaces a customer's settings; whether the customer is new.
    /// [`Error::Invalid`] names the unusable value: `customer`, `name` or `metadata`.
    pub async fn put_customer(
        &self,
        workspace: WorkspaceId,
        code: &str,
        settings: CustomerSettings,
    ) -> Result<(CustomerView, bool), Error> {
        let code = parse("customer", code)?;
        check(&settings)?;
        let now = self.clock.now();
        let (customer, new) = self.store.put_customer(workspace, code, settings, now).await?;
        Ok((self.customer_view(customer).await?, new))
    }

    /// Changes a customer's settings. [`Error::Invalid`] names the unusable value: `name` or
    /// `metadata`.
    pub async fn patch_customer(
        &self,
        workspace: WorkspaceId,
        code: &str,
        patch: CustomerPatch,
    ) -> Result<CustomerView, Error> {
        let before = self.existing_customer(workspace, code).await?;
        check(&before.settings.patched(patch.clone()))?;
        let changed = self.store.patch_customer(workspace, before.code, patch).await?;
        self.customer_view(changed.ok_or(Error::NotFound(Entity::Customer))?).await
    }

    /// A customer. [`Error::NotFound`] when there is no such customer.
    pub async fn customer(
        &self,
        workspace: WorkspaceId,
        code: &str,
    ) -> Result<CustomerView, Error> {
        let customer = self.existing_customer(workspace, code).await?;
        self.customer_view(customer).await
    }

    /// Customers with ids after another id, ascending by bytes; at most `limit`.
    pub async fn customers(
        &self,
        workspace: WorkspaceId,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<CustomerView>, Error> {
        let after = after.map(|after| parse("after", after)).transpose()?;
        let found = self.store.customers(workspace, after, limit).await?;
        let ids: Vec<_> = found.iter().map(|customer| customer.id).collect();
        let mut states = self.states_of(workspace, &ids).await?;
        let view =
            |customer: Customer| view(&states.remove(&customer.id).unwrap_or_default(), customer);
        Ok(found.into_iter().map(view).collect())
    }

    /// Removes a customer with all endpoints, their queues and dead letters. A dry run only counts.
    /// [`Error::NotFound`] when there is no such customer.
    pub async fn delete_customer(
        &self,
        workspace: WorkspaceId,
        code: &str,
        dry_run: bool,
    ) -> Result<CustomerRemoval, Error> {
        let customer = self.existing_customer(workspace, code).await?;
        let states = self.states_of(workspace, &[customer.id]).await?;
        let states: Vec<_> = states.into_values().flatten().collect();
        let mut removal = CustomerRemoval {
            endpoints: states.len(),
            pending: states.iter().map(|state| state.pending).sum(),
            dead_letters: states.iter().map(|state| state.dead_letters).sum(),
        };
        if !dry_run {
            let removed = self.store.delete_customer(workspace, customer.code).await?;
            let removed = removed.ok_or(Error::NotFound(Entity::Customer))?;
            removal.endpoints = removed.endpoints.len();
            self.matchers.rebuild(&self.store, workspace).await?;
        }
        Ok(removal)
    }

    async fn existing_customer(
        &self,
        workspace: WorkspaceId,
        code: &str,
    ) -> Result<Customer, Error> {
        // A text that is no id names no customer.
        let Ok(code) = CustomerCode::parse(code) else {
            return Err(Error::NotFound(Entity::Customer));
        };
        let found = self.store.customer(workspace, code).await?;
        found.ok_or(Error::NotFound(Entity::Customer))
    }

    async fn customer_view(&self, customer: Customer) -> Result<CustomerView, Error> {
        let states = self.states_of(customer.workspace, &[customer.id]).await?;
        let states: Vec<_> = states.into_values().flatten().collect();
        Ok(view(&states, customer))
    }

    /// The states of all endpoints of some customers, by customer.
    async fn states_of(
        &self,
        workspace: WorkspaceId,
        customers: &[CustomerId],
    ) -> Result<HashMap<CustomerId, Vec<QueueState>>, Error> {
        let mut own: Vec<(CustomerId, EndpointId)> = Vec::new();
        for endpoint in self.store.endpoints(workspace).await? {
            let customer = endpoint.customer.as_ref().map(|customer| customer.id);
            own.extend(customer.filter(|id| customers.contains(id)).zip(Some(endpoint.id)));
        }
        let ids: Vec<_> = own.iter().map(|(_, endpoint)| *endpoint).collect();
        let states = self.store.queue_states(workspace, &ids).await?;
        let mut by_customer: HashMap<CustomerId, Vec<QueueState>> = HashMap::new();
        for ((customer, _), state) in own.into_iter().zip(states) {
            by_customer.entry(customer).or_default().push(state);
        }
        Ok(by_customer)
    }
}

fn view(states: &[QueueState], customer: Customer) -> CustomerView {
    let failing = states.iter().filter(|state| state.failures > 0).count();
    CustomerView { customer, endpoints: states.len(), failing }
}

/// The id that a caller gave in a field.
pub(crate) fn parse(field: &str, code: &str) -> Result<CustomerCode, Error> {
    CustomerCode::parse(code).map_err(|fault| Error::invalid(field, fault))
}

fn check(settings: &CustomerSettings) -> Result<(), Error> {
    settings.check().map_err(|(member, fault)| Error::invalid(member, fault))
}
