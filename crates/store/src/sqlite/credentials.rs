//! Credentials.
//!
//! They are read from the file each time, not from memory: the command line adds them from another
//! process while a server runs.

use std::path::Path;

use async_trait::async_trait;
use hookyard_core::id::{CredentialId, WorkspaceId};
use hookyard_core::model::{Credential, CredentialKind, Scopes, Workspace};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::readers::Readers;
use super::{SqliteStore, catalog, connect, failed, migrate};
use crate::{CredentialStore, Entity, NewCredential, StoreError, StoredCredential};

#[async_trait]
impl CredentialStore for SqliteStore {
    async fn create_credential(
        &self,
        workspace: WorkspaceId,
        new: NewCredential,
    ) -> Result<CredentialId, StoreError> {
        self.writer.alone(move |tx| insert(tx.conn, workspace, &new)).await
    }

    async fn credential(
        &self,
        kind: CredentialKind,
        lookup: [u8; 32],
    ) -> Result<Option<StoredCredential>, StoreError> {
        find(&self.readers, kind, lookup).await
    }
}

/// The credentials of a file that another process may be serving.
#[derive(Debug)]
pub struct SqliteCredentials {
    path: std::path::PathBuf,
    readers: Readers,
}

impl SqliteCredentials {
    /// Opens the file, which must be there.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        migrate::migrate(&mut connect(path)?)?;
        Ok(Self { path: path.to_owned(), readers: Readers::open(path)? })
    }

    /// All workspaces, numbers ascending.
    pub async fn workspaces(&self) -> Result<Vec<Workspace>, StoreError> {
        self.readers.read(catalog::workspaces).await
    }
}

/// A file whose rows are read and changed one transaction at a time, by the process that serves it or
/// beside it.
#[async_trait]
pub(super) trait Access: Send + Sync {
    /// Runs a read.
    async fn look<T: Send + 'static>(
        &self,
        job: impl for<'c> FnOnce(&'c Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError>;

    /// Runs a change in a transaction of its own, which is rolled back when it fails.
    async fn change<T: Send + 'static>(
        &self,
        job: impl for<'c> FnOnce(&'c Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError>;
}

#[async_trait]
impl Access for SqliteStore {
    async fn look<T: Send + 'static>(
        &self,
        job: impl for<'c> FnOnce(&'c Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.readers.read(job).await
    }

    async fn change<T: Send + 'static>(
        &self,
        job: impl for<'c> FnOnce(&'c Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.writer.alone(move |tx| job(tx.conn)).await
    }
}

#[async_trait]
impl Access for SqliteCredentials {
    async fn look<T: Send + 'static>(
        &self,
        job: impl for<'c> FnOnce(&'c Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.readers.read(job).await
    }

    async fn change<T: Send + 'static>(
        &self,
        job: impl for<'c> FnOnce(&'c Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let path = self.path.clone();
        let change = move || {
            let mut conn = connect(&path)?;
            let tx = conn
                .transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)
                .map_err(failed)?;
            let done = job(&tx)?;
            tx.commit().map_err(failed)?;
            Ok(done)
        };
        tokio::task::spawn_blocking(change)
            .await
            .map_err(|error| StoreError::Internal(error.into()))?
    }
}

#[async_trait]
impl CredentialStore for SqliteCredentials {
    async fn create_credential(
        &self,
        workspace: WorkspaceId,
        new: NewCredential,
    ) -> Result<CredentialId, StoreError> {
        self.change(move |conn| insert(conn, workspace, &new)).await
    }

    async fn credential(
        &self,
        kind: CredentialKind,
        lookup: [u8; 32],
    ) -> Result<Option<StoredCredential>, StoreError> {
        find(&self.readers, kind, lookup).await
    }
}

async fn find(
    readers: &Readers,
    kind: CredentialKind,
    lookup: [u8; 32],
) -> Result<Option<StoredCredential>, StoreError> {
    let read = move |conn: &Connection| {
        let sql = "SELECT id, workspace_id, scopes, secret FROM credentials \
                   WHERE kind = ?1 AND lookup = ?2";
        conn.prepare_cached(sql)
            .and_then(|mut statement| {
                let stored = |row: &Row<'_>| stored(row, kind);
                statement.query_row(params![kind.as_str(), lookup], stored).optional()
            })
            .map_err(failed)
    };
    readers.read(read).await
}

fn stored(row: &Row<'_>, kind: CredentialKind) -> rusqlite::Result<StoredCredential> {
    // A scope that this version does not know is one that it does not grant.
    let scopes: String = row.get(2)?;
    let scopes: Scopes = scopes.split(' ').filter_map(|scope| scope.parse().ok()).collect();
    let credential = Credential {
        id: CredentialId(row.get(0)?),
        workspace: WorkspaceId(row.get(1)?),
        kind,
        scopes,
    };
    Ok(StoredCredential { credential, secret: row.get(3)? })
}

/// Adds a credential to a workspace that must be there.
pub(super) fn insert(
    conn: &Connection,
    workspace: WorkspaceId,
    new: &NewCredential,
) -> Result<CredentialId, StoreError> {
    let known = catalog::workspaces(conn)?.iter().any(|known| known.id == workspace);
    if !known {
        return Err(StoreError::NotFound(Entity::Workspace));
    }
    let sql = "INSERT INTO credentials (workspace_id, kind, scopes, lookup, secret) \
               VALUES (?1, ?2, ?3, ?4, ?5)";
    let row =
        params![workspace.0, new.kind.as_str(), new.scopes.to_string(), new.lookup, new.secret];
    conn.prepare_cached(sql).and_then(|mut insert| insert.execute(row)).map_err(failed)?;
    let id = i32::try_from(conn.last_insert_rowid());
    id.map(CredentialId).map_err(|_| StoreError::internal("credential numbers are used up"))
}
