//! Customers.

use std::sync::Arc;

use async_trait::async_trait;
use hookyard_core::id::{CustomerId, EndpointId, WorkspaceId};
use hookyard_core::model::{
    Customer, CustomerCode, CustomerPatch, CustomerSettings, Endpoint, EndpointCustomer,
    EndpointSettings, Subscription,
};
use jiff::Timestamp;
use tokio_postgres::Row;

use super::catalog::{self, touch};
use super::columns::{Columns, Text, count, from_json, moment, to_json};
use super::database::Conn;
use super::{PostgresStore, audit};
use crate::customers::{CUSTOMERS, about, may_add_customer, may_add_endpoint, patched};
use crate::{CustomerStore, RemovedCustomer, StoreError, endpoints};

#[async_trait]
impl CustomerStore for PostgresStore {
    async fn put_customer(
        &self,
        workspace: WorkspaceId,
        code: CustomerCode,
        settings: CustomerSettings,
        now: Timestamp,
    ) -> Result<(Customer, bool), StoreError> {
        let tx = self.db.begin().await?;
        touch(&tx, workspace).await?;
        let put = match by_code(&tx, workspace, &code).await? {
            Some(before) => (update(&tx, before, settings).await?, false),
            None => (insert(&tx, workspace, &code, settings, now).await?, true),
        };
        tx.commit().await?;
        Ok(put)
    }

    async fn patch_customer(
        &self,
        workspace: WorkspaceId,
        code: CustomerCode,
        patch: CustomerPatch,
    ) -> Result<Option<Customer>, StoreError> {
        let tx = self.db.begin().await?;
        touch(&tx, workspace).await?;
        let Some(before) = by_code(&tx, workspace, &code).await? else { return Ok(None) };
        let settings = patched(before.settings.clone(), patch)?;
        let after = update(&tx, before, settings).await?;
        tx.commit().await?;
        Ok(Some(after))
    }

    async fn customer(
        &self,
        workspace: WorkspaceId,
        code: CustomerCode,
    ) -> Result<Option<Customer>, StoreError> {
        by_code(&self.db.get().await?, workspace, &code).await
    }

    async fn customers(
        &self,
        workspace: WorkspaceId,
        after: Option<CustomerCode>,
        limit: usize,
    ) -> Result<Vec<Customer>, StoreError> {
        let sql =
            format!("{CUSTOMERS} WHERE workspace_id = $1 AND code > $2 ORDER BY code LIMIT $3");
        let after = Text(after.as_ref().map_or("", CustomerCode::as_str));
        let conn = self.db.get().await?;
        let rows = conn.query(&sql, &[&workspace.0, &after, &count(limit)]).await?;
        rows.iter().map(customer).collect()
    }

    async fn create_customer_endpoint(
        &self,
        workspace: WorkspaceId,
        customer: CustomerCode,
        settings: EndpointSettings,
        subscriptions: Vec<Subscription>,
        now: Timestamp,
    ) -> Result<Arc<Endpoint>, StoreError> {
        let tx = self.db.begin().await?;
        touch(&tx, workspace).await?;
        let own = match by_code(&tx, workspace, &customer).await? {
            Some(own) => own,
            None => insert(&tx, workspace, &customer, CustomerSettings::default(), now).await?,
        };
        let sql = "SELECT count(*) FROM endpoints WHERE customer_id = $1";
        may_add_endpoint(&customer, number_of(&tx, sql, own.id.0).await?)?;
        let own = Some(EndpointCustomer { id: own.id, code: own.code });
        let endpoint =
            endpoints::created(EndpointId(0), workspace, own, settings, subscriptions, now);
        let endpoint = self.insert(&tx, endpoint).await?;
        tx.commit().await?;
        self.ready.mark([endpoint.id]);
        Ok(Arc::new(endpoint))
    }

    async fn delete_customer(
        &self,
        workspace: WorkspaceId,
        code: CustomerCode,
    ) -> Result<Option<RemovedCustomer>, StoreError> {
        let tx = self.db.begin().await?;
        touch(&tx, workspace).await?;
        let Some(customer) = by_code(&tx, workspace, &code).await? else { return Ok(None) };
        let sql = format!(
            "SELECT {} FROM endpoints e WHERE e.customer_id = $1 ORDER BY e.id",
            catalog::COLUMNS
        );
        let mut removed = Vec::new();
        for row in tx.query(&sql, &[&customer.id.0]).await? {
            let endpoint = catalog::endpoint(&row, 0, &self.vault)?;
            catalog::remove(&tx, &endpoint).await?;
            removed.push(Arc::new(endpoint));
        }
        tx.execute("DELETE FROM customers WHERE id = $1", &[&customer.id.0]).await?;
        let detail = about(&customer.settings);
        audit::note(&tx, workspace, "customer.delete", &customer.code, &detail).await?;
        tx.commit().await?;
        Ok(Some(RemovedCustomer { customer, endpoints: removed }))
    }
}

/// Writes a new customer. The workspace is the caller's alone.
async fn insert(
    tx: &Conn,
    workspace: WorkspaceId,
    code: &CustomerCode,
    settings: CustomerSettings,
    now: Timestamp,
) -> Result<Customer, StoreError> {
    let sql = "SELECT count(*) FROM customers WHERE workspace_id = $1";
    may_add_customer(number_of(tx, sql, workspace.0).await?)?;
    let sql = "INSERT INTO customers (workspace_id, code, name, metadata, created_ms) \
               VALUES ($1, $2, $3, $4, $5) RETURNING id";
    let (name, metadata) = (settings.name.as_deref().map(Text), to_json(&settings.metadata)?);
    let at = now.as_millisecond();
    let row = tx.one(sql, &[&workspace.0, &Text(code.as_str()), &name, &metadata, &at]).await?;
    audit::note(tx, workspace, "customer.create", code, &about(&settings)).await?;
    let id = CustomerId(row.get_as(0)?);
    Ok(Customer { id, workspace, code: code.clone(), created_at: moment(at), settings })
}

async fn update(
    tx: &Conn,
    before: Customer,
    settings: CustomerSettings,
) -> Result<Customer, StoreError> {
    let sql = "UPDATE customers SET name = $2, metadata = $3 WHERE id = $1";
    let (name, metadata) = (settings.name.as_deref().map(Text), to_json(&settings.metadata)?);
    tx.execute(sql, &[&before.id.0, &name, &metadata]).await?;
    let detail = about(&settings);
    audit::note(tx, before.workspace, "customer.update", &before.code, &detail).await?;
    Ok(Customer { settings, ..before })
}

async fn number_of(tx: &Conn, sql: &str, of: i32) -> Result<usize, StoreError> {
    let number: i64 = tx.one(sql, &[&of]).await?.get_as(0)?;
    Ok(usize::try_from(number).unwrap_or(usize::MAX))
}

async fn by_code(
    conn: &Conn,
    workspace: WorkspaceId,
    code: &CustomerCode,
) -> Result<Option<Customer>, StoreError> {
    let sql = format!("{CUSTOMERS} WHERE workspace_id = $1 AND code = $2");
    let row = conn.opt(&sql, &[&workspace.0, &Text(code.as_str())]).await?;
    row.as_ref().map(customer).transpose()
}

fn customer(row: &Row) -> Result<Customer, StoreError> {
    Ok(Customer {
        id: CustomerId(row.get_as(0)?),
        workspace: WorkspaceId(row.get_as(1)?),
        code: CustomerCode::parse(&row.text(2)?).map_err(StoreError::internal)?,
        created_at: row.moment(5)?,
        settings: CustomerSettings { name: row.text_if(3)?, metadata: from_json(&row.text(4)?)? },
    })
}
