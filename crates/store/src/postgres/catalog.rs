//! Event types and endpoints.

use std::sync::Arc;

use async_trait::async_trait;
use hookyard_core::id::{ApplicationId, EndpointId, ProjectId, WorkspaceId};
use hookyard_core::model::{
    Catalogue, DisabledReason, Endpoint, EndpointSettings, EventType, NewEventType, Subscription,
};
use jiff::Timestamp;
use tokio_postgres::Row;

use super::columns::{Columns, from_json, small};
use super::database::Conn;
use super::{PostgresStore, audit, event_types, gaps, journal_rows, nodes, projects, queue_rows};
use crate::audit::endpoint_changes;
use crate::endpoints::{self, EndpointColumns, Updated};
use crate::vault::Vault;
use crate::{CatalogStore, Entity, StoreError};

#[async_trait]
impl CatalogStore for PostgresStore {
    async fn has_project(
        &self,
        workspace: WorkspaceId,
        project: ProjectId,
    ) -> Result<bool, StoreError> {
        projects::has_project(&self.db.get().await?, workspace, project).await
    }

    async fn catalogue(&self, workspace: WorkspaceId) -> Result<Arc<Catalogue>, StoreError> {
        event_types::catalogue(&self.db.get().await?, workspace).await.map(Arc::new)
    }

    async fn version(&self, workspace: WorkspaceId) -> Result<u64, StoreError> {
        self.fresh.submit(workspace).await
    }

    async fn add_event_type(
        &self,
        workspace: WorkspaceId,
        new: NewEventType,
    ) -> Result<EventType, StoreError> {
        let tx = self.db.begin().await?;
        touch(&tx, workspace).await?;
        let added = event_types::add(&tx, workspace, new).await?;
        tx.commit().await?;
        Ok(added)
    }

    async fn create_endpoint(
        &self,
        workspace: WorkspaceId,
        settings: EndpointSettings,
        subscriptions: Vec<Subscription>,
        now: Timestamp,
    ) -> Result<Arc<Endpoint>, StoreError> {
        let tx = self.db.begin().await?;
        touch(&tx, workspace).await?;
        let endpoint =
            endpoints::created(EndpointId(0), workspace, None, settings, subscriptions, now);
        let endpoint = self.insert(&tx, endpoint).await?;
        tx.commit().await?;
        self.ready.mark([endpoint.id]);
        Ok(Arc::new(endpoint))
    }

    async fn update_endpoint(
        &self,
        workspace: WorkspaceId,
        id: EndpointId,
        revision: u32,
        settings: EndpointSettings,
        subscriptions: Vec<Subscription>,
    ) -> Result<Arc<Endpoint>, StoreError> {
        let tx = self.db.begin().await?;
        touch(&tx, workspace).await?;
        let before = endpoint_of(&tx, &self.vault, workspace, id).await?;
        let before = before.ok_or(StoreError::NotFound(Entity::Endpoint))?;
        let Updated { endpoint, enabled } =
            endpoints::updated(&before, revision, settings, subscriptions)?;
        self.save(&tx, before.settings.disabled, &endpoint).await?;
        let detail = endpoint_changes(&before, &endpoint);
        audit::note(&tx, workspace, "endpoint.update", id, &detail).await?;
        if enabled {
            queue_rows::forgive(&tx, id).await?;
        }
        nodes::tell_owner(&tx, self.node, id).await?;
        tx.commit().await?;
        self.ready.mark([id]);
        Ok(Arc::new(endpoint))
    }

    async fn disable_endpoint(
        &self,
        workspace: WorkspaceId,
        id: EndpointId,
        revision: u32,
        reason: DisabledReason,
    ) -> Result<Option<Arc<Endpoint>>, StoreError> {
        let tx = self.db.begin().await?;
        touch(&tx, workspace).await?;
        let before = endpoint_of(&tx, &self.vault, workspace, id).await?;
        let disabled = before.and_then(|before| endpoints::disabled(&before, revision, reason));
        let Some(endpoint) = disabled else { return Ok(None) };
        self.save(&tx, false, &endpoint).await?;
        let detail = endpoints::about_disabled(&endpoint);
        audit::note(&tx, workspace, "endpoint.disable", id, &detail).await?;
        nodes::tell_owner(&tx, self.node, id).await?;
        tx.commit().await?;
        self.ready.mark([id]);
        Ok(Some(Arc::new(endpoint)))
    }

    async fn delete_endpoint(
        &self,
        workspace: WorkspaceId,
        id: EndpointId,
        revision: Option<u32>,
    ) -> Result<Option<Arc<Endpoint>>, StoreError> {
        let tx = self.db.begin().await?;
        touch(&tx, workspace).await?;
        let Some(before) = endpoint_of(&tx, &self.vault, workspace, id).await? else {
            return Ok(None);
        };
        revision.map_or(Ok(()), |known| endpoints::must_be_revision(&before, known))?;
        remove(&tx, &before).await?;
        tx.commit().await?;
        Ok(Some(Arc::new(before)))
    }

    async fn endpoint(
        &self,
        workspace: WorkspaceId,
        id: EndpointId,
    ) -> Result<Option<Arc<Endpoint>>, StoreError> {
        let conn = self.db.get().await?;
        Ok(endpoint_of(&conn, &self.vault, workspace, id).await?.map(Arc::new))
    }

    async fn endpoints(&self, workspace: WorkspaceId) -> Result<Vec<Arc<Endpoint>>, StoreError> {
        let sql =
            format!("SELECT {COLUMNS} FROM endpoints e WHERE e.workspace_id = $1 ORDER BY e.id");
        let rows = self.db.get().await?.query(&sql, &[&workspace.0]).await?;
        rows.iter().map(|row| endpoint(row, 0, &self.vault).map(Arc::new)).collect()
    }

    async fn endpoint_revision(
        &self,
        workspace: WorkspaceId,
        id: EndpointId,
        revision: u32,
    ) -> Result<Option<Arc<Endpoint>>, StoreError> {
        let conn = self.db.get().await?;
        let Some(now) = endpoint_of(&conn, &self.vault, workspace, id).await? else {
            return Ok(None);
        };
        let sql = "SELECT settings, subscriptions FROM endpoint_revisions \
                   WHERE endpoint_id = $1 AND revision = $2";
        let Some(row) = conn.opt(sql, &[&id.0, &small(revision)]).await? else { return Ok(None) };
        Ok(Some(Arc::new(Endpoint {
            revision,
            settings: from_json(&row.text(0)?)?,
            subscriptions: from_json(&row.text(1)?)?,
            disabled_reason: None,
            ..now
        })))
    }
}

impl PostgresStore {
    /// Writes a new endpoint, whose number is given out here. The workspace is the caller's alone.
    pub(super) async fn insert(
        &self,
        tx: &Conn,
        endpoint: Endpoint,
    ) -> Result<Endpoint, StoreError> {
        let id = tx.one("SELECT nextval('endpoint_ids')::int4", &[]).await?.get_as(0)?;
        let endpoint = Endpoint { id: EndpointId(id), ..endpoint };
        let sql = "INSERT INTO endpoints (id, workspace_id, revision, created_ms, settings, \
                   subscriptions, disabled, application_id, customer_id) \
                   VALUES ($1, $2, 0, $3, '{}', '[]', false, $4, $5)";
        let application = endpoint.application.map(|id| id.0);
        let customer = endpoint.customer.as_ref().map(|own| own.id.0);
        let (workspace, created) = (endpoint.workspace, endpoint.created_at.as_millisecond());
        tx.execute(sql, &[&id, &workspace.0, &created, &application, &customer]).await?;
        tx.execute("INSERT INTO queues (endpoint_id) VALUES ($1)", &[&id]).await?;
        self.save(tx, false, &endpoint).await?;
        let detail = endpoints::about(&endpoint);
        audit::note(tx, workspace, "endpoint.create", endpoint.id, &detail).await?;
        Ok(endpoint)
    }

    /// Writes an endpoint's row and its revision, and notes whether it is disabled from now on.
    async fn save(
        &self,
        tx: &Conn,
        was_disabled: bool,
        endpoint: &Endpoint,
    ) -> Result<(), StoreError> {
        gaps::note(tx, endpoint.id, was_disabled, endpoint.settings.disabled).await?;
        let EndpointColumns { settings, subscriptions, secrets, reason } =
            EndpointColumns::of(endpoint, &self.vault, &*self.entropy)?;
        let (id, revision) = (endpoint.id.0, small(endpoint.revision));
        let sql = "UPDATE endpoints SET revision = $2, settings = $3, subscriptions = $4, \
                   secrets = $5, disabled = $6, reason = $7 WHERE id = $1";
        let disabled = endpoint.settings.disabled;
        tx.execute(sql, &[&id, &revision, &settings, &subscriptions, &secrets, &disabled, &reason])
            .await?;
        let sql = "INSERT INTO endpoint_revisions (endpoint_id, revision, settings, \
                   subscriptions) VALUES ($1, $2, $3, $4)";
        tx.execute(sql, &[&id, &revision, &settings, &subscriptions]).await?;
        Ok(())
    }

    /// Whether the workspace has the endpoint.
    pub(super) async fn own_endpoint(
        &self,
        conn: &Conn,
        workspace: WorkspaceId,
        id: EndpointId,
    ) -> Result<(), StoreError> {
        let sql = "SELECT FROM endpoints WHERE id = $1 AND workspace_id = $2";
        let found = conn.opt(sql, &[&id.0, &workspace.0]).await?;
        found.map(drop).ok_or(StoreError::NotFound(Entity::Endpoint))
    }
}

/// Removes an endpoint with its queue and dead letters. The workspace is the caller's alone.
pub(super) async fn remove(tx: &Conn, before: &Endpoint) -> Result<(), StoreError> {
    // Nothing is queued for the endpoint meanwhile that would be left behind.
    journal_rows::lock(tx).await?;
    for sql in [
        "DELETE FROM queues WHERE endpoint_id = $1",
        "DELETE FROM queue_chunks WHERE endpoint_id = $1",
        "DELETE FROM replays WHERE endpoint_id = $1",
        "DELETE FROM endpoint_gaps WHERE endpoint_id = $1",
        "DELETE FROM dead_letters WHERE endpoint_id = $1",
        "DELETE FROM endpoint_revisions WHERE endpoint_id = $1",
        "DELETE FROM endpoints WHERE id = $1",
    ] {
        tx.execute(sql, &[&before.id.0]).await?;
    }
    let detail = endpoints::about(before);
    audit::note(tx, before.workspace, "endpoint.delete", before.id, &detail).await
}

/// Columns that [`endpoint`] reads, of the table `e`.
pub(super) const COLUMNS: &str = "e.id, e.workspace_id, e.revision, e.created_ms, e.settings, e.subscriptions, \
     e.secrets, e.reason, e.application_id, e.customer_id, \
     (SELECT c.code FROM customers c WHERE c.id = e.customer_id)";

/// The number of [`COLUMNS`].
pub(super) const COLUMNS_COUNT: usize = 11;

/// Makes every node read the workspace anew before the node's next match, once this transaction is committed.
/// Changes of a workspace happen one after another from here on.
pub(super) async fn touch(tx: &Conn, workspace: WorkspaceId) -> Result<(), StoreError> {
    let sql = "UPDATE workspaces SET version = version + 1 WHERE id = $1";
    match tx.execute(sql, &[&workspace.0]).await? {
        0 => Err(StoreError::NotFound(Entity::Workspace)),
        _ => Ok(()),
    }
}

/// A workspace's endpoint.
pub(super) async fn endpoint_of(
    conn: &Conn,
    vault: &Vault,
    workspace: WorkspaceId,
    id: EndpointId,
) -> Result<Option<Endpoint>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM endpoints e WHERE e.id = $1 AND e.workspace_id = $2");
    let row = conn.opt(&sql, &[&id.0, &workspace.0]).await?;
    row.map(|row| endpoint(&row, 0, vault)).transpose()
}

/// An endpoint from the [`COLUMNS`], beginning with the column `at`.
pub(super) fn endpoint(row: &Row, at: usize, vault: &Vault) -> Result<Endpoint, StoreError> {
    let id = EndpointId(row.get_as(at)?);
    Ok(Endpoint {
        id,
        workspace: WorkspaceId(row.get_as(at + 1)?),
        revision: row.small(at + 2)?,
        created_at: row.moment(at + 3)?,
        disabled_reason: row.text_if(at + 7)?.as_deref().map(from_json).transpose()?,
        application: row.get_as::<Option<i32>>(at + 8)?.map(ApplicationId),
        customer: endpoints::customer(row.get_as(at + 9)?, row.text_if(at + 10)?.as_deref())?,
        settings: endpoints::settings(id, &row.text(at + 4)?, row.get_as(at + 6)?, vault)?,
        subscriptions: from_json(&row.text(at + 5)?)?,
    })
}
