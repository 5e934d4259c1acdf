//! Datasets as tables: columns, exports of any size, and SQL.
//!
//! The crate reads the store's rows page by page and keeps no more than a page. Columns come from
//! [`hookyard_core::table`]. A first reading of the whole dataset learns the columns; later readings cover
//! only added rows.
//!
//! The feature `analytics` adds SQL, run by Apache DataFusion, and export as Parquet. Without the feature
//! both answer with [`Error::NotBuilt`]; the API is the same.
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

/// Whether the build has SQL and Parquet.
pub const ANALYTICS: bool = cfg!(feature = "analytics");

/// The most concurrent exports. Each keeps a page of rows and the page's output, or a row group of Parquet:
/// some 50 MiB at most.
const EXPORTS_MAX: usize = 16;

/// The most concurrent exports of a single workspace: slow readers of a workspace leave places to the others.
const EXPORTS_OF_ONE_MAX: usize = 4;

/// The most datasets with columns being learnt at once: learning is work for the processor, and even on a
/// small machine a core must stay free for deliveries.
const SCANS_MAX: usize = 2;

/// The share of a single workspace in `SCANS_MAX`.
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
            // A workspace has half of the places, so another workspace's question is answered, too.
            queries: Arc::new(Shares::new(limits.queries, limits.queries.div_ceil(2))),
            limits,
        }
    }

    async fn dataset(&self, workspace: WorkspaceId, id: DatasetId) -> Result<Dataset, Error> {
        let found = self.store.find_dataset(workspace, id).await?;
        found.ok_or(Error::Store(StoreError::NotFound(Entity::Dataset)))
    }
}
