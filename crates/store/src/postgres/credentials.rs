//! Credentials. Every call reads the database: any node may have changed a credential.

use std::sync::atomic::Ordering;

use async_trait::async_trait;
use hookyard_core::id::{ApplicationId, CredentialId, ProjectId, WorkspaceId};
use hookyard_core::model::{Credential, CredentialKind};
use jiff::Timestamp;
use tokio_postgres::Row;

use super::columns::{Columns, Text, count};
use super::database::Conn;
use super::{PostgresStore, audit, nodes, projects};
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
impl CredentialStore for PostgresStore {
    async fn create_credential(
        &self,
        workspace: WorkspaceId,
        new: NewCredential,
    ) -> Result<CredentialId, StoreError> {
        let tx = self.db.begin().await?;
        bounded(&tx, workspace, new.created_at).await?;
        if let Some(project) = new.project
            && !projects::has_project(&tx, workspace, project).await?
        {
            return Err(StoreError::NotFound(Entity::Project));
        }
        let id = insert(&tx, workspace, &new).await?;
        let made = about_credential(&existing(&tx, workspace, id).await?);
        audit::note(&tx, workspace, "credential.create", id, &made).await?;
        tx.commit().await?;
        Ok(id)
    }

    async fn credential(
        &self,
        kind: CredentialKind,
        lookup: [u8; 32],
    ) -> Result<Option<StoredCredential>, StoreError> {
        let sql =
            format!("SELECT {COLUMNS}, secret FROM credentials WHERE kind = $1 AND lookup = $2");
        let conn = self.db.get().await?;
        let Some(row) = conn.opt(&sql, &[&kind.as_str(), &lookup.as_slice()]).await? else {
            return Ok(None);
        };
        let secret: Option<&[u8]> = row.get_as(13)?;
        let secret = secret.map(<[u8; 32]>::try_from).transpose();
        let secret = secret.map_err(|_| StoreError::internal("a stored hash is damaged"))?;
        Ok(Some(StoredCredential { credential: credential(&row)?, secret }))
    }

    fn credentials_changed(&self) -> u64 {
        self.credentials.load(Ordering::Relaxed)
    }

    async fn credentials(
        &self,
        workspace: WorkspaceId,
        query: CredentialQuery,
    ) -> Result<Vec<Credential>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM credentials WHERE workspace_id = $1 \
             AND application_id IS NOT DISTINCT FROM $2 AND id > $3 ORDER BY id LIMIT $4"
        );
        let CredentialQuery { after, application, limit } = query;
        let (application, after) = (application.map(|id| id.0), after.map_or(0, |id| id.0));
        let conn = self.db.get().await?;
        let rows = conn.query(&sql, &[&workspace.0, &application, &after, &count(limit)]).await?;
        rows.iter().map(credential).collect()
    }

    async fn credential_by_id(
        &self,
        workspace: WorkspaceId,
        id: CredentialId,
    ) -> Result<Option<Credential>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM credentials WHERE workspace_id = $1 AND id = $2");
        let row = self.db.get().await?.opt(&sql, &[&workspace.0, &id.0]).await?;
        row.as_ref().map(credential).transpose()
    }

    async fn change_credential(
        &self,
        workspace: WorkspaceId,
        id: CredentialId,
        change: CredentialChange,
    ) -> Result<Credential, StoreError> {
        let tx = self.db.begin().await?;
        let (credential, detail) = change.apply(existing(&tx, workspace, id).await?)?;
        save(&tx, &credential).await?;
        audit::note(&tx, workspace, "credential.update", id, &detail).await?;
        nodes::tell_of_credentials(&tx).await?;
        tx.commit().await?;
        Ok(credential)
    }

    async fn revoke_credential(
        &self,
        workspace: WorkspaceId,
        id: CredentialId,
        now: Timestamp,
    ) -> Result<Credential, StoreError> {
        let tx = self.db.begin().await?;
        let credential = existing(&tx, workspace, id).await?;
        let Some((credential, detail)) = revoked(&credential, now) else {
            return Ok(credential);
        };
        save(&tx, &credential).await?;
        audit::note(&tx, workspace, "credential.revoke", id, &detail).await?;
        nodes::tell_of_credentials(&tx).await?;
        tx.commit().await?;
        Ok(credential)
    }

    async fn rotate_credential(
        &self,
        workspace: WorkspaceId,
        id: CredentialId,
        rotation: Rotation,
    ) -> Result<Credential, StoreError> {
        let tx = self.db.begin().await?;
        let old = existing(&tx, workspace, id).await?;
        let successor = insert(&tx, workspace, &rotation.successor(&old)?).await?;
        let done = rotation.done(old, existing(&tx, workspace, successor).await?);
        save(&tx, &done.old).await?;
        save(&tx, &done.successor).await?;
        audit::note(&tx, workspace, "credential.rotate", id, &done.detail).await?;
        nodes::tell_of_credentials(&tx).await?;
        tx.commit().await?;
        Ok(done.successor)
    }

    async fn credentials_used(
        &self,
        mut uses: Vec<(CredentialId, Timestamp)>,
    ) -> Result<(), StoreError> {
        // In one order, so that two nodes with simultaneous notes do not deadlock; and each credential once,
        // since a statement changes a row once.
        uses.sort_unstable();
        uses.reverse();
        uses.dedup_by_key(|(id, _)| *id);
        let sql = "UPDATE credentials c SET last_used_ms = u.at FROM \
                   (SELECT id, at FROM unnest($1::int4[], $2::int8[]) u (id, at) ORDER BY id) u \
                   WHERE c.id = u.id AND coalesce(c.last_used_ms, 0) < u.at";
        let ids: Vec<_> = uses.iter().map(|(id, _)| id.0).collect();
        let times: Vec<_> = uses.iter().map(|(_, at)| at.as_millisecond()).collect();
        self.db.get().await?.execute(sql, &[&ids, &times]).await.map(drop)
    }

    async fn forget_credentials(
        &self,
        ended_before: Timestamp,
        limit: usize,
    ) -> Result<u64, StoreError> {
        let sql = "DELETE FROM credentials WHERE id IN (SELECT id FROM credentials \
                   WHERE coalesce(revoked_ms, expires_ms) < $1 LIMIT $2)";
        let conn = self.db.get().await?;
        conn.execute(sql, &[&ended_before.as_millisecond(), &count(limit)]).await
    }
}

/// Checks that a workspace may have another credential. The transaction locks the workspace to the end, so
/// two simultaneous callers do not both get the last place.
async fn bounded(tx: &Conn, workspace: WorkspaceId, now: Timestamp) -> Result<(), StoreError> {
    let sql = "SELECT FROM workspaces WHERE id = $1 FOR NO KEY UPDATE";
    tx.query(sql, &[&workspace.0]).await?;
    let sql = "SELECT count(*) FROM credentials WHERE workspace_id = $1 \
               AND application_id IS NULL AND revoked_ms IS NULL \
               AND (expires_ms IS NULL OR expires_ms > $2)";
    let live: i64 = tx.one(sql, &[&workspace.0, &now.as_millisecond()]).await?.get_as(0)?;
    may_have_one_more(live)
}

/// A credential, locked against changes until the transaction ends.
async fn existing(
    tx: &Conn,
    workspace: WorkspaceId,
    id: CredentialId,
) -> Result<Credential, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM credentials WHERE workspace_id = $1 AND id = $2 FOR NO KEY UPDATE"
    );
    let row = tx.opt(&sql, &[&workspace.0, &id.0]).await?;
    credential(&row.ok_or(StoreError::NotFound(Entity::Credential))?)
}

/// Writes the changeable parts of a credential.
async fn save(tx: &Conn, credential: &Credential) -> Result<(), StoreError> {
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
    let sql = "UPDATE credentials SET scopes = $2, name = $3, expires_ms = $4, allowed_ips = $5, \
               revoked_ms = $6, disabled = $7 WHERE id = $1";
    tx.execute(
        sql,
        &[
            &id.0,
            &scopes.to_string(),
            &Text(name),
            &expires_at.map(Timestamp::as_millisecond),
            &nets_text(allowed_ips),
            &revoked_at.map(Timestamp::as_millisecond),
            disabled,
        ],
    )
    .await
    .map(drop)
}

fn credential(row: &Row) -> Result<Credential, StoreError> {
    let kind: CredentialKind =
        row.text(2)?.parse().map_err(|error: String| StoreError::internal(error))?;
    Ok(Credential {
        id: CredentialId(row.get_as(0)?),
        workspace: WorkspaceId(row.get_as(1)?),
        kind,
        scopes: scopes(&row.text(3)?),
        name: row.text(4)?,
        created_at: row.moment_if(5)?,
        expires_at: row.moment_if(6)?,
        allowed_ips: nets(&row.text(7)?).map_err(|error| StoreError::Internal(error.into()))?,
        last_used_at: row.moment_if(8)?,
        revoked_at: row.moment_if(9)?,
        disabled: row.get_as(10)?,
        application: row.get_as::<Option<i32>>(11)?.map(ApplicationId),
        project: row.get_as::<Option<i32>>(12)?.map(ProjectId),
    })
}

/// Adds a credential to an existing workspace.
pub(super) async fn insert(
    conn: &Conn,
    workspace: WorkspaceId,
    new: &NewCredential,
) -> Result<CredentialId, StoreError> {
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
               SELECT id, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11 FROM workspaces WHERE id = $1 \
               RETURNING id";
    let row = conn
        .opt(
            sql,
            &[
                &workspace.0,
                &kind.as_str(),
                &scopes.to_string(),
                &lookup.as_slice(),
                &secret.as_ref().map(<[u8; 32]>::as_slice),
                &Text(name),
                &created_at.as_millisecond(),
                &expires_at.map(Timestamp::as_millisecond),
                &nets_text(allowed_ips),
                &application.map(|id| id.0),
                &project.map(|id| id.0),
            ],
        )
        .await?;
    let row = row.ok_or(StoreError::NotFound(Entity::Workspace))?;
    Ok(CredentialId(row.get_as(0)?))
}
