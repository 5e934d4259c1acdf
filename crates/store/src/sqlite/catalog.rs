//! Event types and endpoints.

use std::sync::Arc;

use async_trait::async_trait;
use hookyard_core::id::{ApplicationId, EndpointId, EventTypeId, ProjectId, WorkspaceId};
use hookyard_core::model::{
    Catalogue, Category, DisabledReason, Endpoint, EndpointSettings, EventType, NewEventType,
    Subscription,
};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::memory::lock;
use super::rows::{from_json, moment};
use super::tx::Tx;
use super::{SqliteStore, audit, checkpoint, event_types, failed, gaps, tenant_rows};
use crate::audit::endpoint_changes;
use crate::endpoints::{self, EndpointColumns, Updated};
use crate::vault::Vault;
use crate::{CatalogStore, Entity, StoreError};

#[async_trait]
impl CatalogStore for SqliteStore {
    async fn has_project(
        &self,
        workspace: WorkspaceId,
        project: ProjectId,
    ) -> Result<bool, StoreError> {
        if self.memory.has_project(workspace, project) {
            return Ok(true);
        }
        let look = move |conn: &Connection| tenant_rows::has_project(conn, workspace, project);
        self.readers.read(look).await
    }

    async fn catalogue(&self, workspace: WorkspaceId) -> Result<Arc<Catalogue>, StoreError> {
        if let Some(known) = self.memory.catalogue(workspace) {
            return Ok(known);
        }
        let read = move |conn: &Connection| catalogue(conn, workspace);
        let read = self.readers.read(read).await?;
        if read.categories.is_empty() {
            return Err(StoreError::NotFound(Entity::Workspace));
        }
        Ok(self.memory.put_first_catalogue(workspace, read))
    }

    async fn version(&self, workspace: WorkspaceId) -> Result<u64, StoreError> {
        if let Some(known) = self.memory.version(workspace) {
            return Ok(known);
        }
        // Another process may have made the workspace. Reading the catalogue makes the workspace known.
        self.catalogue(workspace).await?;
        self.memory.version(workspace).ok_or(StoreError::NotFound(Entity::Workspace))
    }

    async fn add_event_type(
        &self,
        workspace: WorkspaceId,
        new: NewEventType,
    ) -> Result<EventType, StoreError> {
        self.catalogue(workspace).await?;
        self.writer.alone(move |tx| event_types::add(tx, workspace, new)).await
    }

    async fn create_endpoint(
        &self,
        workspace: WorkspaceId,
        settings: EndpointSettings,
        subscriptions: Vec<Subscription>,
        now: Timestamp,
    ) -> Result<Arc<Endpoint>, StoreError> {
        self.catalogue(workspace).await?;
        let (vault, entropy) = (Arc::clone(&self.vault), Arc::clone(&self.entropy));
        let insert = move |tx: &mut Tx<'_>| {
            let endpoint =
                endpoints::created(EndpointId(0), workspace, None, settings, subscriptions, now);
            insert_endpoint(tx, &vault, &*entropy, endpoint)
        };
        self.writer.alone(insert).await
    }

    async fn update_endpoint(
        &self,
        workspace: WorkspaceId,
        id: EndpointId,
        revision: u32,
        settings: EndpointSettings,
        subscriptions: Vec<Subscription>,
    ) -> Result<Arc<Endpoint>, StoreError> {
        let (vault, entropy) = (Arc::clone(&self.vault), Arc::clone(&self.entropy));
        let update = move |tx: &mut Tx<'_>| {
            let before = tx.memory.endpoint(id).filter(|endpoint| endpoint.workspace == workspace);
            let before = before.ok_or(StoreError::NotFound(Entity::Endpoint))?;
            let Updated { endpoint, enabled } =
                endpoints::updated(&before, revision, settings, subscriptions)?;
            let endpoint = Arc::new(endpoint);
            gaps::note(tx, id, before.settings.disabled, endpoint.settings.disabled)?;
            save_endpoint(tx, &vault, &*entropy, &endpoint)?;
            let detail = endpoint_changes(&before, &endpoint);
            audit::note(tx.conn, workspace, "endpoint.update", id, &detail)?;
            if enabled {
                clear_failures(tx, id)?;
            }
            put_after_commit(tx, &endpoint);
            Ok(endpoint)
        };
        self.writer.alone(update).await
    }

    async fn disable_endpoint(
        &self,
        workspace: WorkspaceId,
        id: EndpointId,
        revision: u32,
        reason: DisabledReason,
    ) -> Result<Option<Arc<Endpoint>>, StoreError> {
        let (vault, entropy) = (Arc::clone(&self.vault), Arc::clone(&self.entropy));
        let disable = move |tx: &mut Tx<'_>| {
            let before = tx.memory.endpoint(id).filter(|endpoint| endpoint.workspace == workspace);
            let disabled = before.and_then(|before| endpoints::disabled(&before, revision, reason));
            let Some(endpoint) = disabled.map(Arc::new) else { return Ok(None) };
            gaps::note(tx, id, false, true)?;
            save_endpoint(tx, &vault, &*entropy, &endpoint)?;
            let detail = endpoints::about_disabled(&endpoint);
            audit::note(tx.conn, workspace, "endpoint.disable", id, &detail)?;
            put_after_commit(tx, &endpoint);
            Ok(Some(endpoint))
        };
        self.writer.alone(disable).await
    }

    async fn delete_endpoint(
        &self,
        workspace: WorkspaceId,
        id: EndpointId,
        revision: Option<u32>,
    ) -> Result<Option<Arc<Endpoint>>, StoreError> {
        let delete = move |tx: &mut Tx<'_>| {
            let before = tx.memory.endpoint(id).filter(|endpoint| endpoint.workspace == workspace);
            if let Some(before) = &before {
                revision.map_or(Ok(()), |known| endpoints::must_be_revision(before, known))?;
                remove_endpoint(tx, before)?;
            }
            Ok(before)
        };
        self.writer.alone(delete).await
    }

    async fn endpoint(
        &self,
        workspace: WorkspaceId,
        id: EndpointId,
    ) -> Result<Option<Arc<Endpoint>>, StoreError> {
        Ok(self.memory.endpoint(id).filter(|endpoint| endpoint.workspace == workspace))
    }

    async fn endpoints(&self, workspace: WorkspaceId) -> Result<Vec<Arc<Endpoint>>, StoreError> {
        Ok(self.memory.endpoints(workspace))
    }

    async fn endpoint_revision(
        &self,
        workspace: WorkspaceId,
        id: EndpointId,
        revision: u32,
    ) -> Result<Option<Arc<Endpoint>>, StoreError> {
        let Some(now) = self.endpoint(workspace, id).await? else { return Ok(None) };
        let read = move |conn: &Connection| {
            let sql = "SELECT settings, subscriptions FROM endpoint_revisions \
                       WHERE endpoint_id = ?1 AND revision = ?2";
            let texts = |row: &Row<'_>| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?));
            let found = conn.query_row(sql, params![id.0, revision], texts).optional();
            let Some((settings, subscriptions)) = found.map_err(failed)? else { return Ok(None) };
            Ok(Some(Arc::new(Endpoint {
                revision,
                settings: from_json(&settings)?,
                subscriptions: from_json(&subscriptions)?,
                disabled_reason: None,
                ..(*now).clone()
            })))
        };
        self.readers.read(read).await
    }
}

/// Writes a new endpoint, whose number is given out here.
pub(super) fn insert_endpoint(
    tx: &mut Tx<'_>,
    vault: &Vault,
    entropy: &dyn hookyard_core::entropy::Entropy,
    endpoint: Endpoint,
) -> Result<Arc<Endpoint>, StoreError> {
    let sql = "INSERT INTO endpoints (workspace_id, revision, created_ms, settings, \
               subscriptions, application_id, customer_id) VALUES (?1, 0, ?2, '{}', '[]', ?3, ?4)";
    let workspace = endpoint.workspace;
    let application = endpoint.application.map(|id| id.0);
    let customer = endpoint.customer.as_ref().map(|own| own.id.0);
    let created = endpoint.created_at.as_millisecond();
    let row = params![workspace.0, created, application, customer];
    tx.conn.execute(sql, row).map_err(failed)?;
    let id = i32::try_from(tx.conn.last_insert_rowid())
        .map_err(|_| StoreError::internal("endpoint numbers are used up"))?;
    let endpoint = Arc::new(Endpoint { id: EndpointId(id), ..endpoint });
    gaps::note(tx, endpoint.id, false, endpoint.settings.disabled)?;
    save_endpoint(tx, vault, entropy, &endpoint)?;
    let detail = endpoints::about(&endpoint);
    audit::note(tx.conn, workspace, "endpoint.create", endpoint.id, &detail)?;
    put_after_commit(tx, &endpoint);
    Ok(endpoint)
}

/// Removes an endpoint with its queue and dead letters.
pub(super) fn remove_endpoint(tx: &mut Tx<'_>, before: &Endpoint) -> Result<(), StoreError> {
    let id = before.id;
    for sql in [
        "DELETE FROM endpoints WHERE id = ?1",
        "DELETE FROM endpoint_revisions WHERE endpoint_id = ?1",
        "DELETE FROM queues WHERE endpoint_id = ?1",
        "DELETE FROM queue_chunks WHERE endpoint_id = ?1",
        "DELETE FROM replays WHERE endpoint_id = ?1",
        "DELETE FROM endpoint_gaps WHERE endpoint_id = ?1",
        "DELETE FROM dead_letters WHERE endpoint_id = ?1",
    ] {
        tx.conn.execute(sql, [id.0]).map_err(failed)?;
    }
    let detail = endpoints::about(before);
    audit::note(tx.conn, before.workspace, "endpoint.delete", id, &detail)?;
    tx.after_commit(move |memory| memory.remove_endpoint(id));
    Ok(())
}

fn put_after_commit(tx: &mut Tx<'_>, endpoint: &Arc<Endpoint>) {
    let endpoint = Arc::clone(endpoint);
    tx.after_commit(move |memory| {
        let id = endpoint.id;
        memory.put_endpoint(endpoint);
        // Last: a reader woken by the mark must see the change.
        memory.ready.mark([id]);
    });
}

/// Forgets an endpoint's failures, whatever the recorded attempts say.
fn clear_failures(tx: &mut Tx<'_>, id: EndpointId) -> Result<(), StoreError> {
    let Some(queue) = tx.memory.queue(id) else { return Ok(()) };
    let mut after = lock(&queue).clone();
    after.forgive();
    checkpoint::save_queue(tx.conn, id, &after, tx.state.ids)?;
    tx.after_commit(move |_| {
        let mut queue = lock(&queue);
        queue.saved();
        queue.forgive();
    });
    Ok(())
}

/// A workspace's event types.
pub(super) fn catalogue(
    conn: &Connection,
    workspace: WorkspaceId,
) -> Result<Catalogue, StoreError> {
    let sql =
        "SELECT name, expansions, system FROM categories WHERE workspace_id = ?1 ORDER BY position";
    let mut statement = conn.prepare(sql).map_err(failed)?;
    let mut rows = statement.query([workspace.0]).map_err(failed)?;
    let mut categories = Vec::new();
    while let Some(row) = rows.next().map_err(failed)? {
        let expansions: String = row.get(1).map_err(failed)?;
        categories.push(Category {
            name: row.get(0).map_err(failed)?,
            expansions: from_json(&expansions)?,
            system: row.get(2).map_err(failed)?,
            event_types: Vec::new(),
        });
    }
    let sql = "SELECT id, category, name, description, supports_reflow, deprecated, discontinued \
               FROM event_types WHERE workspace_id = ?1 ORDER BY name";
    let mut statement = conn.prepare(sql).map_err(failed)?;
    let kinds = statement
        .query_map([workspace.0], |row| Ok((row.get::<_, u32>(1)?, event_type(row)?)))
        .map_err(failed)?;
    for kind in kinds {
        let (position, kind) = kind.map_err(failed)?;
        if let Some(category) = categories.get_mut(position as usize) {
            category.event_types.push(kind);
        }
    }
    Ok(Catalogue { categories })
}

fn event_type(row: &Row<'_>) -> rusqlite::Result<EventType> {
    Ok(EventType {
        id: EventTypeId(row.get(0)?),
        name: row.get(2)?,
        description: row.get(3)?,
        supports_reflow: row.get(4)?,
        deprecated: row.get(5)?,
        discontinued: row.get(6)?,
    })
}

/// Writes an endpoint's row and its revision.
fn save_endpoint(
    tx: &Tx<'_>,
    vault: &Vault,
    entropy: &dyn hookyard_core::entropy::Entropy,
    endpoint: &Endpoint,
) -> Result<(), StoreError> {
    let EndpointColumns { settings, subscriptions, secrets, reason } =
        EndpointColumns::of(endpoint, vault, entropy)?;
    let sql = "UPDATE endpoints SET revision = ?2, settings = ?3, subscriptions = ?4, \
               secrets = ?5, disabled = ?6 WHERE id = ?1";
    let id = endpoint.id.0;
    let row = params![id, endpoint.revision, settings, subscriptions, secrets, reason];
    tx.conn.execute(sql, row).map_err(failed)?;
    let sql = "INSERT INTO endpoint_revisions (endpoint_id, revision, settings, subscriptions) \
               VALUES (?1, ?2, ?3, ?4)";
    tx.conn
        .execute(sql, params![id, endpoint.revision, settings, subscriptions])
        .map_err(failed)?;
    Ok(())
}

/// All endpoints of all workspaces.
pub(super) fn load_endpoints(
    conn: &Connection,
    vault: &Vault,
) -> Result<Vec<Arc<Endpoint>>, StoreError> {
    let sql = "SELECT id, workspace_id, revision, created_ms, settings, subscriptions, \
               secrets, disabled, application_id, customer_id, (SELECT code FROM customers c \
               WHERE c.id = customer_id) FROM endpoints";
    let mut statement = conn.prepare(sql).map_err(failed)?;
    let mut rows = statement.query([]).map_err(failed)?;
    let mut endpoints = Vec::new();
    while let Some(row) = rows.next().map_err(failed)? {
        endpoints.push(Arc::new(endpoint(row, vault)?));
    }
    Ok(endpoints)
}

fn endpoint(row: &Row<'_>, vault: &Vault) -> Result<Endpoint, StoreError> {
    let text = |column| row.get::<_, String>(column).map_err(failed);
    let id = EndpointId(row.get(0).map_err(failed)?);
    let sealed: Option<Vec<u8>> = row.get(6).map_err(failed)?;
    let reason: Option<String> = row.get(7).map_err(failed)?;
    let code: Option<String> = row.get(10).map_err(failed)?;
    Ok(Endpoint {
        id,
        workspace: WorkspaceId(row.get(1).map_err(failed)?),
        revision: row.get(2).map_err(failed)?,
        created_at: moment(row.get(3).map_err(failed)?),
        disabled_reason: reason.as_deref().map(from_json).transpose()?,
        application: row.get::<_, Option<i32>>(8).map_err(failed)?.map(ApplicationId),
        customer: endpoints::customer(row.get(9).map_err(failed)?, code.as_deref())?,
        settings: endpoints::settings(id, &text(4)?, sealed.as_deref(), vault)?,
        subscriptions: from_json(&text(5)?)?,
    })
}
