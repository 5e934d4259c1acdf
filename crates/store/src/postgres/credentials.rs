//! Credentials. They are read from the database each time: any node may have changed them.

use std::sync::atomic::Ordering;

use async_trait::async_trait;
use hookyard_core::id::{ApplicationId, CredentialId, ProjectId, WorkspaceId};
use hookyard_core::model::{Credential, CredentialKind, Scopes};
use ipnet::IpNet;
use jiff::Timestamp;
use serde_json::json;
use tokio_postgres::Row;

use super::columns::{Columns, Text, count, moment};
use super::database::Conn;
use super::{PostgresStore, audit, nodes, tenants};
use crate::audit::about_credential;
use crate::{
    CREDENTIALS_MAX, CredentialChange, CredentialQuery, CredentialStore, Entity, NewCredential,
    Rotation, StoreError, StoredCredential,
};

/// Columns that [`credential`] reads.
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
            && !tenants::has_project(&tx, workspace, project).await?
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
        let mut credential = existing(&tx, workspace, id).await?;
        if credential.revoked_at.is_some() {
            return Err(StoreError::Conflict("the credential was revoked".to_owned()));
        }
        let before = about_credential(&credential);
        let CredentialChange { name, scopes, expires_at, allowed_ips, disabled } = change;
        credential.name = name.unwrap_or(credential.name);
        credential.scopes = scopes.unwrap_or(credential.scopes);
        credential.expires_at = expires_at.unwrap_or(credential.expires_at);
        credential.allowed_ips = allowed_ips.unwrap_or(credential.allowed_ips);
        credential.disabled = disabled.unwrap_or(credential.disabled);
        save(&tx, &credential).await?;
        let changed = audit::changed(&before, &about_credential(&credential));
        audit::note(&tx, workspace, "credential.update", id, &changed).await?;
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
        let mut credential = existing(&tx, workspace, id).await?;
        if credential.revoked_at.is_none() {
            credential.revoked_at = Some(whole(now));
            save(&tx, &credential).await?;
            let name = json!({ "name": credential.name });
            audit::note(&tx, workspace, "credential.revoke", id, &name).await?;
            nodes::tell_of_credentials(&tx).await?;
        }
        tx.commit().await?;
        Ok(credential)
    }

    async fn rotate_credential(
        &self,
        workspace: WorkspaceId,
        id: CredentialId,
        rotation: Rotation,
    ) -> Result<Credential, StoreError> {
        let Rotation { lookup, secret, old_until, now } = rotation;
        let tx = self.db.begin().await?;
        let mut old = existing(&tx, workspace, id).await?;
        if old.has_ended(now) {
            return Err(StoreError::Conflict("the credential has ended".to_owned()));
        }
        let new = NewCredential {
            name: old.name.clone(),
            expires_at: old.expires_at,
            allowed_ips: old.allowed_ips.clone(),
            application: old.application,
            project: old.project,
            ..NewCredential::new(old.kind, old.scopes, lookup, secret, now)
        };
        let successor = insert(&tx, workspace, &new).await?;
        let ends = old.expires_at.map_or(old_until, |at| at.min(old_until));
        old.expires_at = Some(whole(ends));
        save(&tx, &old).await?;
        let successor = existing(&tx, workspace, successor).await?;
        let successor = Credential { disabled: old.disabled, ..successor };
        save(&tx, &successor).await?;
        let detail = json!({ "successor": successor.id, "until": old.expires_at });
        audit::note(&tx, workspace, "credential.rotate", id, &detail).await?;
        nodes::tell_of_credentials(&tx).await?;
        tx.commit().await?;
        Ok(successor)
    }

    async fn credentials_used(
        &self,
        mut uses: Vec<(CredentialId, Timestamp)>,
    ) -> Result<(), StoreError> {
        // In one order, so that two nodes that say so at once do not wait for each other; and each
        // once, since a statement changes a row once.
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

/// Checks that a workspace may have one more credential. It is the caller's until the transaction
/// ends, so that two who come at once do not both get the last place.
async fn bounded(tx: &Conn, workspace: WorkspaceId, now: Timestamp) -> Result<(), StoreError> {
    let sql = "SELECT FROM workspaces WHERE id = $1 FOR NO KEY UPDATE";
    tx.query(sql, &[&workspace.0]).await?;
    let sql = "SELECT count(*) FROM credentials WHERE workspace_id = $1 \
               AND application_id IS NULL AND revoked_ms IS NULL \
               AND (expires_ms IS NULL OR expires_ms > $2)";
    let live: i64 = tx.one(sql, &[&workspace.0, &now.as_millisecond()]).await?.get_as(0)?;
    if live < count(CREDENTIALS_MAX) {
        return Ok(());
    }
    Err(StoreError::Conflict(format!(
        "the workspace has {CREDENTIALS_MAX} credentials, the most that it may: revoke some first"
    )))
}

/// A credential, which nobody changes until the transaction ends.
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

/// Writes what can change of a credential.
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

fn nets_text(nets: &[IpNet]) -> String {
    let texts: Vec<_> = nets.iter().map(ToString::to_string).collect();
    texts.join(" ")
}

/// A moment as it is kept, to the millisecond.
fn whole(at: Timestamp) -> Timestamp {
    moment(at.as_millisecond())
}

/// Scopes from their column. One that this version does not know is one that it does not grant.
pub(super) fn scopes(text: &str) -> Scopes {
    text.split(' ').filter_map(|scope| scope.parse().ok()).collect()
}

fn credential(row: &Row) -> Result<Credential, StoreError> {
    let kind: CredentialKind =
        row.text(2)?.parse().map_err(|error: String| StoreError::internal(error))?;
    // One that cannot be read must not become one that is open to all.
    let nets = row.text(7)?;
    let nets = nets.split_ascii_whitespace().map(str::parse).collect::<Result<Vec<IpNet>, _>>();
    Ok(Credential {
        id: CredentialId(row.get_as(0)?),
        workspace: WorkspaceId(row.get_as(1)?),
        kind,
        scopes: scopes(&row.text(3)?),
        name: row.text(4)?,
        created_at: row.moment_if(5)?,
        expires_at: row.moment_if(6)?,
        allowed_ips: nets.map_err(|error| StoreError::Internal(error.into()))?,
        last_used_at: row.moment_if(8)?,
        revoked_at: row.moment_if(9)?,
        disabled: row.get_as(10)?,
        application: row.get_as::<Option<i32>>(11)?.map(ApplicationId),
        project: row.get_as::<Option<i32>>(12)?.map(ProjectId),
    })
}

/// Adds a credential to a workspace that must be there.
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
