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

#[cfg(feature = "analytics")]
mod batch;
mod error;
pub mod export;
mod reader;
mod schema;
mod shares;
pub mod sql;
#[cfg(test)]
mod testing;

pub use error::Error;
pub use schema::Schema;
use schema::Schemas;
use shares::Shares;

/// Whether this build has SQL and Parquet.
pub const ANALYTICS: bool = cfg!(feature = "analytics");

/// Exports that may run at once. Each keeps a page of rows and what it became, or a row group of
/// Parquet: some 50 MiB at most.
const EXPORTS_MAX: usize = 16;

/// Exports of one workspace that may run at once, so that readers of one who take their time leave
/// places to the others.
const EXPORTS_OF_ONE_MAX: usize = 4;

/// Datasets whose columns may be learnt at once: it is work for the processor, and one core must stay
/// for deliveries even on a small machine.
const SCANS_MAX: usize = 2;

/// Of those, the datasets of one workspace.
const SCANS_OF_ONE_MAX: usize = 1;

/// Reading datasets as tables.
#[derive(Clone)]
pub struct Tables {
    store: SharedStore,
    schemas: Arc<Schemas>,
    scans: Arc<Shares>,
    exports: Arc<Shares>,
    queries: Arc<Shares>,
    limits: sql::Limits,
}

impl Tables {
    /// Tables over a store.
    pub fn new(store: SharedStore, limits: sql::Limits) -> Self {
        Self {
            store,
            schemas: Arc::default(),
            scans: Arc::new(Shares::new(SCANS_MAX, SCANS_OF_ONE_MAX)),
            exports: Arc::new(Shares::new(EXPORTS_MAX, EXPORTS_OF_ONE_MAX)),
            // A workspace has half of them, so that another one's question is answered, too.
            queries: Arc::new(Shares::new(limits.queries, limits.queries.div_ceil(2))),
            limits,
        }
    }

    async fn dataset(&self, workspace: WorkspaceId, id: DatasetId) -> Result<Dataset, Error> {
        let found = self.store.find_dataset(workspace, id).await?;
        found.ok_or(Error::Store(StoreError::NotFound(Entity::Dataset)))
    }
}
