//! Datasets as tables: what columns they have, exports of any size, and SQL.
//!
//! Everything here reads the store's rows page by page and keeps no more than a page of them. Columns
//! come from [`hookyard_core::table`]; they are learnt by reading a dataset once, and then only what
//! was added to it.
//!
//! With the feature `analytics` there are SQL, run by Apache DataFusion, and export as Parquet.
//! Without it both answer with [`Error::NotBuilt`]; the API is the same.
#![forbid(unsafe_code)]

use std::sync::Arc;

use hookyard_core::id::{DatasetId, WorkspaceId};
use hookyard_core::model::Dataset;
use hookyard_store::{Entity, SharedStore, StoreError};
use tokio::sync::Semaphore;

#[cfg(feature = "analytics")]
mod batch;
mod error;
pub mod export;
mod reader;
mod schema;
pub mod sql;
#[cfg(test)]
mod testing;

pub use error::Error;
pub use schema::Schema;
use schema::Schemas;

/// Whether this build has SQL and Parquet.
pub const ANALYTICS: bool = cfg!(feature = "analytics");

/// Exports that may run at once. Each keeps a page of rows and what it became, or a row group of
/// Parquet: some 50 MiB at most.
const EXPORTS_MAX: usize = 8;

/// Datasets whose columns may be learnt at once: it is work for the processor, and one core must stay
/// for deliveries even on a small machine.
const SCANS_MAX: usize = 2;

/// Reading datasets as tables.
#[derive(Clone)]
pub struct Tables {
    store: SharedStore,
    schemas: Arc<Schemas>,
    scans: Arc<Semaphore>,
    exports: Arc<Semaphore>,
    queries: Arc<Semaphore>,
    limits: sql::Limits,
}

impl Tables {
    /// Tables over a store.
    pub fn new(store: SharedStore, limits: sql::Limits) -> Self {
        Self {
            store,
            schemas: Arc::default(),
            scans: Arc::new(Semaphore::new(SCANS_MAX)),
            exports: Arc::new(Semaphore::new(EXPORTS_MAX)),
            queries: Arc::new(Semaphore::new(limits.queries)),
            limits,
        }
    }

    async fn dataset(&self, workspace: WorkspaceId, id: DatasetId) -> Result<Dataset, Error> {
        let found = self.store.find_dataset(workspace, id).await?;
        found.ok_or(Error::Store(StoreError::NotFound(Entity::Dataset)))
    }
}
