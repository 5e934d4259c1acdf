//! Credentials.
//!
//! Credentials are read from the file each time, not from memory: the command line changes credentials from
//! another process while a server runs.

use async_trait::async_trait;
use hookyard_core::id::{ApplicationId, CredentialId, ProjectId, WorkspaceId};
use hookyard_core::model::{Credential, CredentialKind};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::access::Access;
use super::rows::{count, moment};
use super::{audit, failed, tenant_rows};
use crate::audit::about_credential;
use crate::credentials::{may_have_one_more, nets, nets_text, revoked, scopes};
use crate::{
    CredentialChange, CredentialQuery, CredentialStore, Entity, NewCredential, Rotation,
    StoreError, StoredCredential,
};

/// The columns for [`credential`].
const COLUMNS: &str = "id, workspace_id, kind, scopes, name, created_ms, expires_ms, allowed_ips, \
                       last_used_ms, revoked_ms, disabled, application_id, project_id";

#[async_trait]
impl<A: Access> CredentialStore for A {
    async fn create_credential(
        &self,
        workspace: WorkspaceId,
        new: NewCredential,
    ) -> Result<CredentialId, StoreError> {
        self.change(move |conn| {
            bounded(conn, workspace, new.created_at)?;
            if let Some(project) = new.project
                && !tenant_rows::has_project(conn, workspace, project)?
            {
                return Err(StoreError::NotFound(Entity::Project));
            }
            let id = insert(conn, workspace, &new)?;
            let made = existing(conn, workspace, id)?;
            audit::note(conn, workspace, "credential.create", id, &about_credential(&made))?;
            Ok(id)
        })
        .await
    }

    async fn credential(
        &self,
        kind: CredentialKind,
        lookup: [u8; 32],
    ) -> Result<Option<StoredCredential>, StoreError> {
        self.look(move |conn| {
            let sql = format!(
                "SELECT {COLUMNS}, secret FROM credentials WHERE kind = ?1 AND lookup = ?2"
            );
            let stored = |row: &Row<'_>| {
                Ok(StoredCredential { credential: credential(row)?, secret: row.get(13)? })
            };
            conn.prepare_cached(&sql)
                .and_then(|mut find| {
                    find.query_row(params![kind.as_str(), lookup], stored).optional()
                })
                .map_err(failed)
        })
        .await
    }

    async fn credentials(
        &self,
        workspace: WorkspaceId,
        query: CredentialQuery,
    ) -> Result<Vec<Credential>, StoreError> {
        self.look(move |conn| page(conn, workspace, query)).await
    }

    async fn credential_by_id(
        &self,
        workspace: WorkspaceId,
        id: CredentialId,
    ) -> Result<Option<Credential>, StoreError> {
        self.look(move |conn| by_id(conn, workspace, id)).await
    }

    async fn change_credential(
        &self,
        workspace: WorkspaceId,
        id: CredentialId,
        change: CredentialChange,
    ) -> Result<Credential, StoreError> {
        self.change(move |conn| {
            let (credential, detail) = change.apply(existing(conn, workspace, id)?)?;
            save(conn, &credential)?;
            audit::note(conn, workspace, "credential.update", id, &detail)?;
            Ok(credential)
        })
        .await
    }

    async fn revoke_credential(
        &self,
        workspace: WorkspaceId,
        id: CredentialId,
        now: Timestamp,
    ) -> Result<Credential, StoreError> {
        self.change(move |conn| {
            let credential = existing(conn, workspace, id)?;
            let Some((credential, detail)) = revoked(&credential, now) else {
                return Ok(credential);
            };
            save(conn, &credential)?;
            audit::note(conn, workspace, "credential.revoke", id, &detail)?;
            Ok(credential)
        })
        .await
    }

    async fn rotate_credential(
        &self,
        workspace: WorkspaceId,
        id: CredentialId,
        rotation: Rotation,
    ) -> Result<Credential, StoreError> {
        self.change(move |conn| rotate(conn, workspace, id, &rotation)).await
    }

    async fn credentials_used(
        &self,
        uses: Vec<(CredentialId, Timestamp)>,
    ) -> Result<(), StoreError> {
        self.change(move |conn| {
            let sql = "UPDATE credentials SET last_used_ms = ?2 \
                       WHERE id = ?1 AND ifnull(last_used_ms, 0) < ?2";
            let mut update = conn.prepare_cached(sql).map_err(failed)?;
            for (id, at) in uses {
                update.execute(params![id.0, at.as_millisecond()]).map_err(failed)?;
            }
            Ok(())
        })
        .await
    }

    async fn forget_credentials(
        &self,
        ended_before: Timestamp,
        limit: usize,
    ) -> Result<u64, StoreError> {
        self.change(move |conn| {
            let sql = "DELETE FROM credentials WHERE id IN (SELECT id FROM credentials \
                       WHERE ifnull(revoked_ms, expires_ms) < ?1 LIMIT ?2)";
            let bounds = params![ended_before.as_millisecond(), count(limit)];
            let deleted = conn.prepare_cached(sql).and_then(|mut delete| delete.execute(bounds));
            Ok(deleted.map_err(failed)? as u64)
        })
        .await
    }
}

/// Checks that a workspace may have another credential.
fn bounded(conn: &Connection, workspace: WorkspaceId, now: Timestamp) -> Result<(), StoreError> {
    let sql = "SELECT count(*) FROM credentials WHERE workspace_id = ?1 \
               AND application_id IS NULL AND revoked_ms IS NULL \
               AND (expires_ms IS NULL OR expires_ms > ?2)";
    let live: i64 = conn
        .query_row(sql, params![workspace.0, now.as_millisecond()], |row| row.get(0))
        .map_err(failed)?;
    may_have_one_more(live)
}

fn page(
    conn: &Connection,
    workspace: WorkspaceId,
    query: CredentialQuery,
) -> Result<Vec<Credential>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM credentials WHERE workspace_id = ?1 AND application_id IS ?2 \
         AND id > ?3 ORDER BY id LIMIT ?4"
    );
    let CredentialQuery { after, application, limit } = query;
    let (application, after) = (application.map(|id| id.0), after.map_or(0, |id| id.0));
    let mut statement = conn.prepare_cached(&sql).map_err(failed)?;
    let bounds = params![workspace.0, application, after, count(limit)];
    let rows = statement.query_map(bounds, credential).map_err(failed)?;
    rows.collect::<Result<_, _>>().map_err(failed)
}

fn by_id(
    conn: &Connection,
    workspace: WorkspaceId,
    id: CredentialId,
) -> Result<Option<Credential>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM credentials WHERE workspace_id = ?1 AND id = ?2");
    conn.prepare_cached(&sql)
        .and_then(|mut find| find.query_row(params![workspace.0, id.0], credential).optional())
        .map_err(failed)
}

fn existing(
    conn: &Connection,
    workspace: WorkspaceId,
    id: CredentialId,
) -> Result<Credential, StoreError> {
    by_id(conn, workspace, id)?.ok_or(StoreError::NotFound(Entity::Credential))
}

fn rotate(
    conn: &Connection,
    workspace: WorkspaceId,
    id: CredentialId,
    rotation: &Rotation,
) -> Result<Credential, StoreError> {
    let old = existing(conn, workspace, id)?;
    let successor = insert(conn, workspace, &rotation.successor(&old)?)?;
    let done = rotation.done(old, existing(conn, workspace, successor)?);
    save(conn, &done.old)?;
    save(conn, &done.successor)?;
    audit::note(conn, workspace, "credential.rotate", id, &done.detail)?;
    Ok(done.successor)
}

/// Writes the changeable parts of a credential.
fn save(conn: &Connection, credential: &Credential) -> Result<(), StoreError> {
    let Credential {
        id,
        workspace: _,
        kind: _,
        scopes,
        name,
        created_at: _,
        expires_at,
        allowed_ips,
        last_used_at: _,
        revoked_at,
        disabled,
        application: _,
        project: _,
    } = credential;
    let sql = "UPDATE credentials SET scopes = ?2, name = ?3, expires_ms = ?4, allowed_ips = ?5, \
               revoked_ms = ?6, disabled = ?7 WHERE id = ?1";
    let row = params![
        id.0,
        scopes.to_string(),
        name,
        expires_at.map(Timestamp::as_millisecond),
        nets_text(allowed_ips),
        revoked_at.map(Timestamp::as_millisecond),
        disabled,
    ];
    conn.prepare_cached(sql).and_then(|mut update| update.execute(row)).map_err(failed)?;
    Ok(())
}

fn credential(row: &Row<'_>) -> rusqlite::Result<Credential> {
    let at = |column| Ok::<_, rusqlite::Error>(row.get::<_, Option<i64>>(column)?.map(moment));
    Ok(Credential {
        id: CredentialId(row.get(0)?),
        workspace: WorkspaceId(row.get(1)?),
        kind: parsed(row, 2)?,
        scopes: scopes(&row.get::<_, String>(3)?),
        name: row.get(4)?,
        created_at: at(5)?,
        expires_at: at(6)?,
        allowed_ips: nets(&row.get::<_, String>(7)?).map_err(|error| damaged(7, error))?,
        last_used_at: at(8)?,
        revoked_at: at(9)?,
        disabled: row.get(10)?,
        application: row.get::<_, Option<i32>>(11)?.map(ApplicationId),
        project: row.get::<_, Option<i32>>(12)?.map(ProjectId),
    })
}

fn parsed(row: &Row<'_>, column: usize) -> rusqlite::Result<CredentialKind> {
    row.get::<_, String>(column)?.parse().map_err(|error: String| damaged(column, error))
}

fn damaged(
    column: usize,
    error: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> rusqlite::Error {
    let kind = rusqlite::types::Type::Text;
    rusqlite::Error::FromSqlConversionFailure(column, kind, error.into())
}

/// Adds a credential to an existing workspace.
pub(super) fn insert(
    conn: &Connection,
    workspace: WorkspaceId,
    new: &NewCredential,
) -> Result<CredentialId, StoreError> {
    let known = tenant_rows::workspaces(conn)?.iter().any(|known| known.id == workspace);
    if !known {
        return Err(StoreError::NotFound(Entity::Workspace));
    }
    let NewCredential {
        kind,
        scopes,
        lookup,
        secret,
        name,
        created_at,
        expires_at,
        allowed_ips,
        application,
        project,
    } = new;
    let sql = "INSERT INTO credentials (workspace_id, kind, scopes, lookup, secret, name, \
               created_ms, expires_ms, allowed_ips, application_id, project_id) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
    let row = params![
        workspace.0,
        kind.as_str(),
        scopes.to_string(),
        lookup,
        secret,
        name,
        created_at.as_millisecond(),
        expires_at.map(Timestamp::as_millisecond),
        nets_text(allowed_ips),
        application.map(|id| id.0),
        project.map(|id| id.0),
    ];
    conn.prepare_cached(sql).and_then(|mut insert| insert.execute(row)).map_err(failed)?;
    let id = i32::try_from(conn.last_insert_rowid());
    id.map(CredentialId).map_err(|_| StoreError::internal("credential numbers are used up"))
}
