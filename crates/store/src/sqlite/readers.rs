//! A few connections for reads only.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, OpenFlags};
use tokio::sync::Semaphore;

use super::failed;
use crate::StoreError;

/// Reads that may run at once. More than the cores of a small machine, so a slow read does not hold up the
/// short reads; each connection caches up to 2 MB of pages. Workspaces have no shares of the readers: reads
/// take turns in the order of coming. Each read is a page of a few megabytes at most, so a caller with a
/// hundred reads makes other callers wait for some tens of milliseconds.
const READERS: usize = 8;

/// The pool.
#[derive(Debug, Clone)]
pub(super) struct Readers {
    idle: Arc<Mutex<Vec<Connection>>>,
    permits: Arc<Semaphore>,
}

impl Readers {
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        let idle = (0..READERS).map(|_| open(path)).collect::<Result<_, _>>()?;
        Ok(Self { idle: Arc::new(Mutex::new(idle)), permits: Arc::new(Semaphore::new(READERS)) })
    }

    /// Runs a read on a thread that may block.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let permit = Arc::clone(&self.permits)
            .acquire_owned()
            .await
            .map_err(|error| StoreError::Unavailable(error.to_string()))?;
        let pool = Arc::clone(&self.idle);
        let run = move || {
            let _permit = permit;
            let taken = pool.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let conn =
                taken.ok_or_else(|| StoreError::internal("no reading connection is left"))?;
            let result = job(&conn);
            pool.lock().unwrap_or_else(PoisonError::into_inner).push(conn);
            result
        };
        tokio::task::spawn_blocking(run)
            .await
            .map_err(|error| StoreError::Internal(error.into()))?
    }
}

pub(super) fn open(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags).map_err(failed)?;
    conn.busy_timeout(super::BUSY_WAIT).map_err(failed)?;
    Ok(conn)
}
