//! Customers.

use std::sync::Arc;

use async_trait::async_trait;
use hookyard_core::id::{CustomerId, EndpointId, WorkspaceId};
use hookyard_core::model::{
    Customer, CustomerCode, CustomerPatch, CustomerSettings, Endpoint, EndpointCustomer,
    EndpointSettings, Subscription,
};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::rows::{count, from_json, moment, to_json};
use super::tx::Tx;
use super::{SqliteStore, audit, catalog, failed, sources};
use crate::customers::{CUSTOMERS, about, may_add_customer, may_add_endpoint, patched};
use crate::{CatalogStore, CustomerStore, RemovedCustomer, StoreError, endpoints};

#[async_trait]
impl CustomerStore for SqliteStore {
    async fn put_customer(
        &self,
        workspace: WorkspaceId,
        code: CustomerCode,
        settings: CustomerSettings,
        now: Timestamp,
    ) -> Result<(Customer, bool), StoreError> {
        self.catalogue(workspace).await?;
        self.writer.alone(move |tx| put(tx.conn, workspace, &code, settings, now)).await
    }

    async fn patch_customer(
        &self,
        workspace: WorkspaceId,
        code: CustomerCode,
        patch: CustomerPatch,
    ) -> Result<Option<Customer>, StoreError> {
        let change = move |tx: &mut Tx<'_>| {
            let Some(before) = by_code(tx.conn, workspace, &code)? else { return Ok(None) };
            let settings = patched(before.settings.clone(), patch)?;
            update(tx.conn, before, settings).map(Some)
        };
        self.writer.alone(change).await
    }

    async fn customer(
        &self,
        workspace: WorkspaceId,
        code: CustomerCode,
    ) -> Result<Option<Customer>, StoreError> {
        self.readers.read(move |conn| by_code(conn, workspace, &code)).await
    }

    async fn customers(
        &self,
        workspace: WorkspaceId,
        after: Option<CustomerCode>,
        limit: usize,
    ) -> Result<Vec<Customer>, StoreError> {
        let read = move |conn: &Connection| {
            let sql =
                format!("{CUSTOMERS} WHERE workspace_id = ?1 AND code > ?2 ORDER BY code LIMIT ?3");
            let mut statement = conn.prepare_cached(&sql).map_err(failed)?;
            let after = after.as_ref().map_or("", CustomerCode::as_str);
            let row = params![workspace.0, after, count(limit)];
            let mut rows = statement.query(row).map_err(failed)?;
            let mut found = Vec::new();
            while let Some(row) = rows.next().map_err(failed)? {
                found.push(customer(row)?);
            }
            Ok(found)
        };
        self.readers.read(read).await
    }

    async fn create_customer_endpoint(
        &self,
        workspace: WorkspaceId,
        customer: CustomerCode,
        settings: EndpointSettings,
        subscriptions: Vec<Subscription>,
        now: Timestamp,
    ) -> Result<Arc<Endpoint>, StoreError> {
        self.catalogue(workspace).await?;
        let (vault, entropy) = (Arc::clone(&self.vault), Arc::clone(&self.entropy));
        let make = move |tx: &mut Tx<'_>| {
            let own = match by_code(tx.conn, workspace, &customer)? {
                Some(own) => own,
                None => insert(tx.conn, workspace, &customer, CustomerSettings::default(), now)?,
            };
            let sql = "SELECT count(*) FROM endpoints WHERE customer_id = ?1";
            may_add_endpoint(&customer, number_of(tx.conn, sql, own.id.0)?)?;
            let own = Some(EndpointCustomer { id: own.id, code: own.code });
            let endpoint =
                endpoints::created(EndpointId(0), workspace, own, settings, subscriptions, now);
            catalog::insert_endpoint(tx, &vault, &*entropy, endpoint)
        };
        self.writer.alone(make).await
    }

    async fn delete_customer(
        &self,
        workspace: WorkspaceId,
        code: CustomerCode,
    ) -> Result<Option<RemovedCustomer>, StoreError> {
        let delete = move |tx: &mut Tx<'_>| {
            let Some(customer) = by_code(tx.conn, workspace, &code)? else { return Ok(None) };
            let mut removed = Vec::new();
            for id in endpoints_of(tx.conn, customer.id)? {
                let Some(endpoint) = tx.memory.endpoint(id) else { continue };
                catalog::remove_endpoint(tx, &endpoint)?;
                removed.push(endpoint);
            }
            let sql = "DELETE FROM customers WHERE id = ?1";
            tx.conn.execute(sql, [customer.id.0]).map_err(failed)?;
            let detail = about(&customer.settings);
            audit::note(tx.conn, workspace, "customer.delete", &customer.code, &detail)?;
            Ok(Some(RemovedCustomer { customer, endpoints: removed }))
        };
        self.writer.alone(delete).await
    }
}

fn put(
    conn: &Connection,
    workspace: WorkspaceId,
    code: &CustomerCode,
    settings: CustomerSettings,
    now: Timestamp,
) -> Result<(Customer, bool), StoreError> {
    match by_code(conn, workspace, code)? {
        Some(before) => Ok((update(conn, before, settings)?, false)),
        None => Ok((insert(conn, workspace, code, settings, now)?, true)),
    }
}

fn insert(
    conn: &Connection,
    workspace: WorkspaceId,
    code: &CustomerCode,
    settings: CustomerSettings,
    now: Timestamp,
) -> Result<Customer, StoreError> {
    let sql = "SELECT count(*) FROM customers WHERE workspace_id = ?1";
    may_add_customer(number_of(conn, sql, workspace.0)?)?;
    let sql = "INSERT INTO customers (workspace_id, code, name, metadata, created_ms) \
               VALUES (?1, ?2, ?3, ?4, ?5)";
    let (metadata, at) = (to_json(&settings.metadata)?, now.as_millisecond());
    let row = params![workspace.0, code.as_str(), settings.name, metadata, at];
    conn.execute(sql, row).map_err(failed)?;
    let id = CustomerId(sources::number(conn.last_insert_rowid())?);
    audit::note(conn, workspace, "customer.create", code, &about(&settings))?;
    Ok(Customer { id, workspace, code: code.clone(), created_at: moment(at), settings })
}

fn update(
    conn: &Connection,
    before: Customer,
    settings: CustomerSettings,
) -> Result<Customer, StoreError> {
    let sql = "UPDATE customers SET name = ?2, metadata = ?3 WHERE id = ?1";
    let metadata = to_json(&settings.metadata)?;
    conn.execute(sql, params![before.id.0, settings.name, metadata]).map_err(failed)?;
    let detail = about(&settings);
    audit::note(conn, before.workspace, "customer.update", &before.code, &detail)?;
    Ok(Customer { settings, ..before })
}

fn number_of(conn: &Connection, sql: &str, of: i32) -> Result<usize, StoreError> {
    let number: i64 = conn.query_row(sql, [of], |row| row.get(0)).map_err(failed)?;
    Ok(usize::try_from(number).unwrap_or(usize::MAX))
}

fn endpoints_of(conn: &Connection, id: CustomerId) -> Result<Vec<EndpointId>, StoreError> {
    let sql = "SELECT id FROM endpoints WHERE customer_id = ?1 ORDER BY id";
    let mut statement = conn.prepare_cached(sql).map_err(failed)?;
    let ids = statement.query_map([id.0], |row| row.get(0).map(EndpointId)).map_err(failed)?;
    ids.collect::<Result<_, _>>().map_err(failed)
}

fn by_code(
    conn: &Connection,
    workspace: WorkspaceId,
    code: &CustomerCode,
) -> Result<Option<Customer>, StoreError> {
    let sql = format!("{CUSTOMERS} WHERE workspace_id = ?1 AND code = ?2");
    let mut statement = conn.prepare_cached(&sql).map_err(failed)?;
    let read = |row: &Row<'_>| Ok(customer(row));
    let found = statement.query_row(params![workspace.0, code.as_str()], read).optional();
    found.map_err(failed)?.transpose()
}

fn customer(row: &Row<'_>) -> Result<Customer, StoreError> {
    let (code, metadata): (String, String) =
        (row.get(2).map_err(failed)?, row.get(4).map_err(failed)?);
    Ok(Customer {
        id: CustomerId(row.get(0).map_err(failed)?),
        workspace: WorkspaceId(row.get(1).map_err(failed)?),
        code: CustomerCode::parse(&code).map_err(StoreError::internal)?,
        created_at: moment(row.get(5).map_err(failed)?),
        settings: CustomerSettings {
            name: row.get(3).map_err(failed)?,
            metadata: from_json(&metadata)?,
        },
    })
}
