//! Credentials. They are read from the database each time: any node may have changed them.

use async_trait::async_trait;
use hookyard_core::id::{CredentialId, WorkspaceId};
use hookyard_core::model::{Credential, CredentialKind, Scopes};

use super::PostgresStore;
use super::columns::Columns;
use super::database::Conn;
use crate::{CredentialStore, Entity, NewCredential, StoreError, StoredCredential};

#[async_trait]
impl CredentialStore for PostgresStore {
    async fn create_credential(
        &self,
        workspace: WorkspaceId,
        new: NewCredential,
    ) -> Result<CredentialId, StoreError> {
        insert(&self.db.get().await?, workspace, &new).await
    }

    async fn credential(
        &self,
        kind: CredentialKind,
        lookup: [u8; 32],
    ) -> Result<Option<StoredCredential>, StoreError> {
        let sql = "SELECT id, workspace_id, scopes, secret FROM credentials \
                   WHERE kind = $1 AND lookup = $2";
        let conn = self.db.get().await?;
        let Some(row) = conn.opt(sql, &[&kind.as_str(), &lookup.as_slice()]).await? else {
            return Ok(None);
        };
        // A scope that this version does not know is one that it does not grant.
        let scopes: Scopes = row.text(2)?.split(' ').filter_map(|s| s.parse().ok()).collect();
        let credential = Credential {
            id: CredentialId(row.get_as(0)?),
            workspace: WorkspaceId(row.get_as(1)?),
            kind,
            scopes,
        };
        let secret: Option<&[u8]> = row.get_as(3)?;
        let secret = secret.map(<[u8; 32]>::try_from).transpose();
        let secret = secret.map_err(|_| StoreError::internal("a stored hash is damaged"))?;
        Ok(Some(StoredCredential { credential, secret }))
    }
}

/// Adds a credential to a workspace that must be there.
pub(super) async fn insert(
    conn: &Conn,
    workspace: WorkspaceId,
    new: &NewCredential,
) -> Result<CredentialId, StoreError> {
    let sql = "INSERT INTO credentials (workspace_id, kind, scopes, lookup, secret) \
               SELECT id, $2, $3, $4, $5 FROM workspaces WHERE id = $1 RETURNING id";
    let secret = new.secret.as_ref().map(<[u8; 32]>::as_slice);
    let (kind, scopes) = (new.kind.as_str(), new.scopes.to_string());
    let row = conn.opt(sql, &[&workspace.0, &kind, &scopes, &new.lookup.as_slice(), &secret]).await?;
    let row = row.ok_or(StoreError::NotFound(Entity::Workspace))?;
    Ok(CredentialId(row.get_as(0)?))
}
