//! Access to settings that few people change: by the serving process, or by the command line beside that
//! process.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use hookyard_core::id::{ProjectId, WorkspaceId};
use rusqlite::{Connection, TransactionBehavior};

use super::readers::Readers;
use super::{SqliteStore, connect, failed, migrate};
use crate::{Actor, StoreError};

/// Settings that few people change and that nothing in memory depends on: changed by the serving process, or
/// by the command line beside the server.
#[async_trait]
pub(super) trait Access: Send + Sync {
    /// Runs a read.
    async fn look<T: Send + 'static>(
        &self,
        job: impl for<'c> FnOnce(&'c Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError>;

    /// Runs a change in a separate transaction, which is rolled back when the change fails.
    async fn change<T: Send + 'static>(
        &self,
        job: impl for<'c> FnOnce(&'c Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError>;

    /// The bytes of a workspace's events not yet counted on disk, as far as known here.
    fn uncounted(&self, workspace: WorkspaceId) -> u64;

    /// A project was removed.
    fn project_is_gone(&self, workspace: WorkspaceId, project: ProjectId);
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

    fn uncounted(&self, workspace: WorkspaceId) -> u64 {
        self.memory.weight_of(workspace)
    }

    fn project_is_gone(&self, workspace: WorkspaceId, project: ProjectId) {
        self.memory.remove_project(workspace, project);
    }
}

/// Seldom changed settings of a file that another process may be serving.
#[derive(Debug)]
pub struct SqliteCredentials {
    path: PathBuf,
    readers: Readers,
}

impl SqliteCredentials {
    /// Opens the file, which must exist in exactly this format: a server at work on the file would not know
    /// another format.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        migrate::refuse_other_format(&connect(path)?)?;
        Ok(Self { path: path.to_owned(), readers: Readers::open(path)? })
    }

    /// Brings the file to the newest format. No server may be working on it.
    pub fn migrate(path: &Path) -> Result<(), StoreError> {
        migrate::migrate(&mut connect(path)?)
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
        let (path, actor) = (self.path.clone(), Actor::current());
        let change = move || {
            let mut conn = connect(&path)?;
            let tx =
                conn.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
            let done = Actor::lend(actor, || job(&tx))?;
            tx.commit().map_err(failed)?;
            Ok(done)
        };
        tokio::task::spawn_blocking(change)
            .await
            .map_err(|error| StoreError::Internal(error.into()))?
    }

    /// The serving process's memory has the bytes since the last checkpoint.
    fn uncounted(&self, _: WorkspaceId) -> u64 {
        0
    }

    /// Memory is the serving process's.
    fn project_is_gone(&self, _: WorkspaceId, _: ProjectId) {}
}
