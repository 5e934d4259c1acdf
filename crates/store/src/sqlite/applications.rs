//! Applications and grants.
//!
//! Applications, like credentials, are read from the file each time, not from memory: the command line
//! changes applications from another process while a server runs.

use async_trait::async_trait;
use hookyard_core::id::{ApplicationId, CredentialId, GrantId, WorkspaceId};
use hookyard_core::model::{Application, ApplicationChange, Grant, GrantVia, NewApplication};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde_json::json;

use super::access::Access;
use super::rows::{count, from_json, moment, to_json};
use super::{audit, failed, tenant_rows};
use crate::audit::GrantEnd;
use crate::credentials::scopes;
use crate::{APPLICATIONS_MAX, ApplicationStore, Entity, StoreError};

/// The columns for [`stored`].
const COLUMNS: &str = "id, workspace_id, client_id, created_ms, scopes, disabled, settings";

/// The columns for [`stored_grant`].
pub(super) const GRANT_COLUMNS: &str = "grants.id, application_id, applications.workspace_id, via, \
    grants.scopes, approved_by, grants.created_ms, refreshed_ms";

#[async_trait]
impl<A: Access> ApplicationStore for A {
    async fn create_application(
        &self,
        workspace: WorkspaceId,
        new: NewApplication,
        now: Timestamp,
    ) -> Result<Application, StoreError> {
        self.change(move |conn| insert(conn, workspace, new, now)).await
    }

    async fn applications(
        &self,
        workspace: WorkspaceId,
        after: Option<ApplicationId>,
        limit: usize,
    ) -> Result<Vec<Application>, StoreError> {
        let read = move |conn: &Connection| {
            let sql = format!(
                "SELECT {COLUMNS} FROM applications WHERE workspace_id = ?1 AND id > ?2 \
                 ORDER BY id LIMIT ?3"
            );
            let after = after.map_or(0, |id| id.0);
            let mut select = conn.prepare_cached(&sql).map_err(failed)?;
            let mut rows =
                select.query(params![workspace.0, after, count(limit)]).map_err(failed)?;
            let mut page = Vec::new();
            while let Some(row) = rows.next().map_err(failed)? {
                page.push(stored(row)?);
            }
            Ok(page)
        };
        self.look(read).await
    }

    async fn application(
        &self,
        workspace: WorkspaceId,
        id: ApplicationId,
    ) -> Result<Option<Application>, StoreError> {
        self.look(move |conn| own(conn, workspace, id)).await
    }

    async fn application_of_client(
        &self,
        client_id: &str,
    ) -> Result<Option<Application>, StoreError> {
        let client_id = client_id.to_owned();
        self.look(move |conn| one(conn, "client_id = ?1", &[&client_id])).await
    }

    async fn update_application(
        &self,
        workspace: WorkspaceId,
        id: ApplicationId,
        change: ApplicationChange,
    ) -> Result<Application, StoreError> {
        self.change(move |conn| update(conn, workspace, id, change)).await
    }

    async fn delete_application(
        &self,
        workspace: WorkspaceId,
        id: ApplicationId,
    ) -> Result<bool, StoreError> {
        self.change(move |conn| delete(conn, workspace, id)).await
    }

    async fn grants(
        &self,
        workspace: WorkspaceId,
        application: ApplicationId,
        after: Option<GrantId>,
        limit: usize,
    ) -> Result<Vec<Grant>, StoreError> {
        let read = move |conn: &Connection| {
            known(conn, workspace, application)?;
            let sql = format!(
                "SELECT {GRANT_COLUMNS} FROM grants \
                 JOIN applications ON applications.id = application_id \
                 WHERE application_id = ?1 AND grants.id > ?2 ORDER BY grants.id LIMIT ?3"
            );
            let after = after.map_or(0, |id| id.0);
            let mut select = conn.prepare_cached(&sql).map_err(failed)?;
            let page = params![application.0, after, count(limit)];
            let rows = select.query_map(page, stored_grant).map_err(failed)?;
            rows.collect::<Result<_, _>>().map_err(failed)
        };
        self.look(read).await
    }

    async fn revoke_grant(
        &self,
        workspace: WorkspaceId,
        application: ApplicationId,
        grant: GrantId,
    ) -> Result<bool, StoreError> {
        let end = move |conn: &Connection| {
            known(conn, workspace, application)?;
            let sql = "SELECT EXISTS (SELECT 1 FROM grants WHERE id = ?1 AND application_id = ?2)";
            let there = conn
                .query_row(sql, params![grant.0, application.0], |row| row.get(0))
                .map_err(failed)?;
            if there {
                revoke(conn, grant, GrantEnd::TakenBack)?;
            }
            Ok(there)
        };
        self.change(end).await
    }
}

fn insert(
    conn: &Connection,
    workspace: WorkspaceId,
    new: NewApplication,
    now: Timestamp,
) -> Result<Application, StoreError> {
    if !tenant_rows::workspaces(conn)?.iter().any(|known| known.id == workspace) {
        return Err(StoreError::NotFound(Entity::Workspace));
    }
    let sql = "SELECT count(*) FROM applications WHERE workspace_id = ?1";
    let there: i64 = conn.query_row(sql, [workspace.0], |row| row.get(0)).map_err(failed)?;
    if there >= count(APPLICATIONS_MAX) {
        let message = format!("the workspace has {APPLICATIONS_MAX} applications, which is all");
        return Err(StoreError::Conflict(message));
    }
    if one(conn, "client_id = ?1", &[&new.client_id])?.is_some() {
        return Err(StoreError::Conflict("the client id is taken".to_owned()));
    }
    let sql = "INSERT INTO applications (workspace_id, client_id, created_ms, scopes, disabled, \
               settings) VALUES (?1, ?2, ?3, ?4, 0, ?5)";
    let row = params![
        workspace.0,
        new.client_id,
        now.as_millisecond(),
        new.scopes.to_string(),
        to_json(&new.settings)?,
    ];
    conn.execute(sql, row).map_err(failed)?;
    let id = i32::try_from(conn.last_insert_rowid())
        .map_err(|_| StoreError::internal("application numbers are used up"))?;
    let detail = json!({ "client_id": new.client_id, "scopes": new.scopes.to_string() });
    audit::note(conn, workspace, "application.create", id, &detail)?;
    Ok(Application {
        id: ApplicationId(id),
        workspace,
        client_id: new.client_id,
        created_at: moment(now.as_millisecond()),
        scopes: new.scopes,
        disabled: false,
        settings: new.settings,
    })
}

fn update(
    conn: &Connection,
    workspace: WorkspaceId,
    id: ApplicationId,
    change: ApplicationChange,
) -> Result<Application, StoreError> {
    let mut application = known(conn, workspace, id)?;
    let about = |application: &Application| {
        let mut about = json!(application.settings);
        about["disabled"] = json!(application.disabled);
        about
    };
    let before = about(&application);
    change.apply(&mut application);
    let changed = audit::changed(&before, &about(&application));
    audit::note(conn, workspace, "application.update", id, &changed)?;
    let sql = "UPDATE applications SET disabled = ?2, settings = ?3 WHERE id = ?1";
    let row = params![id.0, application.disabled, to_json(&application.settings)?];
    conn.execute(sql, row).map_err(failed)?;
    // An answer to one of the application's credentials says whether the application is disabled, so the
    // credentials must know.
    let sql = "UPDATE credentials SET disabled = ?2 WHERE application_id = ?1";
    conn.execute(sql, params![id.0, application.disabled]).map_err(failed)?;
    Ok(application)
}

fn delete(
    conn: &Connection,
    workspace: WorkspaceId,
    id: ApplicationId,
) -> Result<bool, StoreError> {
    let Some(application) = own(conn, workspace, id)? else { return Ok(false) };
    let detail = json!({ "client_id": application.client_id });
    audit::note(conn, workspace, "application.delete", id, &detail)?;
    let sql = "DELETE FROM credentials WHERE id IN (SELECT credential_id FROM access_tokens \
               JOIN grants ON grants.id = grant_id WHERE application_id = ?1)";
    conn.execute(sql, [id.0]).map_err(failed)?;
    // The application's other rows go with this row.
    conn.execute("DELETE FROM applications WHERE id = ?1", [id.0]).map_err(failed)?;
    Ok(true)
}

/// Ends a grant with all tokens, and notes why. Does nothing when the grant is gone already.
pub(super) fn revoke(conn: &Connection, id: GrantId, why: GrantEnd) -> Result<(), StoreError> {
    let Some(grant) = grant(conn, id)? else { return Ok(()) };
    audit::note(conn, grant.workspace, "grant.revoke", id, &why.of(&grant))?;
    let sql = "DELETE FROM credentials WHERE id IN \
               (SELECT credential_id FROM access_tokens WHERE grant_id = ?1)";
    conn.execute(sql, [id.0]).map_err(failed)?;
    conn.execute("DELETE FROM grants WHERE id = ?1", [id.0]).map_err(failed)?;
    Ok(())
}

/// The application, which must be the workspace's.
fn known(
    conn: &Connection,
    workspace: WorkspaceId,
    id: ApplicationId,
) -> Result<Application, StoreError> {
    own(conn, workspace, id)?.ok_or(StoreError::NotFound(Entity::Application))
}

fn own(
    conn: &Connection,
    workspace: WorkspaceId,
    id: ApplicationId,
) -> Result<Option<Application>, StoreError> {
    one(conn, "workspace_id = ?1 AND id = ?2", &[&workspace.0, &id.0])
}

/// The application that meets a condition.
pub(super) fn one(
    conn: &Connection,
    condition: &str,
    values: &[&dyn rusqlite::ToSql],
) -> Result<Option<Application>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM applications WHERE {condition}");
    let mut select = conn.prepare_cached(&sql).map_err(failed)?;
    let mut rows = select.query(values).map_err(failed)?;
    rows.next().map_err(failed)?.map(stored).transpose()
}

fn stored(row: &Row<'_>) -> Result<Application, StoreError> {
    let text = |column| row.get::<_, String>(column).map_err(failed);
    let number = |column| row.get::<_, i32>(column).map_err(failed);
    Ok(Application {
        id: ApplicationId(number(0)?),
        workspace: WorkspaceId(number(1)?),
        client_id: text(2)?,
        created_at: moment(row.get(3).map_err(failed)?),
        scopes: scopes(&text(4)?),
        disabled: row.get(5).map_err(failed)?,
        settings: from_json(&text(6)?)?,
    })
}

/// Reads [`GRANT_COLUMNS`].
pub(super) fn stored_grant(row: &Row<'_>) -> rusqlite::Result<Grant> {
    let via: String = row.get(3)?;
    Ok(Grant {
        id: GrantId(row.get(0)?),
        application: ApplicationId(row.get(1)?),
        workspace: WorkspaceId(row.get(2)?),
        via: GrantVia::parse(&via).unwrap_or(GrantVia::Code),
        scopes: scopes(&row.get::<_, String>(4)?),
        approved_by: CredentialId(row.get(5)?),
        created_at: moment(row.get(6)?),
        refreshed_at: moment(row.get(7)?),
    })
}

/// A grant with its application's workspace; `None` when the grant is gone.
pub(super) fn grant(conn: &Connection, id: GrantId) -> Result<Option<Grant>, StoreError> {
    let sql = format!(
        "SELECT {GRANT_COLUMNS} FROM grants JOIN applications ON applications.id = application_id \
         WHERE grants.id = ?1"
    );
    conn.prepare_cached(&sql)
        .and_then(|mut select| select.query_row([id.0], stored_grant).optional())
        .map_err(failed)
}
