//! A store with datasets, for tests.

use std::sync::Arc;

use hookyard_core::catalogue;
use hookyard_core::id::{DatasetId, ProjectId, WorkspaceId};
use hookyard_core::model::{Project, VersionsKept, Workspace};
use hookyard_store::sqlite::{Options, SqliteStore};
use hookyard_store::{NewDataset, NewWorkspace, SharedStore};
use hookyard_testkit::SeededEntropy;
use jiff::Timestamp;
use tempfile::TempDir;

use crate::{Tables, sql};

/// The workspace of a test.
pub(crate) const WS: WorkspaceId = WorkspaceId(1);

/// Another one.
pub(crate) const OTHER: WorkspaceId = WorkspaceId(2);

/// Their project.
pub(crate) const PROJECT: ProjectId = ProjectId(1);

/// Tables over a store of two workspaces.
pub(crate) struct Place {
    pub(crate) tables: Tables,
    pub(crate) store: SharedStore,
    _directory: TempDir,
}

impl Place {
    pub(crate) async fn new() -> Self {
        Self::with(sql::Limits::default()).await
    }

    pub(crate) async fn with(limits: sql::Limits) -> Self {
        let directory = TempDir::new().unwrap();
        let options = Options {
            path: directory.path().join("hookyard.db"),
            key: [7; 32],
            entropy: Arc::new(SeededEntropy::from_environment()),
        };
        let store: SharedStore = Arc::new(SqliteStore::open(options).unwrap());
        for (id, merchant) in [(WS, "DEMO"), (OTHER, "OTHER")] {
            let workspace =
                Workspace { id, merchant: merchant.to_owned(), name: merchant.to_owned() };
            let project = Project { id: PROJECT, name: "Main".to_owned() };
            let catalogue = catalogue::initial().clone();
            let new = NewWorkspace { workspace, project, catalogue, credentials: Vec::new() };
            store.create_workspace(new).await.unwrap();
        }
        let tables = Tables::new(Arc::clone(&store), limits);
        Self { tables, store, _directory: directory }
    }

    /// A dataset with these rows, accepted a second apart from the epoch on.
    pub(crate) async fn dataset(
        &self,
        workspace: WorkspaceId,
        name: &str,
        cells: &[&str],
    ) -> DatasetId {
        let new = NewDataset {
            workspace,
            project: PROJECT,
            name: name.to_owned(),
            folder: None,
            keep: VersionsKept::default(),
        };
        let dataset = self.store.create_dataset(new, Timestamp::UNIX_EPOCH).await.unwrap();
        for (second, cell) in (0..).zip(cells) {
            self.add(workspace, dataset.id, cell, second).await;
        }
        dataset.id
    }

    pub(crate) async fn add(&self, workspace: WorkspaceId, id: DatasetId, cell: &str, second: i64) {
        let now = Timestamp::from_second(second).unwrap();
        self.store.append_row(workspace, id, cell.to_owned().into(), now).await.unwrap();
    }

    /// Adds many rows, in no certain order, at the epoch.
    pub(crate) async fn fill(&self, id: DatasetId, cells: impl Iterator<Item = String>) {
        let mut adding = tokio::task::JoinSet::new();
        for cell in cells {
            let store = Arc::clone(&self.store);
            adding.spawn(async move {
                store.append_row(WS, id, cell.into(), Timestamp::UNIX_EPOCH).await.unwrap();
            });
            if adding.len() == 200 {
                adding.join_next().await.unwrap().unwrap();
            }
        }
        while let Some(added) = adding.join_next().await {
            added.unwrap();
        }
    }
}
