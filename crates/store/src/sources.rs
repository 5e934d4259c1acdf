use std::sync::Arc;

use async_trait::async_trait;
use hookyard_core::id::{ProjectId, SourceId, WorkspaceId};
use hookyard_core::model::{NewSource, Source, SourceChange};
use jiff::Timestamp;

use crate::StoreError;

/// Which sources to list, numbers ascending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SourceQuery {
    /// Only this project's; `None` for all of the workspace.
    pub project: Option<ProjectId>,
    /// Only sources with higher numbers.
    pub after: Option<SourceId>,
    /// The most sources to return.
    pub limit: usize,
}

/// Sources.
#[async_trait]
pub trait SourceStore: Send + Sync {
    /// Makes a source and its dataset.
    async fn create_source(
        &self,
        new: NewSource,
        now: Timestamp,
    ) -> Result<Arc<Source>, StoreError>;

    /// A project's sources, numbers ascending.
    async fn sources(
        &self,
        workspace: WorkspaceId,
        project: ProjectId,
    ) -> Result<Vec<Arc<Source>>, StoreError>;

    /// A page of a workspace's sources.
    async fn sources_page(
        &self,
        workspace: WorkspaceId,
        query: SourceQuery,
    ) -> Result<Vec<Arc<Source>>, StoreError>;

    /// A source of whichever project; `None` when the workspace has no such one.
    async fn workspace_source(
        &self,
        workspace: WorkspaceId,
        id: SourceId,
    ) -> Result<Option<Arc<Source>>, StoreError>;

    /// A source; `None` when the project has no such one.
    async fn source(
        &self,
        workspace: WorkspaceId,
        project: ProjectId,
        id: SourceId,
    ) -> Result<Option<Arc<Source>>, StoreError>;

    /// The source with this key, whichever workspace owns it. Looked up by a hash of the key, so the
    /// time it takes tells nothing about the keys there are.
    async fn source_by_key(&self, key: &str) -> Result<Option<Arc<Source>>, StoreError>;

    /// Changes a source, wholly or not at all; what is not named in the change stays as it is at
    /// that moment. [`StoreError::NotFound`] when there is no such one.
    async fn update_source(
        &self,
        workspace: WorkspaceId,
        project: ProjectId,
        id: SourceId,
        change: SourceChange,
    ) -> Result<Arc<Source>, StoreError>;

    /// Removes a source; its dataset and rows stay. `false` when there is none.
    async fn delete_source(
        &self,
        workspace: WorkspaceId,
        project: ProjectId,
        id: SourceId,
    ) -> Result<bool, StoreError>;
}
