//! Applications and grants.

use async_trait::async_trait;
use hookyard_core::id::{ApplicationId, CredentialId, GrantId, WorkspaceId};
use hookyard_core::model::{Application, ApplicationChange, Grant, GrantVia, NewApplication};
use jiff::Timestamp;
use serde_json::json;
use tokio_postgres::Row;

use super::columns::{Columns, Text, count, from_json, moment, to_json};
use super::database::Conn;
use super::{PostgresStore, audit, nodes};
use crate::audit::GrantEnd;
use crate::credentials::scopes;
use crate::{APPLICATIONS_MAX, ApplicationStore, Entity, StoreError};

/// The columns for [`stored`].
const COLUMNS: &str = "id, workspace_id, client_id, created_ms, scopes, disabled, settings";

/// The start of a query for [`stored_grant`].
const GRANTS: &str = "SELECT g.id, g.application_id, a.workspace_id, g.via, g.scopes, \
    g.approved_by, g.created_ms, g.refreshed_ms FROM grants g \
    JOIN applications a ON a.id = g.application_id";

#[async_trait]
impl ApplicationStore for PostgresStore {
    async fn create_application(
        &self,
        workspace: WorkspaceId,
        new: NewApplication,
        now: Timestamp,
    ) -> Result<Application, StoreError> {
        let tx = self.db.begin().await?;
        // The transaction locks the workspace, so two simultaneous callers do not both get the last place.
        let sql = "SELECT FROM workspaces WHERE id = $1 FOR NO KEY UPDATE";
        if tx.opt(sql, &[&workspace.0]).await?.is_none() {
            return Err(StoreError::NotFound(Entity::Workspace));
        }
        let sql = "SELECT count(*) FROM applications WHERE workspace_id = $1";
        if tx.one(sql, &[&workspace.0]).await?.get_as::<i64>(0)? >= count(APPLICATIONS_MAX) {
            let message =
                format!("the workspace has {APPLICATIONS_MAX} applications, which is all");
            return Err(StoreError::Conflict(message));
        }
        let sql = "INSERT INTO applications (workspace_id, client_id, created_ms, scopes, \
                   disabled, settings) VALUES ($1, $2, $3, $4, false, $5) \
                   ON CONFLICT (client_id) DO NOTHING RETURNING id";
        let (at, allowed) = (now.as_millisecond(), new.scopes.to_string());
        let (client, settings) = (Text(&new.client_id), to_json(&new.settings)?);
        let row = tx.opt(sql, &[&workspace.0, &client, &at, &allowed, &settings]).await?;
        let row = row.ok_or_else(|| StoreError::Conflict("the client id is taken".to_owned()))?;
        let id = ApplicationId(row.get_as(0)?);
        let detail = json!({ "client_id": new.client_id, "scopes": allowed });
        audit::note(&tx, workspace, "application.create", id, &detail).await?;
        tx.commit().await?;
        Ok(Application {
            id,
            workspace,
            client_id: new.client_id,
            created_at: moment(at),
            scopes: new.scopes,
            disabled: false,
            settings: new.settings,
        })
    }

    async fn applications(
        &self,
        workspace: WorkspaceId,
        after: Option<ApplicationId>,
        limit: usize,
    ) -> Result<Vec<Application>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM applications WHERE workspace_id = $1 AND id > $2 \
             ORDER BY id LIMIT $3"
        );
        let after = after.map_or(0, |id| id.0);
        let conn = self.db.get().await?;
        let rows = conn.query(&sql, &[&workspace.0, &after, &count(limit)]).await?;
        rows.iter().map(stored).collect()
    }

    async fn application(
        &self,
        workspace: WorkspaceId,
        id: ApplicationId,
    ) -> Result<Option<Application>, StoreError> {
        own(&self.db.get().await?, workspace, id).await
    }

    async fn application_of_client(
        &self,
        client_id: &str,
    ) -> Result<Option<Application>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM applications WHERE client_id = $1");
        let row = self.db.get().await?.opt(&sql, &[&Text(client_id)]).await?;
        row.as_ref().map(stored).transpose()
    }

    async fn update_application(
        &self,
        workspace: WorkspaceId,
        id: ApplicationId,
        change: ApplicationChange,
    ) -> Result<Application, StoreError> {
        let tx = self.db.begin().await?;
        let mut application = known(&tx, workspace, id).await?;
        let about = |application: &Application| {
            let mut about = json!(application.settings);
            about["disabled"] = json!(application.disabled);
            about
        };
        let before = about(&application);
        change.apply(&mut application);
        let changed = audit::changed(&before, &about(&application));
        audit::note(&tx, workspace, "application.update", id, &changed).await?;
        let sql = "UPDATE applications SET disabled = $2, settings = $3 WHERE id = $1";
        let settings = to_json(&application.settings)?;
        tx.execute(sql, &[&id.0, &application.disabled, &settings]).await?;
        // An answer to one of the application's credentials says whether the application is disabled, so the
        // credentials must know.
        let sql = "UPDATE credentials SET disabled = $2 WHERE application_id = $1";
        tx.execute(sql, &[&id.0, &application.disabled]).await?;
        nodes::tell_of_credentials(&tx).await?;
        tx.commit().await?;
        Ok(application)
    }

    async fn delete_application(
        &self,
        workspace: WorkspaceId,
        id: ApplicationId,
    ) -> Result<bool, StoreError> {
        let tx = self.db.begin().await?;
        let Some(application) = own(&tx, workspace, id).await? else { return Ok(false) };
        let detail = json!({ "client_id": application.client_id });
        audit::note(&tx, workspace, "application.delete", id, &detail).await?;
        let sql = "DELETE FROM credentials WHERE id IN (SELECT credential_id FROM access_tokens t \
                   JOIN grants g ON g.id = t.grant_id WHERE g.application_id = $1)";
        tx.execute(sql, &[&id.0]).await?;
        // The application's other rows go with this row.
        tx.execute("DELETE FROM applications WHERE id = $1", &[&id.0]).await?;
        nodes::tell_of_credentials(&tx).await?;
        tx.commit().await?;
        Ok(true)
    }

    async fn grants(
        &self,
        workspace: WorkspaceId,
        application: ApplicationId,
        after: Option<GrantId>,
        limit: usize,
    ) -> Result<Vec<Grant>, StoreError> {
        let conn = self.db.get().await?;
        known(&conn, workspace, application).await?;
        let sql =
            format!("{GRANTS} WHERE g.application_id = $1 AND g.id > $2 ORDER BY g.id LIMIT $3");
        let after = after.map_or(0, |id| id.0);
        let rows = conn.query(&sql, &[&application.0, &after, &count(limit)]).await?;
        rows.iter().map(stored_grant).collect()
    }

    async fn revoke_grant(
        &self,
        workspace: WorkspaceId,
        application: ApplicationId,
        grant: GrantId,
    ) -> Result<bool, StoreError> {
        let tx = self.db.begin().await?;
        known(&tx, workspace, application).await?;
        let sql = "SELECT FROM grants WHERE id = $1 AND application_id = $2";
        if tx.opt(sql, &[&grant.0, &application.0]).await?.is_none() {
            return Ok(false);
        }
        revoke(&tx, grant, GrantEnd::TakenBack).await?;
        tx.commit().await?;
        Ok(true)
    }
}

/// Ends a grant with all tokens, and notes why. Does nothing when the grant is gone already.
pub(super) async fn revoke(tx: &Conn, id: GrantId, why: GrantEnd) -> Result<(), StoreError> {
    let Some(grant) = grant(tx, id).await? else { return Ok(()) };
    audit::note(tx, grant.workspace, "grant.revoke", id, &why.of(&grant)).await?;
    let sql = "DELETE FROM credentials WHERE id IN \
               (SELECT credential_id FROM access_tokens WHERE grant_id = $1)";
    tx.execute(sql, &[&id.0]).await?;
    tx.execute("DELETE FROM grants WHERE id = $1", &[&id.0]).await?;
    nodes::tell_of_credentials(tx).await
}

/// The application, which must be the workspace's. In a transaction the row is locked against other changes.
async fn known(
    conn: &Conn,
    workspace: WorkspaceId,
    id: ApplicationId,
) -> Result<Application, StoreError> {
    own(conn, workspace, id).await?.ok_or(StoreError::NotFound(Entity::Application))
}

async fn own(
    conn: &Conn,
    workspace: WorkspaceId,
    id: ApplicationId,
) -> Result<Option<Application>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM applications WHERE workspace_id = $1 AND id = $2 FOR NO KEY UPDATE"
    );
    let row = conn.opt(&sql, &[&workspace.0, &id.0]).await?;
    row.as_ref().map(stored).transpose()
}

/// An application of whichever workspace.
pub(super) async fn by_id(
    conn: &Conn,
    id: ApplicationId,
) -> Result<Option<Application>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM applications WHERE id = $1");
    conn.opt(&sql, &[&id.0]).await?.as_ref().map(stored).transpose()
}

fn stored(row: &Row) -> Result<Application, StoreError> {
    Ok(Application {
        id: ApplicationId(row.get_as(0)?),
        workspace: WorkspaceId(row.get_as(1)?),
        client_id: row.text(2)?,
        created_at: row.moment(3)?,
        scopes: scopes(&row.text(4)?),
        disabled: row.get_as(5)?,
        settings: from_json(&row.text(6)?)?,
    })
}

fn stored_grant(row: &Row) -> Result<Grant, StoreError> {
    Ok(Grant {
        id: GrantId(row.get_as(0)?),
        application: ApplicationId(row.get_as(1)?),
        workspace: WorkspaceId(row.get_as(2)?),
        via: GrantVia::parse(&row.text(3)?).unwrap_or(GrantVia::Code),
        scopes: scopes(&row.text(4)?),
        approved_by: CredentialId(row.get_as(5)?),
        created_at: row.moment(6)?,
        refreshed_at: row.moment(7)?,
    })
}

/// A grant with its application's workspace; `None` when the grant is gone.
pub(super) async fn grant(conn: &Conn, id: GrantId) -> Result<Option<Grant>, StoreError> {
    let row = conn.opt(&format!("{GRANTS} WHERE g.id = $1"), &[&id.0]).await?;
    row.as_ref().map(stored_grant).transpose()
}
